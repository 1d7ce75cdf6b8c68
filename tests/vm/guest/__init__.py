"""What runs inside a guest.

trials      every way of attaching, with every buffer, one after the other; writes one JSON document
trial       one of them: real retransmits under one tracer, beside what is true
traffic     the retransmits
plausible   what any value that claims to be known has to be
leavings    what a tracer may leave behind
offers      what this kernel offers to tracers, asked of the kernel itself
"""

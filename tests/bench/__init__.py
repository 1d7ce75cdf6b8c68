"""What tracing costs, beside what others cost: `make -C native bench` prints the table.

row         a row of the table, its target, and how runs become figures
rows        what is measured, one small module for each
storm       namespaces in which as much as possible is retransmitted
bpf         what the kernel says about the programs of a process
children    the tracers that are measured, and the small C programs that help
table       the figures as a table, as Markdown and as JSON
machine     which machine, kernel and versions it was
"""

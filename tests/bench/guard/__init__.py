"""Instruction counts of what runs for each event, against committed limits: no timed test.

`make -C native limits` rewrites limits.json, after a change that is meant to cost more.
"""

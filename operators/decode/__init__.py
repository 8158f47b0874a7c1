"""Bytes of a device -> rows and refusals.

`seam` is what every format answers, `native` and `poll` are its first answer. Pure: no clock, no I/O.
"""

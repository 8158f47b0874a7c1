"""The engine: the only place where Bytewax is imported. A flow is a source, a fold and a sink; everything else is plain Python.

In the order of a life: `run` is one process, `launch` prepares its recovery folder, `tables` reads what the control topics held, `source`
turns polls into items, `feeds` says what a poll is for each flow (live, stream, timeline), `clock` and `merge` are the two clocks, `fold`
wraps a pure core, `sink` appends, `health` tells others how it goes.
"""

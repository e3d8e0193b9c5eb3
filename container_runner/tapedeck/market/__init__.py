"""Market data: calendars, the monthly files, snapshots and how they are read.

`block`, `reader` and `adjust` need NumPy; everything else runs without it, as the Lambda layer does.
"""

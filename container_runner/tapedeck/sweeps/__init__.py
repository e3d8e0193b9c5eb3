"""A parameter sweep in this process: one data scan, indicators worked out once, the figures of `tapedeck run`.

found = tapedeck.sweep("crossover.py", {"fast": range(5, 55), "slow": range(60, 160, 5)}, "market")
print(found)                 # the best trials, and how far the best Sharpe ratio can be believed
found.best()["params"]       # {"fast": 12, "slow": 140}
found.to_pandas()            # a row for each trial, in the grid's order
"""

FIGURES = ("final_equity", "total_return", "max_drawdown", "sharpe", "trades")  # of a trial, beside its parameters

"""`run.sql` and `tapedeck.bars` where strategies run: within the sandbox's limits, on the run's bars, nothing else."""

from __future__ import annotations

from tests.sandbox.conftest import Cluster

QUERY = """
import json
import duckdb
import numpy as np
import tapedeck
from tapedeck import Bars, within
from tapedeck.run import Run

count = 200_000
close = np.arange(2.0 * count).reshape(count, 2)
close[0, 0] = np.nan
minutes = np.arange(count, dtype=np.int64) * 60_000_000
days = (minutes // 86_400_000_000).astype(np.int32)
bars = Bars(symbols=["A", "B"], ts=minutes, session=days, fields={"close": close})

class Port:
    def bars(self):
        return bars

run = Run(Port(), bars.symbols, {}, "crypto-1m")
refused = []
for query in ("SELECT * FROM read_csv('/opt/tapedeck/contract.py')", "INSTALL httpfs", "COPY bars TO '/tmp/x.csv'"):
    try:
        found = run.sql(query)
        found and found.fetchall()
    except duckdb.Error as error:
        refused.append(type(error).__name__)
sums = run.sql("SELECT symbol, count(close), sum(close) FROM bars GROUP BY symbol ORDER BY symbol").fetchall()
days = run.sql("SELECT count(DISTINCT session) FROM bars").fetchall()[0][0]
with within.running(run):
    two = tapedeck.bars("A", "1970-01-01", "1970-01-02", dataset="crypto-1m", fields=("close",), freq="1h")
found = {"two": [two.shape, two.close[0, 0]]}
print(json.dumps(found | {"sums": sums, "days": days, "refused": refused, "hours": run.bars(freq="1h").shape}))
"""


def test_a_query_runs_in_the_sandbox_on_the_runs_bars_alone(cluster: Cluster) -> None:
    found = cluster.run(QUERY).printed()
    assert found["sums"] == [["A", 199_999, 39_999_800_000.0], ["B", 200_000, 40_000_000_000.0]]
    assert (found["days"], found["hours"]) == (139, [3334, 2])  # of 200,000 minutes, whatever is left
    assert len(found["refused"]) == 3
    assert found["two"] == [[48, 1], 118.0]  # the first hour's last close

"""The look-ahead audit through the whole stack: asked for in the file or by the call, seen in row and report."""

from __future__ import annotations

from pathlib import Path

from tapedeck.client import Client
from tests.end_to_end.effects import CROSSOVER, RUN_SECONDS

SYMBOLS = ("AAPL", "IBM")


def test_the_crossover_is_audited_and_a_strategy_that_shifts_the_close_back_is_leaked(
    alice: Client, tmp_path: Path
) -> None:
    short = {"symbols": list(SYMBOLS), "start": "2011-01-03", "end": "2011-06-30"}
    text = CROSSOVER.read_text().replace("# start", "# audit = true\n# start")
    text = text.replace("(sma(bars.close, self.fast) >", "(np.roll(bars.close, -1, axis=0) >")
    text = text.replace("from tapedeck", "import numpy as np\n\nfrom tapedeck")
    shifted = tmp_path / "shifted.py"
    shifted.write_text(text)
    leaked = alice.submit(shifted, short)["job_id"]
    audited = alice.submit(CROSSOVER, {**short, "audit": True})["job_id"]
    pages, states = {}, {}
    for job in (audited, leaked):
        states[job] = alice.wait(job, timeout_s=2 * RUN_SECONDS)
        assert states[job]["status"] == "COMPLETED", states[job]["failure"]
        files = {path.name: path for path in alice.download(job, tmp_path / job)}
        pages[job] = files["report.html"].read_text()
    assert states[audited]["causality"] == "audited" and "causality: audited" in pages[audited]
    assert states[leaked]["causality"] == "leaked" and "causality: leaked" in pages[leaked]
    said = next(line for line in pages[leaked].splitlines() if "leaked: on the bar 2011-0" in line)
    assert any(f"the weight of {symbol} is" in said for symbol in SYMBOLS)

from backtest import layout
from sidecar import keys

JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_the_sidecar_and_the_control_plane_agree_on_every_key() -> None:
    assert keys.run_manifest(JOB) == layout.run_manifest(JOB)
    assert keys.event(JOB, 3, 17) == layout.event(JOB, 3, 17)
    assert keys.log(JOB, 3, 17) == layout.log(JOB, 3, 17)
    assert keys.artifact(JOB, 3, "equity.csv") == layout.artifact(JOB, 3, "equity.csv")
    assert keys.result(JOB, 3) == layout.result(JOB, 3)

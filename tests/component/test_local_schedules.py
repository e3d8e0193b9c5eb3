import threading
from datetime import UTC, datetime

import pytest

from infra.local import schedules
from infra.local.schedules import ExpressionError, Scheduler, following
from infra.local.wires import Schedule

NOON = datetime(2026, 2, 27, 12, 0, 30, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("rate(1 minute)", datetime(2026, 2, 27, 12, 1, 30, tzinfo=UTC)),
        ("rate(2 hours)", datetime(2026, 2, 27, 14, 0, 30, tzinfo=UTC)),
        ("rate(1 day)", datetime(2026, 2, 28, 12, 0, 30, tzinfo=UTC)),
        ("cron(0 18 ? * MON-FRI *)", datetime(2026, 2, 27, 18, 0, tzinfo=UTC)),
        ("cron(0/15 * * * ? *)", datetime(2026, 2, 27, 12, 15, tzinfo=UTC)),
        ("cron(0 12 ? * SUN *)", datetime(2026, 3, 1, 12, 0, tzinfo=UTC)),
        ("cron(30 9 29 2 ? *)", datetime(2028, 2, 29, 9, 30, tzinfo=UTC)),
        ("cron(5,10 0 1 JAN,jul ? 2027)", datetime(2027, 1, 1, 0, 5, tzinfo=UTC)),
    ],
)
def test_an_expression_is_due_when_event_bridge_says(expression: str, due: datetime) -> None:
    assert following(expression, NOON) == due


@pytest.mark.parametrize(
    "expression", ["at(2026-01-01T00:00:00)", "rate(1 week)", "cron(0 0 L * ? *)", "cron(0 0 31 2 ? *)", "cron(* * *)"]
)
def test_an_expression_that_is_not_understood_stops_the_start(expression: str) -> None:
    with pytest.raises(ExpressionError):
        Scheduler([Schedule("arn:aws:events:us-east-1:1:rule/r", expression, "f", None)], lambda f, e: None)


def test_a_schedule_invokes_its_function_with_an_event_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schedules._UNITS, "minute", schedules.timedelta(milliseconds=20))
    events: list[object] = []
    enough = threading.Event()

    def invoke(function: str, event: object) -> None:
        events.append((function, event))
        if len(events) == 3:
            enough.set()

    scheduler = Scheduler([Schedule("arn:aws:events:us-east-1:1:rule/r", "rate(1 minute)", "f", None)], invoke)
    scheduler.start()
    assert enough.wait(5)
    scheduler.stop()
    function, event = events[0]  # type: ignore[misc]
    assert function == "f"
    assert event["detail-type"] == "Scheduled Event"
    assert event["resources"] == ["arn:aws:events:us-east-1:1:rule/r"]

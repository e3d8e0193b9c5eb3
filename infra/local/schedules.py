"""EventBridge schedules: invokes functions at rate() and cron() expressions."""

from __future__ import annotations

import logging
import re
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.deploy import ACCOUNT
from infra.local.wires import Schedule
from infra.local.workers import FunctionError

log = logging.getLogger(__name__)

_RATE = re.compile(r"^rate\((\d+) (minute|hour|day)s?\)$")
_CRON = re.compile(r"^cron\(([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+)\)$")
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


class ExpressionError(ValueError):
    """A schedule expression that the local scheduler does not understand."""


def following(expression: str, moment: datetime) -> datetime:
    """Return when `expression` is due next after `moment`; raises ExpressionError."""
    if rate := _RATE.match(expression):
        return moment + int(rate[1]) * _UNITS[rate[2]]
    due = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    fields = Cron.parse(expression)
    limit = moment + timedelta(days=4 * 366)
    while due < limit:
        if not fields.on_day(due):
            due = due.replace(hour=0, minute=0) + timedelta(days=1)
        elif due.hour not in fields.hours:
            due = due.replace(minute=0) + timedelta(hours=1)
        elif due.minute not in fields.minutes:
            due += timedelta(minutes=1)
        else:
            return due
    raise ExpressionError(f"{expression} is never due")


@dataclass(frozen=True)
class Cron:
    """A cron expression of EventBridge: six fields, of which one of the two day fields is "?"."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]

    @classmethod
    def parse(cls, expression: str) -> Cron:
        """Read "cron(minutes hours day-of-month month day-of-week year)"; L, W and # are not understood."""
        match = _CRON.match(expression)
        if match is None:
            raise ExpressionError(f"the local scheduler does not understand {expression}")
        try:
            return cls(
                _values(match[1], 0, 59),
                _values(match[2], 0, 23),
                _values(match[3], 1, 31),
                _values(match[4], 1, 12, _MONTHS),
                _values(match[5], 1, 7, _DAYS),
                _values(match[6], 1970, 2199),
            )
        except ValueError as error:
            raise ExpressionError(f"the local scheduler does not understand {expression}: {error}") from None

    def on_day(self, moment: datetime) -> bool:
        """Whether the day of `moment` is one of these."""
        weekday = moment.isoweekday() % 7 + 1  # EventBridge: 1 is Sunday
        return (
            moment.year in self.years
            and moment.month in self.months
            and moment.day in self.days
            and weekday in self.weekdays
        )


def _values(field: str, low: int, high: int, names: Sequence[str] = ()) -> frozenset[int]:
    def number(text: str) -> int:
        return names.index(text.upper()) + low if text.upper() in names else int(text)

    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first in ("*", "?") else number(first)
        end = number(last) if last else (high if first in ("*", "?") or step else start)
        found |= set(range(start, end + 1, int(step or 1)))
    return frozenset(found)


class Scheduler:
    """One thread a schedule, as one run of it may take longer than its period."""

    def __init__(self, schedules: Sequence[Schedule], invoke: Callable[[str, object], Any]) -> None:
        self._invoke = invoke
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(each,), daemon=True) for each in schedules]
        for schedule in schedules:
            following(schedule.expression, datetime.now(UTC))  # what is not understood stops the start

    def start(self) -> None:
        """Begin; the first event comes at the first time that is due from now."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more events."""
        self._stopping.set()

    def _run(self, schedule: Schedule) -> None:
        due = following(schedule.expression, datetime.now(UTC))
        while not self._stopping.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
            try:
                self._invoke(schedule.function, schedule.event or scheduled_event(schedule.arn, due))
            except FunctionError as error:
                if not self._stopping.is_set():
                    log.warning("%s", error)
            due = max(following(schedule.expression, due), datetime.now(UTC))


def scheduled_event(arn: str, due: datetime) -> dict[str, Any]:
    """Return the event that EventBridge sends by default."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": arn.split(":")[3],
        "resources": [arn],
        "detail": {},
    }

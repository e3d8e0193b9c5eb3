"""What a researcher asks for: a closed schema over the header block of the file and the parameters of the call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from backtest.errors import CallerError
from tapedeck.ranges import RANGES, checked, contradiction
from tapedeck.suggest import did_you_mean

MAX_SYMBOLS = 20_000
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _iso_date(value: object) -> date:
    if isinstance(value, str) and _ISO.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError("a date is written as 2004-01-02")


Day = Annotated[date, BeforeValidator(_iso_date)]
Name = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,32}$")]


class BacktestRequest(BaseModel):
    """A run, as asked for. Dates inclusive; money in the dataset's currency; costs as `tapedeck.ranges` states them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    dataset: Name
    symbols: Annotated[list[Symbol], Field(min_length=1, max_length=MAX_SYMBOLS)] | Name  # or a universe, "*" for all
    start: Day
    end: Day
    snapshot: Name = "latest"
    params: dict[str, Any] = Field(default_factory=dict)  # typed by the strategy: tapedeck.submission
    cash: Annotated[float, Field(gt=0, le=1e12)] = 1_000_000.0
    accounts: Literal["one", "sleeves"] = "one"
    size_at: Literal["decision", "fill"] = "decision"
    rebalance: Literal["change", "day", "month"] = "change"
    leverage: Annotated[float, Field(ge=1, le=100)] = 1.0
    fractional: bool = True
    commission_bps: float = 5.0
    commission_per_share: float = 0.0
    commission_minimum: float = 0.0
    slippage_bps: float = 2.0
    half_spread_per_share: float = 0.0
    impact_bps: float = 0.0
    volume_cap: float = 0.0
    halt_zero_volume: bool = False
    borrow_fee_annual: float = 0.0
    interest_credit_annual: float = 0.0
    interest_debit_annual: float = 0.0
    lot_size: float = 0.0
    maintenance_margin: float = 0.0
    adjust: Literal["split", "raw", "total"] = "split"
    risk_free: Annotated[float, Field(gt=-1, lt=1)] = 0.0  # annual
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    audit: bool = False  # for look-ahead, after the run: how-to/audit.md

    @field_validator(*RANGES, mode="before")
    @classmethod
    def _in_range(cls, value: object, info: ValidationInfo) -> float:
        return checked(info.field_name or "", value)


def read_request(header: Mapping[str, object], params: Mapping[str, object]) -> BacktestRequest:
    """Return the request: what the call says goes over what the file's header block says.

    `params` inside of it holds the call's strategy parameters only; the header's are merged where they are typed.
    Raises `CallerError` naming the key that is wrong.
    """
    try:
        request = BacktestRequest.model_validate({**header, "params": {}, **params})
    except ValidationError as e:
        raise _refused(e) from e
    if request.end < request.start:
        raise CallerError(400, "EMPTY_RANGE", f"end {request.end} is before start {request.start}", key="end")
    wrong = contradiction(request.model_dump(include={"leverage", "fractional", "lot_size", "maintenance_margin"}))
    if wrong:
        raise CallerError(400, "BAD_VALUE", wrong, key=wrong.split()[0])
    if isinstance(request.symbols, list) and (twice := _first_repeated(request.symbols)):
        raise CallerError(400, "REPEATED_SYMBOL", f"{twice} stands twice in symbols", key="symbols", symbol=twice)
    return request


def _first_repeated(symbols: list[str]) -> str | None:
    seen: set[str] = set()
    for symbol in symbols:
        if symbol in seen:
            return symbol
        seen.add(symbol)
    return None


def _refused(error: ValidationError) -> CallerError:
    """Return the first complaint in the researcher's words."""
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("list[", "literal[")))
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(key, BacktestRequest.model_fields) or "."
        return CallerError(400, "UNKNOWN_KEY", f"there is no parameter {key[:100]!r}{hint}", key=key[:100])
    if first["type"] == "missing":
        where = "in the header block of the file or in the parameters of the call"
        return CallerError(400, "MISSING_KEY", f"{key} is missing: say it {where}", key=key)
    reason = first["msg"].removeprefix("Value error, ").removeprefix(f"{key} is ")
    return CallerError(400, "BAD_VALUE", f"{key}: {reason}", key=key)

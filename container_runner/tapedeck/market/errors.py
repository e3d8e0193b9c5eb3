"""What can be wrong with market data, and whose words say so."""

from __future__ import annotations


class MarketError(Exception):
    """The market data cannot be used as asked."""


class DatasetNameError(MarketError, ValueError):
    """The dataset's or symbol's name is not one of ours."""


class CalendarError(MarketError, ValueError):
    """The calendar does not know the date or the name asked for."""


class EncodingError(MarketError, ValueError):
    """A value cannot be stored exactly, or a file is not one of ours."""


class UnknownSnapshotError(MarketError, LookupError):
    """The dataset has no such snapshot."""


class UnknownSymbolError(MarketError, LookupError):
    """The snapshot has no data of this symbol."""

    def __init__(self, symbol: str, dataset: str) -> None:
        super().__init__(f"{symbol}: no such symbol in {dataset}")
        self.symbol = symbol


class UniverseError(MarketError, ValueError):
    """A universe's name or list is none, or names a symbol that the dataset does not have."""


class UnknownUniverseError(MarketError, LookupError):
    """The snapshot has no universe of this name."""


class PublishConflictError(MarketError):
    """Another snapshot was published in the meantime: take it as the base and try again."""


class DataError(MarketError):
    """A stored object is missing, cut short or not what the snapshot says; names symbol, month and key."""

    def __init__(self, reason: str, *, symbol: str | None = None, month: str | None = None, key: str | None = None):
        where = " ".join(part for part in (symbol, month, f"({key})" if key else None) if part)
        super().__init__(f"{where}: {reason}" if where else reason)
        self.symbol = symbol
        self.month = month
        self.key = key


class StoreError(Exception):
    """The store gave no answer, however often it was asked. Nothing is wrong with the data: try again later."""


class SnapshotReferenceError(MarketError, ValueError):
    """What should name a snapshot, or be a snapshot's name, cannot."""


class AmbiguousSnapshotError(MarketError, LookupError):
    """Several snapshots begin as asked."""


class WithdrawnSnapshotError(MarketError):
    """The snapshot was withdrawn: runs that pinned it still read it, no new one does."""


class NameTakenError(MarketError):
    """Another snapshot of the dataset has this name."""

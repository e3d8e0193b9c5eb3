"""A reading becomes the dataset's latest snapshot."""

from __future__ import annotations

from tapedeck.market import merge, snapshot
from tapedeck.market.errors import PublishConflictError
from tapedeck.market.publish import Begun, Published, publish
from tapedeck.market.store import ObjectStore
from tapedeck.market.vendor.reading import Reading

TRIES = 8  # against others that publish at the same time


def accept(store: ObjectStore, reading: Reading, begun: Begun | None = None) -> Published:
    """Publish a reading without problems on top of the latest snapshot, again on the next when another was faster.

    What `begun` says was written is not written again; PauseError when it says that there is no more time.
    Raises UniverseError for a list with a symbol that has no bars, EncodingError when its bars and those that are there
    do not fit a common scale, PublishConflictError when others kept publishing, DataError for a damaged old month.
    """
    assert not reading.problems.count
    begun = begun or Begun()
    for attempt in range(1, TRIES + 1):
        held = snapshot.latest(store, reading.dataset.name)
        base = snapshot.load(store, reading.dataset.name, held) if held else None
        try:
            changes = merge.changes(store, base, reading)
            return publish(store, reading.dataset, base, changes, reading.universes, begun=begun)
        except PublishConflictError:
            if attempt == TRIES:
                raise
    raise AssertionError

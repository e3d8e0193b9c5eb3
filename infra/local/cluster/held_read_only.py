"""Read-only sources of a bundle, held read-only by the host's kernel too.

A `ro` mount inside of a sandbox is the sandbox's word: one build of runsc let it be remounted. A bind mount that the
host holds read-only cannot be written through, whatever happens inside.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from infra.local.cluster import kernel


class HeldReadOnly:
    """Binds below `folder`, in this process's own mount namespace; needs root."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        """Make the binds; `config` is `config` with each read-only source replaced by one. Raises `OSError`."""
        self._places: list[Path] = []
        self.config = deepcopy(config)
        folder.mkdir(parents=True)
        try:
            for mount in self.config["mounts"]:
                if mount["type"] == "bind" and "ro" in mount["options"]:
                    mount["source"] = str(self._hold(folder / str(len(self._places)), mount["source"]))
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Take the binds away; safe to call again."""
        while self._places:
            with suppress(OSError):
                kernel.unmount(str(self._places.pop()))

    def _hold(self, place: Path, source: str) -> Path:
        if Path(source).is_dir():
            place.mkdir()
        else:
            place.touch()
        kernel.bind(source, str(place), kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV)
        self._places.append(place)
        return place

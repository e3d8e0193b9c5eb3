"""A large S3 object as a stream: read in parts, one ahead, so that its size says nothing about the memory it takes."""

from __future__ import annotations

import io
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

PART = 8 * 2**20  # bytes of a GET; up to three parts are in memory
_TRIES = 4  # of a part: the client tries again what is refused, not what breaks off


class S3Object(io.RawIOBase):
    """One object's bytes, all of one version. Raises KeyError when there is none, and what the client raises."""

    def __init__(self, client: Any, bucket: str, key: str, version: str | None, part: int = PART) -> None:
        super().__init__()
        self._client, self._part = client, part
        self._which = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version is not None else {})
        self._size = 0
        self._position = 0
        self._held = (0, b"")  # where a part begins, and the part
        self._ahead: tuple[int, Future[bytes]] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._held = (0, self._get(0))  # also says how long the object is

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move the position."""
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def readinto(self, buffer: Buffer, /) -> int:
        """Give what is left of the part at the position, as much as fits."""
        if self._position >= self._size:
            return 0
        begin, body = self._held
        if not begin <= self._position < begin + len(body):
            begin = self._position
            body = self._take(begin)
            self._held = begin, body
        view, at = memoryview(buffer), self._position - begin
        given = body[at : at + len(view)]
        view[: len(given)] = given
        self._position += len(given)
        return len(given)

    def close(self) -> None:
        """Forget what was read ahead."""
        if not self.closed:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._held, self._ahead = (0, b""), None
        super().close()

    def _take(self, begin: int) -> bytes:
        """Return the part at `begin`, which was read ahead where reading goes straight on, and read the next ahead."""
        ahead, self._ahead = self._ahead, None
        body = ahead[1].result() if ahead and ahead[0] == begin else self._get(begin)
        if (after := begin + len(body)) < self._size:
            self._ahead = after, self._pool.submit(self._get, after)
        return body

    def _get(self, begin: int) -> bytes:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - whoever has a client has it

        for left in reversed(range(_TRIES)):
            try:
                return self._get_once(begin)
            except BotoCoreError:  # broke off in the middle of the body
                if not left:
                    raise
        raise AssertionError

    def _get_once(self, begin: int) -> bytes:
        wanted = f"bytes={begin}-{begin + self._part - 1}"
        try:
            answer = self._client.get_object(**self._which, Range=wanted)
        except self._client.exceptions.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "InvalidRange" and begin == 0:
                return b""  # an empty object has no range
            if code in ("NoSuchKey", "NoSuchVersion", "404"):
                raise KeyError(self._which["Key"]) from None
            raise
        body = bytes(answer["Body"].read())
        self._size = int(answer["ContentRange"].rpartition("/")[2])
        if "VersionId" not in self._which:
            self._which["IfMatch"] = answer["ETag"]
        return body

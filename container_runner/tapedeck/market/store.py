"""Where objects lie: an S3 bucket, or a folder that behaves like a versioned one."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, cast

from tapedeck.market.parts import Joined
from tapedeck.market.ranged import PART, S3Object

THREADS = 16
_BATCH = 1024  # items that wait in a pool at once
_AHEAD = 32  # bodies that may wait in memory for their reader

Item = TypeVar("Item")


class ObjectStore(Protocol):
    """Objects under keys. An implementation may be called from several threads."""

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return an object's bytes, of the version if one is named. Raises KeyError when there is none."""
        ...

    def put(self, key: str, body: bytes, if_absent: bool = False) -> str | None:
        """Store an object; return its version id (None: unversioned). Raises FileExistsError with `if_absent`."""
        ...

    def swap(self, key: str, body: bytes, expected: bytes | None) -> bool:
        """Store an object only if it now holds `expected` (None: does not exist); say whether it was stored."""
        ...


class Streaming(ObjectStore, Protocol):
    """A store whose objects may be larger than memory."""

    def open(self, key: str, version: str | None = None) -> BinaryIO:
        """Return an object's bytes as a stream that can seek. Raises KeyError when there is none."""
        ...


class Parted(ObjectStore, Protocol):
    """A store that takes objects larger than memory."""

    def put_parts(self, key: str, parts: Iterable[bytes]) -> None:
        """Store an object that comes in parts; there is none when `parts` raises."""
        ...


def get_all(store: ObjectStore, wanted: Iterable[tuple[str, str | None]]) -> Generator[bytes | None, None, None]:
    """Yield the bodies of (key, version) pairs in their order, None where absent, read ahead by a few threads.

    Close it when it is not read to its end: left to the garbage collector, its threads may be ended by one of them.
    """
    waiting: deque[Future[bytes | None]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="get") as pool:
        try:
            for key, version in wanted:
                waiting.append(pool.submit(_get, store, key, version))
                if len(waiting) >= _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def put_all(store: ObjectStore, objects: Sequence[tuple[str, bytes]]) -> list[str | None]:
    """Store objects by a few threads; return their version ids in order."""
    if not objects:
        return []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="put") as pool:
        return list(pool.map(lambda pair: store.put(*pair), objects))


def for_each(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Do the work for each item by a few threads, as many at a time as there are. The first error ends it."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="each") as pool:
        for start in range(0, len(items), _BATCH):
            for _ in pool.map(work, items[start : start + _BATCH]):
                pass


def _get(store: ObjectStore, key: str, version: str | None) -> bytes | None:
    try:
        return store.get(key, version)
    except KeyError:
        return None


class FolderStore:
    """Objects as files below a folder; every version ever put stays below `.versions`, under its content's digest."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return the bytes. Raises KeyError when there is no such object or version."""
        path = self._path(key) if version is None else self._version_path(key, version)
        try:
            return path.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise KeyError(key) from None

    def open(self, key: str, version: str | None = None) -> BinaryIO:
        """Return the bytes as a stream. Raises KeyError when there is no such object or version."""
        path = self._path(key) if version is None else self._version_path(key, version)
        try:
            return path.open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise KeyError(key) from None

    def put(self, key: str, body: bytes, if_absent: bool = False) -> str | None:
        """Store the bytes; return the version id. Raises FileExistsError with `if_absent` when the object exists."""
        version = hashlib.sha256(body).hexdigest()[:32]
        _write(self._version_path(key, version), body, replace=True)
        _write(self._path(key), body, replace=not if_absent)
        return version

    def put_parts(self, key: str, parts: Iterable[bytes]) -> None:
        """Store the parts as one object: they are joined in memory, for a folder is one machine's own."""
        self.put(key, b"".join(parts))

    def swap(self, key: str, body: bytes, expected: bytes | None) -> bool:
        """Store the bytes if the object holds `expected`; a lock file keeps other processes out meanwhile."""
        with self._lock():
            if _get(self, key, None) != expected:
                return False
            self.put(key, body)
            return True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _version_path(self, key: str, version: str) -> Path:
        return self._path(f".versions/{key}/{version}")

    def _path(self, key: str) -> Path:
        if any(part in ("", ".", "..") for part in key.split("/")):
            raise KeyError(key)
        return self.root / key


def _write(path: Path, body: bytes, *, replace: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        if replace:
            Path(temporary).replace(path)
        else:
            os.link(temporary, path)  # fails if the name exists
    finally:
        Path(temporary).unlink(missing_ok=True)


class S3Store:
    """Objects in a bucket, through a boto3 S3 client that the caller made (clients may be shared between threads).

    Needs s3:GetObject, s3:GetObjectVersion, s3:PutObject, and s3:ListBucket, without which S3 answers 403, not 404, for
    what does not exist.
    """

    def __init__(self, client: Any, bucket: str) -> None:  # boto3's clients have no type at run time
        self.client = client
        self.bucket = bucket

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return the bytes. Raises KeyError when there is no such object or version."""
        answer = self._get(key, version)
        if answer is None:
            raise KeyError(key)
        return bytes(answer["Body"].read())

    def open(self, key: str, version: str | None = None) -> BinaryIO:
        """Return the bytes as a stream, read in parts. Raises KeyError when there is no such object or version."""
        return io.BufferedReader(cast(io.RawIOBase, S3Object(self.client, self.bucket, key, version)), 1 << 20)

    def put(self, key: str, body: bytes, if_absent: bool = False) -> str | None:
        """Store the bytes; return the version id, None in an unversioned bucket."""
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        answer = self._put(key, body, condition)
        if answer is None:
            raise FileExistsError(key)
        version = answer.get("VersionId")
        return None if version in (None, "null") else str(version)

    def put_parts(self, key: str, parts: Iterable[bytes]) -> None:
        """Store the parts as one object, by a multipart upload where they are many; two of its parts are in memory.

        What breaks off is left to the bucket's rule for incomplete uploads: no right to end one is needed.
        """
        from boto3.s3.transfer import TransferConfig  # noqa: PLC0415 - the client is boto3's, so it is there

        one_by_one = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, use_threads=False)
        whole = io.BufferedReader(Joined(parts), PART)  # whose reads are never short
        self.client.upload_fileobj(whole, self.bucket, key, Config=one_by_one)

    def swap(self, key: str, body: bytes, expected: bytes | None) -> bool:
        """Store the bytes if the object holds `expected`: read, compare, put on condition of the ETag read."""
        answer = self._get(key, None)
        if answer is None:
            return expected is None and self._put(key, body, {"IfNoneMatch": "*"}) is not None
        if answer["Body"].read() != expected:
            return False
        return self._put(key, body, {"IfMatch": answer["ETag"]}) is not None

    def _get(self, key: str, version: str | None) -> dict[str, Any] | None:
        which = {"VersionId": version} if version is not None else {}
        try:
            return dict(self.client.get_object(Bucket=self.bucket, Key=key, **which))
        except self.client.exceptions.ClientError as error:
            if _code(error) in ("NoSuchKey", "NoSuchVersion", "404"):
                return None
            raise

    def _put(self, key: str, body: bytes, condition: dict[str, str]) -> dict[str, Any] | None:
        try:
            return dict(self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **condition))
        except self.client.exceptions.ClientError as error:
            if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"):
                return None
            raise


def _code(error: Any) -> str:  # botocore's ClientError, which this module does not import
    return str(error.response.get("Error", {}).get("Code", ""))

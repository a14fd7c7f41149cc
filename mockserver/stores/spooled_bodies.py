"""Request bodies that wait for their job: small ones in memory, large ones in temporary files. See `Spool`."""

from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO
from weakref import ReferenceType, ref

MAX_BYTES_IN_MEMORY = 64 * 1024  # bytes; a smaller body costs less kept than written
MAX_FILE_BYTES = 64 * 1024 * 1024  # bytes a file takes before the next is begun; a file goes with its last parcel


@dataclass(slots=True, weakref_slot=True)
class SpoolFile:
    """One temporary file, to which bodies are appended. It is closed and deleted with its last reference."""

    file: IO[bytes] = field(default_factory=lambda: TemporaryFile(buffering=0))  # noqa: SIM115 - it is open as long as the segment lives
    size: int = 0

    def append(self, body: bytes) -> int:
        """Append `body` and return the offset of its first byte."""
        offset = self.file.seek(self.size)
        self.file.write(body)
        self.size += len(body)
        return offset

    def __del__(self) -> None:
        self.file.close()


@dataclass(frozen=True, slots=True)
class SpooledBody:
    """The bytes of one body: in `content`, or at `offset` of `spool_file`."""

    content: bytes = b""
    spool_file: SpoolFile | None = None
    offset: int = 0
    length: int = 0

    def read(self) -> bytes:
        """Return the bytes."""
        if self.spool_file is None:
            return self.content
        self.spool_file.file.seek(self.offset)
        return self.spool_file.file.read(self.length)


@dataclass(slots=True)
class Spool:
    """Stores bodies. A file is referenced by its bodies alone, and is deleted with the last of them."""

    spool_file: ReferenceType[SpoolFile] | None = None

    def store(self, body: bytes) -> SpooledBody:
        """Store `body`: in memory up to `MAX_BYTES_IN_MEMORY`, else in a temporary file.

        A file takes bodies until it has `MAX_FILE_BYTES`.
        """
        if len(body) <= MAX_BYTES_IN_MEMORY:
            return SpooledBody(content=body)
        segment = None if self.spool_file is None else self.spool_file()
        if segment is None or segment.size >= MAX_FILE_BYTES:
            segment = SpoolFile()
            self.spool_file = ref(segment)
        return SpooledBody(spool_file=segment, offset=segment.append(body), length=len(body))

"""Request bodies that wait to be read again: tiny ones in memory, all others in temporary files. See `Spool`."""

from dataclasses import dataclass, field
from os import SEEK_END
from tempfile import TemporaryFile
from typing import IO, Final
from weakref import ReferenceType, ref

MAX_BYTES_IN_MEMORY: Final = 1024  # bytes; a smaller body takes no more than what else is kept of its job
MAX_FILE_BYTES: Final = 64 * 1024 * 1024  # bytes a file takes before the next is begun; a file goes with its last body
BUFFER_BYTES: Final = 64 * 1024  # bytes of small bodies that are written in one go


@dataclass(slots=True, weakref_slot=True)
class SpoolFile:
    """One temporary file, to which bodies are appended. It is closed and deleted with its last reference.

    `at_end` tells whether the file's position is its end.
    """

    file: IO[bytes] = field(default_factory=lambda: TemporaryFile(buffering=BUFFER_BYTES))  # noqa: SIM115 - it is open as long as the segment lives
    size: int = 0
    at_end: bool = True

    def append(self, body: bytes) -> int:
        """Append `body` and return the offset of its first byte."""
        if not self.at_end:
            self.file.seek(0, SEEK_END)
            self.at_end = True
        offset = self.size
        self.file.write(body)
        self.size += len(body)
        return offset

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on."""
        self.at_end = False
        self.file.seek(offset)
        return self.file.read(length)

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
        return self.content if self.spool_file is None else self.spool_file.read(self.offset, self.length)


@dataclass(slots=True)
class Spool:
    """Stores the bodies of a server's sandboxes. A file is referenced by its bodies alone, and goes with the last."""

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

"""Bytes that wait to be read again: short ones in memory, all others in temporary files. See `Spool`."""

from dataclasses import dataclass, field
from os import SEEK_END
from tempfile import TemporaryFile
from typing import IO, Final
from weakref import ReferenceType, WeakSet, ref

MAX_BYTES_IN_MEMORY: Final = 1024  # bytes; a shorter body takes no more than what else is kept of its job
MAX_FILE_BYTES: Final = 16 * 1024 * 1024  # bytes a file takes before the next is begun; a file goes with its last body
SPARSE: Final = 8  # a file of which less than an eighth of the bodies is left is emptied
BUFFER_BYTES: Final = 256 * 1024  # bytes of small bodies that are written in one go


@dataclass(slots=True, weakref_slot=True, eq=False)
class SpoolFile:
    """One temporary file, to which bodies are appended. It is closed and deleted with its last body.

    `bodies` are those that it took, `gone` those of them that nobody needs any more; `at_end` tells whether the file's
    position is its end.
    """

    file: IO[bytes] = field(default_factory=lambda: TemporaryFile(buffering=BUFFER_BYTES))  # noqa: SIM115 - it is open as long as the segment lives
    size: int = 0
    at_end: bool = True
    bodies: "list[ReferenceType[SpooledBody]]" = field(default_factory=list)
    gone: "list[ReferenceType[SpooledBody]]" = field(default_factory=list)

    def append(self, body: "SpooledBody", content: bytes) -> None:
        """Append the bytes of `body`."""
        if not self.at_end:
            self.file.seek(0, SEEK_END)
            self.at_end = True
        self.file.write(content)
        body.spool_file, body.offset, body.length = self, self.size, len(content)
        self.size += len(content)
        self.bodies.append(ref(body, self.gone.append))

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on."""
        self.at_end = False
        self.file.seek(offset)
        return self.file.read(length)

    @property
    def is_sparse(self) -> bool:
        """Tell whether hardly any of its bodies are left."""
        return (len(self.bodies) - len(self.gone)) * SPARSE < len(self.bodies)

    def __del__(self) -> None:
        self.file.close()


@dataclass(slots=True, weakref_slot=True, eq=False)
class SpooledBody:
    """The bytes of one body: in `content`, or at `offset` of `spool_file`, which may change."""

    content: bytes = b""
    spool_file: SpoolFile | None = None
    offset: int = 0
    length: int = 0

    def read(self, most: int | None = None) -> bytes:
        """Return the bytes, or the first `most` of them."""
        if self.spool_file is None:
            return self.content[:most]
        return self.spool_file.read(self.offset, self.length if most is None else min(most, self.length))


class Spool:
    """Stores the bodies of a server's sandboxes. A file is referenced by its bodies alone, and goes with the last."""

    __slots__ = ("_current", "_files")

    def __init__(self) -> None:
        self._current: ReferenceType[SpoolFile] | None = None
        self._files: WeakSet[SpoolFile] = WeakSet()

    def store(self, content: bytes) -> SpooledBody:
        """Store `content`: in memory up to `MAX_BYTES_IN_MEMORY`, else in a temporary file.

        A file takes bodies until it has `MAX_FILE_BYTES`.
        """
        if len(content) <= MAX_BYTES_IN_MEMORY:
            return SpooledBody(content)
        body = SpooledBody()
        self._append(body, content)
        return body

    def _append(self, body: SpooledBody, content: bytes) -> None:
        file = None if self._current is None else self._current()
        if file is not None and file.size < MAX_FILE_BYTES:
            return file.append(body, content)
        file = SpoolFile()
        self._current = ref(file)
        self._files.add(file)
        file.append(body, content)
        return self._empty_sparse_files()

    def _empty_sparse_files(self) -> None:
        """Move the bodies that are left of many, so that a few that stay long do not hold much of the disk."""
        for file in [one for one in self._files if one.is_sparse]:
            for body in [one() for one in file.bodies]:
                if body is not None and body.spool_file is file:
                    self._append(body, body.read())

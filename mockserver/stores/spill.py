"""Bodies that wait for their job: small ones in memory, large ones in unnamed temporary files."""

from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO
from weakref import ReferenceType, ref

IN_MEMORY = 64 * 1024  # bytes; a smaller body costs less kept than written
SEGMENT = 64 * 1024 * 1024  # bytes a file takes before the next is begun; a file goes with its last parcel


@dataclass(slots=True, weakref_slot=True)
class Segment:
    """One temporary file, written at its end."""

    file: IO[bytes] = field(default_factory=lambda: TemporaryFile(buffering=0))  # noqa: SIM115 - it is open as long as the segment lives
    size: int = 0

    def append(self, body: bytes) -> int:
        """Write `body` at the end and return where it begins."""
        begins = self.file.seek(self.size)
        self.file.write(body)
        self.size += len(body)
        return begins

    def __del__(self) -> None:
        self.file.close()


@dataclass(frozen=True, slots=True)
class Parcel:
    """The bytes of a body, kept somewhere until they are read."""

    held: bytes = b""
    segment: Segment | None = None
    begins: int = 0
    length: int = 0

    def read(self) -> bytes:
        """Return the bytes."""
        if self.segment is None:
            return self.held
        self.segment.file.seek(self.begins)
        return self.segment.file.read(self.length)


@dataclass(slots=True)
class Depot:
    """Where parcels are left; a file is held by its parcels alone, and is deleted with the last of them."""

    segment: ReferenceType[Segment] | None = None

    def keep(self, body: bytes) -> Parcel:
        """Keep `body`; one over 64 KiB goes to a file."""
        if len(body) <= IN_MEMORY:
            return Parcel(held=body)
        segment = None if self.segment is None else self.segment()
        if segment is None or segment.size >= SEGMENT:
            segment = Segment()
            self.segment = ref(segment)
        return Parcel(segment=segment, begins=segment.append(body), length=len(body))

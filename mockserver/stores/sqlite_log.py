"""The file of a durable server: a write-ahead log of calls, and checkpoints of sandboxes, in SQLite. See `CallLog`.

A call is a row before it is carried out. A checkpoint of a sandbox takes the place of its rows. The file holds
credentials, as requests do: it is made for its owner alone.
"""

import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from contracts.errors import MisuseError
from mockserver.stores.interface import NotStoredError

Sync: TypeAlias = Literal["full", "normal"]
APPLICATION_ID: Final = 0x62756C6B  # "bulk" in ASCII: the SQLite files that are ours
FORMAT: Final = 1  # of the file; kept in `user_version`
WAL_BYTES: Final = 32 * 1024 * 1024  # of SQLite's own log, after which it is written back
PAGE_BYTES: Final = 4096
TABLES: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE checkpoints (sandbox TEXT PRIMARY KEY, real TEXT NOT NULL, document BLOB NOT NULL)",
    """CREATE TABLE calls (seq INTEGER PRIMARY KEY, sandbox TEXT NOT NULL, real TEXT NOT NULL, kind TEXT NOT NULL,
    head TEXT NOT NULL, body BLOB NOT NULL, digest INTEGER NOT NULL)""",
)
INSERT: Final = "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?)"
Statement: TypeAlias = tuple[str, tuple[object, ...]]  # and its parameters
OPENED: Final[Statement] = ("INSERT OR REPLACE INTO meta VALUES ('opened', datetime('now'))", ())
Kind: TypeAlias = Literal["create", "call", "control", "completion"]
KINDS: Final = get_args(Kind)
YEARS: Final = range(1970, 9001)  # of a clock


class LoggedCall(NamedTuple):
    """A row of the log: a call, the rest of one that was held (`completion`), or the creation of a sandbox.

    `real` is the instant at which it was carried out, of a completion on the sandbox's clock. `head` is JSON.
    """

    seq: int
    sandbox: str
    real: datetime
    kind: Kind
    head: str
    body: bytes


class Checkpoint(NamedTuple):
    """A sandbox as it was at the instant `real`; `document` is JSON."""

    sandbox: str
    real: datetime
    document: bytes


class CallLog:
    """An open file. One process has it at a time.

    `last` is the number of the last row; `is_there` tells whether the file was at its place when somebody looked.
    Whatever writes raises NotStoredError, and nothing is written then; the next attempt is as good as the first.
    """

    last: int

    def __init__(self, path: Path, *, sync: Sync = "full") -> None:
        """Open or make a file. Raises MisuseError: in use, damaged, foreign, newer, not to be written."""
        self.path = path
        _require_place(path)
        try:
            self.database = _connect(path, sync)
            self.is_there = True
            self._stamps = [_identity(one) for one in self._files]
            self.last = self.database.execute("SELECT coalesce(max(seq), 0) FROM calls").fetchone()[0]
        except (sqlite3.Error, OSError) as error:
            raise _cannot_open(path, error) from None

    @property
    def _files(self) -> tuple[Path, Path]:
        return self.path, self.path.with_name(f"{self.path.name}-wal")

    def append(self, sandbox: str, real: datetime, kind: Kind, head: str = "", body: bytes = b"") -> int:
        """Write a row durably, and return its number."""
        seq = self.last + 1
        self._write((INSERT, (seq, sandbox, real.isoformat(), kind, head, body, _digest(sandbox, head, body))))
        self.last = seq
        return seq

    def forget(self, sandbox: str, rows: Iterable[int]) -> None:
        """Delete everything about a sandbox, whose rows are given."""
        self._write(*map(_deletion, rows), ("DELETE FROM checkpoints WHERE sandbox = ?", (sandbox,)))

    def checkpoint(self, sandbox: str, real: datetime, packed: bytes, rows: Iterable[int]) -> None:
        """Replace the rows of a sandbox by a document that has what came of them, compressed by zlib."""
        document = ("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", (sandbox, real.isoformat(), packed))
        self._write(*map(_deletion, rows), document)

    def touch(self) -> None:
        """Write something of no meaning."""
        self._write(OPENED)

    def describe(self, description: str) -> None:
        """Store what the log is to be replayed with."""
        self._write(("INSERT OR REPLACE INTO meta VALUES ('served', ?)", (description,)))

    @property
    def description(self) -> str:
        """Return what the log was written with, "" when nothing has been. Raises MisuseError: the file is damaged."""
        found = [value for (value,) in self._rows("SELECT value FROM meta WHERE name = 'served'")]
        if not all(isinstance(value, str) for value in found):
            raise self.damaged("what its calls were served with cannot be read")
        return "".join(found)

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to replay. Raises MisuseError: the file is damaged."""
        return not list(self._rows("SELECT seq FROM calls LIMIT 1"))

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Yield every checkpoint, the oldest first. Raises MisuseError: the file is damaged."""
        for (name,) in list(self._rows("SELECT sandbox FROM checkpoints ORDER BY real")):
            for real, packed in self._rows("SELECT real, document FROM checkpoints WHERE sandbox = ?", name):
                try:
                    found = Checkpoint(_text(name), _instant(real), zlib.decompress(packed))
                except (TypeError, ValueError, zlib.error) as error:
                    raise self.damaged(error) from None
                yield found

    def calls(self) -> Iterator[LoggedCall]:
        """Yield every row in order. Raises MisuseError: the file is damaged."""
        for row in self._rows("SELECT * FROM calls ORDER BY seq"):
            try:
                found = _call(row)
            except (TypeError, ValueError):
                raise self.damaged(f"call {row[0]} is not as it was written") from None
            yield found

    def damaged(self, what: object) -> MisuseError:
        """Return the error that says what is wrong with the file."""
        return _damaged(self.path, what)

    def _rows(self, query: str, *parameters: object) -> Iterator[Any]:
        try:
            yield from self.database.execute(query, parameters)
        except sqlite3.Error as error:
            raise _damaged(self.path, error) from None

    def close(self) -> None:
        """Write SQLite's own log back and close the file."""
        with suppress(sqlite3.Error):
            self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.database.close()

    def look(self) -> None:
        """Look whether the file is still at its place: what is written to one that was deleted is lost."""
        self.is_there = self._stamps == [_identity(one) for one in self._files]

    def _write(self, *statements: Statement) -> None:
        if not self.is_there:
            raise NotStoredError(
                HTTPStatus.SERVICE_UNAVAILABLE, f"The store {self.path.name} was moved or deleted; put it back."
            )
        try:
            if len(statements) == 1:
                self.database.execute(*statements[0])
                return
            self.database.execute("BEGIN IMMEDIATE")
            for statement in statements:
                self.database.execute(*statement)
            self.database.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
            raise _not_stored(self.path, error) from None


def _call(row: tuple[Any, ...]) -> LoggedCall:
    """Return the call of a row. Raises TypeError or ValueError: it is not as it was written."""
    seq, sandbox, real, kind, head, body, digest = row
    if kind not in KINDS or digest != _digest(_text(sandbox), _text(head), body):
        raise ValueError(kind)
    return LoggedCall(seq, _text(sandbox), _instant(real), kind, _text(head), body)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is no text")
    return value


def _instant(value: object) -> datetime:
    """Return an instant that a clock may have. Raises TypeError or ValueError."""
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None or at.year not in YEARS:
        raise ValueError(f"{at} is no time of a call")
    return at


def _connect(path: Path, sync: Sync) -> sqlite3.Connection:
    """Return a connection that holds the file alone and has written to it, so that it can."""
    is_new = not path.exists()
    if is_new:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise MisuseError(f"{path} is the SQLite file of another program.", cure="Name another file with --store.")
    if version > FORMAT:
        cure = "Use that version, or name another file with --store."
        raise MisuseError(f"{path} was written by a newer version of Bulkproof (format {version}).", cure=cure)
    _make_private(path)
    database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {sync.upper()}")
    database.execute(f"PRAGMA wal_autocheckpoint = {WAL_BYTES // PAGE_BYTES}")
    database.execute("BEGIN IMMEDIATE")
    for statement in () if tables else TABLES:
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {FORMAT}")
    database.execute(*OPENED)
    database.execute("COMMIT")
    return database


def _make_private(path: Path) -> None:
    """Let nobody but its owner read a file that somebody made or copied, and SQLite's log beside it."""
    for one in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):  # there is none, or it is not ours to change
            if one.stat().st_mode & 0o077:
                one.chmod(0o600)


def _require_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise MisuseError(f"the folder {path.parent} of the store does not exist.", cure="Make it, or check --store.")
    if path.exists() and not path.is_file():
        raise MisuseError(f"{path} is no file.", cure="Name a file with --store.")


def _identity(path: Path) -> tuple[int, int]:
    """Return what a file is on its disk, whatever its name: it changes when another one takes its place."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return stat.st_dev, stat.st_ino


def _deletion(row: int) -> Statement:
    return "DELETE FROM calls WHERE seq = ?", (row,)


def _digest(sandbox: str, head: str, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(f"{sandbox}\n{head}".encode()))


def _cannot_open(path: Path, error: sqlite3.Error | OSError) -> MisuseError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CANTOPEN) & 0xFF
    if code == sqlite3.SQLITE_BUSY:
        return MisuseError(f"{path} is in use by another server.", cure="Stop that one, or name another file.")
    if code == sqlite3.SQLITE_NOTADB:
        return MisuseError(f"{path} is no SQLite file.", cure="Name another file with --store.")
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR}:
        return _damaged(path, error)
    return MisuseError(f"{path} cannot be written: {error}.", cure="Check its permissions and its disk.")


def _damaged(path: Path, error: object) -> MisuseError:
    cure = f"Put a copy of it back, or move it away with {path.name}-wal to begin anew."
    return MisuseError(f"{path} is damaged: {error}.", cure=cure)


def _not_stored(path: Path, error: sqlite3.Error) -> NotStoredError:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        detail = f"The disk of the store {path.name} is full, and nothing was done; make room and send this again."
        return NotStoredError(HTTPStatus.INSUFFICIENT_STORAGE, detail)
    detail = f"The store {path.name} cannot be written ({error}), and nothing was done; send this again later."
    return NotStoredError(HTTPStatus.SERVICE_UNAVAILABLE, detail)

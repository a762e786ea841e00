"""The ledger: a chain of entries in SQLite that shows when its past was changed.

Each entry's hash covers the hash before it, so an edit, a reordering or a cut changes the head. Whoever
holds an older head can tell; whoever holds none cannot, since a chain can be written anew: export heads to
another place. The triggers stop accidents, not attackers.

References:
    The leaf prefix 0x00 is that of RFC 6962, section 2.1.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from labfactory.base.canonical import canonical_json, parse_json
from labfactory.base.errors import GovernanceError, HandoffError, RunError
from labfactory.base.instants import instant_text
from labfactory.governance.lifecycle import State, check_transition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

__all__ = ["Entry", "Head", "Ledger", "Transaction"]

_GENESIS = "0" * 64
_BUSY_TIMEOUT_S = 10.0
_PAUSE_S = 0.01

# Triggers fire before a conflict is resolved, so the guard on insert also stops INSERT OR REPLACE.
_SCHEMA = {
    "log": """CREATE TABLE log (
  seq INTEGER PRIMARY KEY, ts TEXT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
  prev TEXT NOT NULL, hash TEXT NOT NULL) STRICT""",
    "state": """CREATE TABLE state (
  subject TEXT PRIMARY KEY, state TEXT NOT NULL, seq INTEGER NOT NULL) STRICT""",
    "log_appends": """CREATE TRIGGER log_appends BEFORE INSERT ON log
  WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM log)
    OR NEW.prev IS NOT coalesce((SELECT hash FROM log ORDER BY seq DESC LIMIT 1), printf('%064d', 0))
  BEGIN SELECT RAISE(ABORT, 'the ledger only grows at its end'); END""",
    "log_keeps": """CREATE TRIGGER log_keeps BEFORE UPDATE ON log
  BEGIN SELECT RAISE(ABORT, 'an entry of the ledger is final'); END""",
    "log_forgets_nothing": """CREATE TRIGGER log_forgets_nothing BEFORE DELETE ON log
  BEGIN SELECT RAISE(ABORT, 'an entry of the ledger is final'); END""",
}


class Head(NamedTuple):
    """The end of a chain at some moment: keep it elsewhere, and `verify` can prove what came after.

    Attributes:
        seq: Number of the last entry, from 1; 0 for an empty ledger.
        hash: Its hash in hexadecimal.
    """

    seq: int
    hash: str


@dataclass(frozen=True)
class Entry:
    """One entry of the chain.

    Attributes:
        seq: Its number, from 1.
        ts: The moment that the writer gave, RFC 3339 in UTC.
        actor: Who did it.
        kind: What happened, such as `state`.
        body: Particulars.
        hash: The hash of this entry and, through the one before it, of all before.
    """

    seq: int
    ts: str
    actor: str
    kind: str
    body: Mapping[str, Any]
    hash: str


class Transaction:
    """What may be done to a ledger in one transaction; all of it is kept, or none."""

    def __init__(self, connection: sqlite3.Connection, now: datetime) -> None:
        self._connection = connection
        self._ts = instant_text(now)

    def states(self) -> dict[str, State]:
        """The state of every subject."""
        rows = self._connection.execute("SELECT subject, state FROM state ORDER BY subject")
        return {subject: State(state) for subject, state in rows}

    def append(self, *, actor: str, kind: str, body: Mapping[str, Any]) -> Entry:
        """Add an entry at the end."""
        last = self._connection.execute("SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1").fetchone()
        seq, prev = (last[0] + 1, last[1]) if last else (1, _GENESIS)
        text = canonical_json(body).decode("utf-8")
        digest = _hash(prev, seq, self._ts, actor, kind, text)
        self._connection.execute(
            "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)", (seq, self._ts, actor, kind, text, prev, digest)
        )
        return Entry(seq, self._ts, actor, kind, parse_json(text.encode("utf-8")), digest)

    def move(self, subject: str, state: State, *, actor: str, body: Mapping[str, Any]) -> Entry:
        """Give a subject its next state, and enter it.

        Raises:
            GovernanceError: `transition_refused`.
        """
        before = self.states().get(subject)
        check_transition(subject, before, state)
        step = {**body, "subject": subject, "from": before, "to": state}
        entry = self.append(actor=actor, kind="state", body=step)
        self._connection.execute(
            "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT (subject) DO UPDATE SET state = excluded.state, "
            "seq = excluded.seq",
            (subject, state, entry.seq),
        )
        return entry


class Ledger:
    """A ledger in one SQLite file; created when absent.

    Any number of processes may append; a write waits for its turn and is on disk when the call returns.

    Args:
        path: The file.

    Raises:
        RunError: `ledger_unusable` when the file cannot be opened, or is no ledger.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with self._connected() as connection:
            _write_ahead(connection)
            connection.execute("BEGIN IMMEDIATE")
            if not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
                for statement in _SCHEMA.values():
                    connection.execute(statement)
            connection.execute("COMMIT")
            self._check_schema(connection)

    @contextmanager
    def transaction(self, *, now: datetime) -> Iterator[Transaction]:
        """Begin a transaction; it is committed at the end of the block, or rolled back by an exception."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(connection, now)
            except BaseException:
                if connection.in_transaction:  # SQLite ends it by itself when the disk is full
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def append(self, *, now: datetime, actor: str, kind: str, body: Mapping[str, Any]) -> Entry:
        """Add an entry.

        Args:
            now: The moment, aware.
            actor: Who did it.
            kind: What happened.
            body: Particulars that canonical JSON can hold; no personal data.
        """
        with self.transaction(now=now) as transaction:
            return transaction.append(actor=actor, kind=kind, body=body)

    def move(
        self,
        subject: str,
        state: State | str,
        *,
        now: datetime,
        actor: str,
        body: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Give a subject its next state and enter it, both or neither.

        Raises:
            GovernanceError: `transition_refused`.
        """
        with self.transaction(now=now) as transaction:
            return transaction.move(subject, State(state), actor=actor, body=body or {})

    def states(self) -> dict[str, State]:
        """The state of every subject."""
        with self._connected() as connection:
            rows = connection.execute("SELECT subject, state FROM state ORDER BY subject")
            return {subject: State(state) for subject, state in rows}

    def entries(self, kind: str | None = None) -> list[Entry]:
        """The entries in order, of one kind or all."""
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT seq, ts, actor, kind, body, hash FROM log WHERE ?1 IS NULL OR kind = ?1 ORDER BY seq",
                (kind,),
            ).fetchall()
        return [
            Entry(seq, ts, actor, kind, parse_json(body.encode("utf-8")), digest)
            for seq, ts, actor, kind, body, digest in rows
        ]

    def head(self) -> Head:
        """The end of the chain now."""
        with self._connected() as connection:
            row = connection.execute("SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1").fetchone()
        return Head(*row) if row else Head(0, _GENESIS)

    def verify(self, expected_head: Head | None = None) -> Head:
        """Walk the whole chain and hold it against itself and against a head kept elsewhere.

        Args:
            expected_head: A head that this ledger once had.

        Returns:
            The head now.

        Raises:
            GovernanceError: `ledger_altered` says at which entry.
        """
        with self._connected() as connection:
            self._check_schema(connection)
            rows = connection.execute(
                "SELECT seq, ts, actor, kind, body, prev, hash FROM log ORDER BY seq"
            ).fetchall()
            stored = set(connection.execute("SELECT subject, state, seq FROM state").fetchall())
        head = Head(0, _GENESIS)
        states: dict[str, tuple[str, int]] = {}
        is_known = expected_head is None or expected_head == head
        for seq, ts, actor, kind, body, prev, digest in rows:
            if seq != head.seq + 1 or prev != head.hash or digest != _hash(prev, seq, ts, actor, kind, body):
                _refuse(f"the hash of entry {seq} does not follow from entry {head.seq}")
            head = Head(seq, digest)
            is_known = is_known or head == expected_head
            if kind == "state":
                _replay(states, seq, body)
        if {(subject, *reached) for subject, reached in states.items()} != stored:
            _refuse("the states are not those that the entries lead to")
        if not is_known and expected_head:
            _refuse(f"the head {expected_head.hash[:16]} of {expected_head.seq} entries is not in its past")
        return head

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        # A connection for each use: none is carried across a fork or into another thread.
        try:
            with closing(
                sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            ) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA recursive_triggers = ON")
                connection.execute("PRAGMA trusted_schema = OFF")
                yield connection
        except sqlite3.Error as error:
            message = f"expected a usable ledger at {self.path}, found: {error}"
            raise RunError(message, code="ledger_unusable") from None

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
        if dict(rows.fetchall()) != _SCHEMA:
            _refuse("its tables and triggers are not those of a ledger")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Sets the journal mode, for which SQLite does not wait itself while another process opens the file."""
    end = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _replay(states: dict[str, tuple[str, int]], seq: int, body: str) -> None:
    try:
        step = parse_json(body.encode("utf-8"))
        subject, stated, after = step["subject"], step["from"], State(step["to"])
        before = states[subject][0] if subject in states else None
        if before != stated:
            _refuse(f"entry {seq} moves {subject} from {stated}, but it was {before}")
        check_transition(subject, State(before) if before else None, after)
    except (GovernanceError, HandoffError, KeyError, TypeError, ValueError) as error:
        _refuse(f"entry {seq} is no step that can be taken: {error}")
    states[subject] = (after.value, seq)


def _hash(prev: str, seq: int, *fields: str) -> str:
    """SHA-256 over 0x00, the hash before, the number and each field after its length in bytes."""
    digest = hashlib.sha256(b"\x00" + bytes.fromhex(prev) + seq.to_bytes(8, "big"))
    for field in fields:
        data = field.encode("utf-8")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def _refuse(fault: str) -> NoReturn:
    message = f"the ledger was altered: {fault}"
    raise GovernanceError(message, code="ledger_altered") from None

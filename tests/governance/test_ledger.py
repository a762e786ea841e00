"""The ledger grows at its end, and shows when its past was changed."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from labfactory.base.errors import GovernanceError, RunError
from labfactory.governance import TRANSITIONS, Head, Ledger, State
from labfactory.governance.lifecycle import check_transition

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.sqlite")
    made.move("welcome@1", "ingested", now=NOW, actor="factory", body={"root": "ab"})
    made.append(now=NOW, actor="ana", kind="note", body={"text": "Grüße", "n": 1})
    made.move("welcome@1", State.ACTIVE, now=NOW, actor="ana", body={"reason": "canary was fine"})
    return made


def altered(ledger: Ledger, *statements: str) -> str:
    """What `verify` says after someone opened the file and dropped the triggers."""
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
        saved = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in saved:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in saved:
            connection.execute(sql)
    with pytest.raises(GovernanceError) as raised:
        ledger.verify()
    assert raised.value.code == "ledger_altered"
    return raised.value.message


def test_a_ledger_keeps_entries_states_and_a_chain(ledger: Ledger) -> None:
    assert [entry.kind for entry in ledger.entries()] == ["state", "note", "state"]
    assert ledger.entries("note")[0].body == {"n": 1, "text": "Grüße"}
    assert ledger.states() == {"welcome@1": State.ACTIVE}
    assert ledger.verify() == ledger.head() == Head(3, ledger.entries()[-1].hash)
    assert ledger.verify(Head(0, "0" * 64)).seq == 3


def test_the_first_hash_is_that_of_the_formula(tmp_path: Path) -> None:
    """The chain can be checked without this program: 0x00, the hash before, the number, framed fields."""
    entry = Ledger(tmp_path / "l").append(now=NOW, actor="a", kind="k", body={})
    data = b"\0" + bytes(32) + (1).to_bytes(8, "big")
    for field in (b"2026-05-01T00:00:00Z", b"a", b"k", b"{}"):
        data += len(field).to_bytes(8, "big") + field
    assert entry.hash == hashlib.sha256(data).hexdigest()


def test_a_refused_step_leaves_no_entry_and_no_state(ledger: Ledger) -> None:
    before = ledger.head()
    with pytest.raises(GovernanceError) as raised:
        ledger.move("welcome@1", State.DRAFT, now=NOW, actor="ana")
    assert raised.value.code == "transition_refused"
    assert ledger.head() == before
    assert ledger.states() == {"welcome@1": State.ACTIVE}


def test_a_transaction_that_fails_keeps_nothing_of_it(ledger: Ledger) -> None:
    before = ledger.head()

    def fail_halfway() -> None:
        with ledger.transaction(now=NOW) as transaction:
            transaction.append(actor="ana", kind="note", body={})
            transaction.move("welcome@1", State.WATCH, actor="ana", body={})
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail_halfway()
    assert ledger.head() == before
    assert ledger.states() == {"welcome@1": State.ACTIVE}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET actor = 'eve' WHERE seq = 1",
        "DELETE FROM log WHERE seq = 3",
        "INSERT OR REPLACE INTO log SELECT seq, ts, 'eve', kind, body, prev, hash FROM log WHERE seq = 1",
        "REPLACE INTO log SELECT seq, ts, 'eve', kind, body, prev, hash FROM log WHERE seq = 3",
        "INSERT OR IGNORE INTO log VALUES (9, '', '', '', '', '', '')",
        "INSERT INTO log VALUES (4, '', '', '', '', 'not the head', '')",
        "INSERT INTO log VALUES (0, '', '', '', '', '', '')",
        "UPDATE OR REPLACE log SET seq = 2 WHERE seq = 3",
    ],
)
def test_accidents_are_stopped_by_the_triggers(statement: str, ledger: Ledger) -> None:
    with closing(sqlite3.connect(ledger.path)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    ledger.verify()


@pytest.mark.parametrize("column", ["ts", "actor", "kind", "body", "prev", "hash"])
@pytest.mark.parametrize("seq", [1, 2, 3])
def test_an_edit_of_any_field_shows(column: str, seq: int, ledger: Ledger) -> None:
    altered(ledger, f"UPDATE log SET {column} = {column} || ' ' WHERE seq = {seq}")


def test_a_missing_moved_or_swapped_entry_shows(ledger: Ledger, tmp_path: Path) -> None:
    assert "entry 3" in altered(ledger, "DELETE FROM log WHERE seq = 2")


def test_a_swap_shows(ledger: Ledger) -> None:
    altered(
        ledger,
        "UPDATE log SET seq = 9 WHERE seq = 1",
        "UPDATE log SET seq = 1 WHERE seq = 2",
        "UPDATE log SET seq = 2 WHERE seq = 9",
    )


def test_a_state_that_no_entry_leads_to_shows(ledger: Ledger) -> None:
    assert "states" in altered(ledger, "UPDATE state SET state = 'retired'")
    assert "states" in altered(ledger, "UPDATE state SET state = 'active', seq = 2")


def test_a_dropped_trigger_shows(ledger: Ledger) -> None:
    with closing(sqlite3.connect(ledger.path)) as connection:
        connection.execute("DROP TRIGGER log_keeps")
    with pytest.raises(GovernanceError) as raised:
        Ledger(ledger.path)
    assert raised.value.code == "ledger_altered"


def test_a_cut_shows_to_whoever_holds_an_older_head(ledger: Ledger) -> None:
    held = ledger.head()
    triggers = ("log_appends", "log_keeps", "log_forgets_nothing")
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
        saved = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM log WHERE seq = 3")
        connection.execute("UPDATE state SET state = 'ingested', seq = 1")
        for (sql,) in saved:
            connection.execute(sql)
    ledger.verify()  # nothing in the file itself can show it
    with pytest.raises(GovernanceError) as raised:
        ledger.verify(held)
    assert raised.value.code == "ledger_altered"


def test_a_fork_shows_to_whoever_holds_the_other_branch(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path / "one"), Ledger(tmp_path / "other")
    for ledger, actor in ((one, "ana"), (other, "eve")):
        ledger.append(now=NOW, actor="ana", kind="note", body={})
        ledger.append(now=NOW, actor=actor, kind="note", body={})
    one.verify(Head(1, other.entries()[0].hash))
    with pytest.raises(GovernanceError):
        one.verify(other.head())


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(RunError) as raised:
        Ledger(tmp_path / "text")
    assert raised.value.code == "ledger_unusable"
    with pytest.raises(RunError) as raised:
        Ledger(tmp_path / "absent" / "ledger")
    assert raised.value.code == "ledger_unusable"


APPEND_TWENTY = """
import sys
from datetime import UTC, datetime
from labfactory.governance import Ledger
now = datetime(2026, 5, 1, tzinfo=UTC)
for number in range(20):
    Ledger(sys.argv[1]).append(now=now, actor="ana", kind="note", body={"number": number})
"""


def test_processes_append_in_turn(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", APPEND_TWENTY, path]
    workers = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert Ledger(path).verify().seq == 40


def test_many_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    def opened(path: Path, together: threading.Barrier) -> int:
        together.wait()
        return Ledger(path).head().seq

    with ThreadPoolExecutor(6) as pool:
        for number in range(40):
            together = threading.Barrier(6)
            waiting = [pool.submit(opened, tmp_path / f"ledger {number}", together) for _ in range(6)]
            assert [each.result() for each in waiting] == [0] * 6


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_steps_are_those_of_the_table(before: State, after: State, tmp_path: Path) -> None:
    if after in TRANSITIONS[before]:
        check_transition("x", before, after)
        return
    with pytest.raises(GovernanceError) as raised:
        check_transition("x", before, after)
    assert raised.value.code == "transition_refused"


def test_every_state_can_be_left_but_the_last_and_nothing_returns_from_it() -> None:
    assert [state for state, ways in TRANSITIONS.items() if not ways] == [State.RETIRED]
    assert all(State.RETIRED in ways for state, ways in TRANSITIONS.items() if state is not State.RETIRED)

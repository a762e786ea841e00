"""The index of an insight store, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from labfactory.base.errors import SourceError
from labfactory.base.instants import instant, instant_text
from labfactory.lab.insights.kpis import Finished

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labfactory.lab.insights.insight import FeatureValue, Insight

# The layout below; another number is a store of another version of labfactory.
_VERSION = 1
# "LABI": what SQLite keeps in the file's header to tell our indexes from other databases.
_APPLICATION = 0x4C414249
# How long a writer waits for others.
_PATIENCE_S = 60.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SCHEMA = """
CREATE TABLE insights (
    experiment TEXT PRIMARY KEY, digest TEXT NOT NULL, table_digest TEXT NOT NULL, hypothesis TEXT NOT NULL,
    preregistration TEXT NOT NULL, control TEXT NOT NULL, alpha REAL NOT NULL, started TEXT,
    finished TEXT NOT NULL, finished_us INTEGER NOT NULL, outcome TEXT NOT NULL, winner TEXT,
    units INTEGER NOT NULL, tags TEXT NOT NULL, features TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE tags (
    experiment TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (tag, experiment)
) WITHOUT ROWID;
CREATE TABLE features (
    experiment TEXT NOT NULL, variant TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (name, value, experiment, variant)
) WITHOUT ROWID;
CREATE TABLE flags (
    experiment TEXT NOT NULL, code TEXT NOT NULL, metric TEXT, variant TEXT, count INTEGER
);
CREATE INDEX flags_by_code ON flags (code, experiment);
CREATE INDEX insights_by_end ON insights (finished_us, experiment);
"""


class Index:
    """An open index; to be closed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @staticmethod
    def open(folder: Path, *, is_new: bool = False) -> Index:
        """Open the index of a store.

        Args:
            folder: The store.
            is_new: Whether to make the index when there is none.

        Returns:
            The index.

        Raises:
            SourceError: `insight_store`, when there is none or it is no index; `insight_version`.
        """
        path = folder / "index.sqlite"
        if not is_new and not path.exists():
            message = f"expected an insight store, found no index in {folder.name!r}"
            raise SourceError(message, code="insight_store", template=str(folder))
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
            connection.row_factory = sqlite3.Row
            if is_new:
                _make(connection)
            _check_version(connection, folder)
        except sqlite3.DatabaseError as problem:
            if connection is not None:
                connection.close()
            message = f"cannot use the index of {folder.name!r}: {problem}"
            raise SourceError(message, code="insight_store", template=str(path)) from problem
        except SourceError:
            if connection is not None:
                connection.close()
            raise
        return Index(connection)

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def write(self, insight: Insight, *, table_digest: str, replace: bool) -> str | None:
        """Write all of an entry in one transaction.

        Args:
            insight: The entry.
            table_digest: SHA-256 of its table.
            replace: Whether another entry of the experiment gives way.

        Returns:
            None when it is there; else when the other entry ended, which stays.
        """
        connection = self._connection
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            known = connection.execute(
                "SELECT digest, finished FROM insights WHERE experiment = ?", [insight.experiment]
            ).fetchone()
            if known is not None and known["digest"] != insight.digest and not replace:
                connection.execute("ROLLBACK")
                return str(known["finished"])
            for table in ("insights", "tags", "features", "flags"):
                connection.execute(f"DELETE FROM {table} WHERE experiment = ?", [insight.experiment])  # noqa: S608
            self._insert(insight, table_digest)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return None

    def find(
        self,
        *,
        tag: str | None,
        features: Mapping[str, FeatureValue],
        outcome: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> list[dict[str, Any]]:
        """The entries that fit, by their end, then by name."""
        tests: list[str] = []
        values: list[Any] = []
        if tag is not None:
            tests.append("experiment IN (SELECT experiment FROM tags WHERE tag = ?)")
            values.append(tag)
        if features:
            # All of them on one variant.
            each = " INTERSECT ".join(
                "SELECT experiment, variant FROM features WHERE name = ? AND value = ?" for _ in features
            )
            tests.append(f"experiment IN (SELECT experiment FROM ({each}))")  # noqa: S608 - no text of ours alone
            values += [part for name, value in features.items() for part in (name, feature_text(value))]
        for test, value in (
            ("outcome = ?", outcome),
            ("finished_us >= ?", None if since is None else _microseconds(since)),
            ("finished_us < ?", None if until is None else _microseconds(until)),
        ):
            if value is not None:
                tests.append(test)
                values.append(value)
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        found = self._connection.execute(
            f"SELECT * FROM insights{where} ORDER BY finished_us, experiment",  # noqa: S608 - values are bound
            values,
        )
        return [dict(row) for row in found]

    def finished(self) -> list[Finished]:
        """What the Lab's figures need to know of every entry."""
        found = self._connection.execute("SELECT finished, started, outcome, winner FROM insights")
        return [
            Finished(
                instant(row["finished"]),
                None if row["started"] is None else instant(row["started"]),
                row["outcome"],
                row["winner"] is not None,
            )
            for row in found
        ]

    def _insert(self, insight: Insight, table_digest: str) -> None:
        evaluation, name = insight.evaluation, insight.experiment
        features = {variant: dict(values) for variant, values in insight.features}
        self._insert_rows(
            "insights",
            [
                (
                    name,
                    insight.digest,
                    table_digest,
                    evaluation.hypothesis,
                    evaluation.preregistration,
                    evaluation.control,
                    evaluation.alpha,
                    None if insight.started is None else instant_text(insight.started),
                    instant_text(insight.finished),
                    _microseconds(insight.finished),
                    insight.outcome,
                    insight.winners[0] if insight.winners else None,
                    sum(evaluation.units.values()),
                    json.dumps(insight.tags, ensure_ascii=False),
                    json.dumps(features, ensure_ascii=False),
                )
            ],
        )
        self._insert_rows("tags", [(name, tag) for tag in insight.tags])
        self._insert_rows(
            "features",
            [
                (name, variant, feature, feature_text(value))
                for variant, values in features.items()
                for feature, value in values.items()
            ],
        )
        self._insert_rows(
            "flags", [(name, flag.code, flag.metric, flag.variant, flag.count) for flag in evaluation.flags]
        )

    def _insert_rows(self, table: str, rows: list[tuple[object, ...]]) -> None:
        if rows:
            places = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608


def feature_text(value: FeatureValue) -> str:
    """The one text of a feature's value: 3 and 3.0 are the same, True is another."""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables, unless another process was first."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if is_empty:
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check_version(connection: sqlite3.Connection, folder: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        message = f"expected an insight store, found another database in {folder.name!r}"
        raise SourceError(message, code="insight_store", template=str(folder))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != _VERSION:
        message = (
            f"expected an insight store of version {_VERSION}, found version {version} in {folder.name!r}"
        )
        hint = "use the version of labfactory that wrote it" if version > _VERSION else None
        raise SourceError(message, code="insight_version", template=str(folder), hint=hint)

"""The insight store: an index in SQLite, and the comparisons of every experiment in a Parquet file."""

from __future__ import annotations

import io
import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from labfactory.base.canonical import sha256_hex
from labfactory.base.errors import SourceError, UsageError, nearest
from labfactory.base.instants import instant
from labfactory.base.storage import write_atomically
from labfactory.lab.evaluation import Evaluation
from labfactory.lab.insights.effects import pool_frame
from labfactory.lab.insights.index import Index, feature_text
from labfactory.lab.insights.insight import Insight
from labfactory.lab.insights.kpis import LabKpis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from labfactory.lab.insights.effects import Scale
    from labfactory.lab.insights.insight import FeatureValue, Outcome
    from labfactory.lab.insights.meta_analysis import Heterogeneity, IntervalKind, PooledEffect

_EVALUATION = b"labfactory:evaluation"


class InsightStore:
    """A folder with one entry for each finished experiment, won or lost.

    `index.sqlite` holds what entries are found by; `tables/<digest>.parquet` the comparisons of an
    experiment, with its whole evaluation. A table is written before the index names it, and one transaction
    writes all of an entry to the index: what is interrupted leaves no entry, and adding it again completes
    it. Several processes may add at once; each waits for the others.

    Args:
        folder: Where it lies; it is made when the first entry is added.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import polars as pl
        >>> from labfactory.lab import Experiment, Hypothesis, Mean
        >>> experiment = Experiment(
        ...     "tone",
        ...     hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
        ...     variants=["plain", "warm"],
        ...     metrics={"orders": Mean("orders")},
        ... )
        >>> responses = pl.DataFrame({"variant": ["plain", "warm"] * 40, "orders": [1, 2, 3, 4] * 20})
        >>> with TemporaryDirectory() as folder:
        ...     store = InsightStore(folder)
        ...     entry = store.add(
        ...         experiment.evaluate(responses, control="plain"),
        ...         finished="2026-05-01T12:00:00Z",
        ...         tags=["welcome"],
        ...         features={"warm": {"tone": "warm"}},
        ...     )
        ...     store.insights(tag="welcome", features={"tone": "warm"})
        [Insight('tone', confirmed, won by warm, 2026-05-01T12:00:00Z)]
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def __repr__(self) -> str:
        return f"InsightStore({str(self.folder)!r})"

    def add(
        self,
        evaluation: Evaluation,
        *,
        finished: datetime | str,
        started: datetime | str | None = None,
        tags: Iterable[str] = (),
        features: Mapping[str, Mapping[str, FeatureValue]] | None = None,
        replace: bool = False,
    ) -> Insight:
        """Add the entry of a finished experiment.

        Args:
            evaluation: What the experiment showed.
            finished: When it ended; an aware datetime or its text.
            started: When it began, if that is known.
            tags: Words to find it by.
            features: By variant what was in it: texts, numbers or booleans by name.
            replace: Whether another entry of the same experiment gives way.

        Returns:
            The entry. One that is there already, equal in all it says, stays as it is.

        Raises:
            UsageError: `insight_exists`, when the experiment has another entry; `instant` or `insights`.
            SourceError: `insight_store` or `insight_version`, when the store cannot be used.
        """
        insight = Insight.of(evaluation, finished=finished, started=started, tags=tags, features=features)
        table = _table(insight)
        self.folder.joinpath("tables").mkdir(parents=True, exist_ok=True)
        write_atomically(self._table_path(insight.digest), table)
        with closing(Index.open(self.folder, is_new=True)) as index:
            known = index.write(insight, table_digest=sha256_hex(table), replace=replace)
        if known is not None:
            message = f"expected one entry for {insight.experiment!r}, found another in {self.folder.name!r}"
            hint = f"that one ended {known}; replace=True lets it give way"
            raise UsageError(message, code="insight_exists", hint=hint)
        return insight

    def insights(
        self,
        *,
        tag: str | None = None,
        features: Mapping[str, FeatureValue] | None = None,
        outcome: Outcome | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> list[Insight]:
        """The entries that fit, those that ended first before the others.

        Args:
            tag: A word that they carry.
            features: What one of their variants must have, all of it.
            outcome: What became of the hypothesis.
            since: They ended then or later.
            until: They ended before.

        Returns:
            The entries.

        Raises:
            SourceError: `insight_store`, `insight_version`, or `insight_damaged` for a table that is not the
                one that was written.
        """
        return [self._insight(row) for row in self._find(tag, features, outcome, since, until)]

    def get(self, experiment: str) -> Insight:
        """The entry of an experiment.

        Raises:
            UsageError: `insights`, when there is none.
            SourceError: As `insights` does.
        """
        rows = self._find()
        for row in rows:
            if row["experiment"] == experiment:
                return self._insight(row)
        message = f"expected an experiment with an entry, found {experiment!r}"
        raise UsageError(
            message, code="insights", hint=nearest(experiment, [row["experiment"] for row in rows])
        )

    def to_frame(self) -> pl.DataFrame:
        """All entries, one row each: what the index knows of them.

        Raises:
            SourceError: `insight_store` or `insight_version`.
        """
        rows = self._find()
        schema: dict[str, pl.DataType] = dict.fromkeys(_SHOWN, pl.String())
        schema |= {"tags": pl.List(pl.String), "units": pl.Int64()}
        made = [{name: row[name] for name in _SHOWN} | {"tags": json.loads(row["tags"])} for row in rows]
        return pl.DataFrame(made, schema=schema)

    def effects(
        self,
        *,
        metric: str | None = None,
        tag: str | None = None,
        features: Mapping[str, FeatureValue] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        include_invalid: bool = False,
    ) -> pl.DataFrame:
        """Every comparison of the entries that fit.

        Args:
            metric: Name of the metric; all when None.
            tag: A word that the experiments carry.
            features: What the treatment must have, all of it.
            since: Experiments ended then or later.
            until: Experiments ended before.
            include_invalid: Whether to take experiments whose differences are not to be believed too.

        Returns:
            The columns of `Comparison` after `experiment`, `finished`, `outcome` and `alpha`.

        Raises:
            SourceError: As `insights` does.
        """
        found = [
            self._comparisons(row, features)
            for row in self._find(tag, features, None, since, until)
            if include_invalid or row["outcome"] != "invalid"
        ]
        if not found:
            return pl.DataFrame()
        frame = pl.concat(found, how="diagonal_relaxed")
        return frame if metric is None else frame.filter(pl.col("metric") == metric)

    def pool(
        self,
        metric: str,
        *,
        scale: Scale = "lift",
        tag: str | None = None,
        features: Mapping[str, FeatureValue] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        heterogeneity: Heterogeneity = "paule_mandel",
        interval: IntervalKind = "hartung_knapp",
        alpha: float = 0.05,
    ) -> PooledEffect:
        """The effect of treatments over experiments, by random-effects meta-analysis.

        Experiments whose differences are not to be believed are left out; treatments of one experiment count
        once.

        Args:
            metric: Name of the metric.
            scale: `lift` relative to the control, or `difference` in the metric's unit.
            tag: A word that the experiments carry.
            features: What the treatments must have, all of it.
            since: Experiments ended then or later.
            until: Experiments ended before.
            heterogeneity: Estimator of the variance between experiments.
            interval: Kind of interval.
            alpha: Error level.

        Returns:
            The pooled effect.

        Raises:
            StatisticsError: `no_effects`, when no experiment that fits has an interval.
            SourceError: As `insights` does.
            UsageError: As `pool_effects` does.
        """
        found = self.effects(metric=metric, tag=tag, features=features, since=since, until=until)
        return pool_frame(found, scale=scale, heterogeneity=heterogeneity, interval=interval, alpha=alpha)

    def kpis(self, *, since: datetime | str | None = None, until: datetime | str | None = None) -> LabKpis:
        """How fast and how well the Lab learns.

        Args:
            since: Begin of the period; the Monday before the first end when None.
            until: End of the period, not inside; the Monday after the last end when None.

        Returns:
            The figures.

        Raises:
            SourceError: `insight_store` or `insight_version`.
        """
        with closing(Index.open(self.folder)) as index:
            finished = index.finished()
        return LabKpis.of(finished, since=_moment(since, "since"), until=_moment(until, "until"))

    def _find(
        self,
        tag: str | None = None,
        features: Mapping[str, FeatureValue] | None = None,
        outcome: Outcome | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> list[dict[str, Any]]:
        begin, end = _moment(since, "since"), _moment(until, "until")
        with closing(Index.open(self.folder)) as index:
            return index.find(tag=tag, features=features or {}, outcome=outcome, since=begin, until=end)

    def _table_path(self, digest: str) -> Path:
        return self.folder / "tables" / f"{digest}.parquet"

    def _read(self, row: Mapping[str, Any]) -> bytes:
        path = self._table_path(row["digest"])
        try:
            data = path.read_bytes()
        except OSError as problem:
            message = f"cannot read the table of {row['experiment']!r}: {problem.strerror}"
            raise SourceError(message, code="insight_damaged", template=str(path)) from problem
        if sha256_hex(data) != row["table_digest"]:
            message = f"expected the table of {row['experiment']!r} as it was written, found other bytes"
            raise SourceError(message, code="insight_damaged", template=str(path))
        return data

    def _insight(self, row: Mapping[str, Any]) -> Insight:
        metadata = pq.read_schema(pa.BufferReader(self._read(row))).metadata
        return Insight.of(
            Evaluation.from_json(metadata[_EVALUATION]),
            finished=row["finished"],
            started=row["started"],
            tags=json.loads(row["tags"]),
            features=json.loads(row["features"]),
        )

    def _comparisons(
        self, row: Mapping[str, Any], features: Mapping[str, FeatureValue] | None
    ) -> pl.DataFrame:
        frame = pl.read_parquet(io.BytesIO(self._read(row)))
        if features:
            wanted = {(name, feature_text(value)) for name, value in features.items()}
            fitting = [
                variant
                for variant, values in json.loads(row["features"]).items()
                if wanted <= {(name, feature_text(value)) for name, value in values.items()}
            ]
            frame = frame.filter(pl.col("variant").is_in(fitting))
        ahead = [pl.lit(row[name]).alias(name) for name in ("experiment", "finished", "outcome", "alpha")]
        return frame.select(*ahead, pl.all())


_SHOWN = ("experiment", "hypothesis", "outcome", "winner", "started", "finished", "tags", "units")


def _table(insight: Insight) -> bytes:
    """The comparisons as Parquet; the whole evaluation is in the file's metadata."""
    table = insight.evaluation.to_frame().to_arrow()
    table = table.replace_schema_metadata({_EVALUATION: insight.evaluation.to_json()})
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _moment(value: datetime | str | None, name: str) -> datetime | None:
    return None if value is None else instant(value, name)

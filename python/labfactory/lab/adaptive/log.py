"""The log of an adaptive experiment: what came of each batch, and the shares by which it was assigned."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from labfactory.base.canonical import canonical_json, parse_json
from labfactory.base.columns import float_values
from labfactory.base.errors import HandoffError, StatisticsError, UsageError, nearest
from labfactory.base.sources import batches as batches_of
from labfactory.lab.adaptive.inference import AdaptiveEstimate, estimate
from labfactory.lab.groups import texts
from labfactory.lab.reading import check_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


# Sums of squares of as many as there are fit a double.
_LARGEST = 1e145


@dataclass(frozen=True, slots=True)
class ArmMoments:
    """Outcomes of one arm in one batch, summed up.

    Args:
        count: Units.
        mean: Mean of their outcomes; 0 when there is none.
        squares: Sum of squared distances from the mean.
    """

    count: int
    mean: float
    squares: float

    def merged(self, other: ArmMoments) -> ArmMoments:
        """The moments of both together (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        if count == 0:
            return self
        delta = other.mean - self.mean
        mean = self.mean + delta * other.count / count
        squares = self.squares + other.squares + delta * delta * self.count * other.count / count
        return ArmMoments(count, mean, squares)


@dataclass(frozen=True, slots=True)
class AdaptiveBatch:
    """One batch of units, assigned at once.

    Args:
        propensities: Probability of each arm for every unit of the batch; they sum to 1.
        arms: What came of each arm.
    """

    propensities: tuple[float, ...]
    arms: tuple[ArmMoments, ...]

    @property
    def count(self) -> int:
        """Units of the batch."""
        return sum(arm.count for arm in self.arms)


@dataclass(frozen=True, slots=True)
class AdaptiveLog:
    """All batches of an adaptive experiment, in their order; a value, so `add` gives another log.

    Args:
        variants: Names of the arms.
        batches: The batches.

    Raises:
        UsageError: `adaptive`, for fewer than two arms, or arms of one name.

    Example:
        >>> import polars as pl
        >>> log = AdaptiveLog(("plain", "warm"))
        >>> responses = pl.DataFrame({"variant": ["plain", "warm"] * 50, "orders": [0, 1, 1, 1] * 25})
        >>> log = log.add(responses, outcome="orders", propensities={"plain": 0.5, "warm": 0.5})
        >>> log.totals()["warm"]
        ArmMoments(count=50, mean=1.0, squares=0.0)
    """

    variants: tuple[str, ...]
    batches: tuple[AdaptiveBatch, ...] = ()

    def __post_init__(self) -> None:
        if len(self.variants) < 2 or len(set(self.variants)) < len(self.variants):
            found = ", ".join(self.variants) or "none"
            message = f"expected two or more variants of different names, found {found}"
            raise UsageError(message, code="adaptive")

    def add(
        self, responses: Any, *, outcome: str, propensities: Mapping[str, float], variant: str = "variant"
    ) -> AdaptiveLog:
        """The log with one batch more.

        Args:
            responses: Anything Arrow with one row per unit of the batch.
            outcome: Column of outcomes, numbers or booleans, none null.
            propensities: The share with which each variant was assigned; a variant that is not named had 0.
            variant: Column with the name of each unit's variant.

        Returns:
            The longer log.

        Raises:
            UsageError: `weights` or `unknown_variant`, for propensities.
            StatisticsError: `unknown_variant`, `invalid_outcome`, `overflow`; `adaptive`, for units of a
                variant that had no probability.
            SourceError: When a column is missing or of the wrong type, or the source cannot be read.
        """
        shares = self._shares(propensities)
        table = pa.Table.from_batches(list(batches_of(responses, columns=[variant, outcome])))
        check_numbers(table.schema.field(outcome).type, outcome)
        frame = pl.DataFrame({"variant": texts(table[variant]), "outcome": float_values(table[outcome])})
        self._check(frame, shares, outcome)
        sums = frame.group_by("variant").agg(
            pl.len().alias("count"),
            pl.col("outcome").mean().alias("mean"),
            ((pl.col("outcome") - pl.col("outcome").mean()) ** 2).sum().alias("squares"),
        )
        found = {
            row["variant"]: ArmMoments(row["count"], row["mean"], row["squares"]) for row in sums.to_dicts()
        }
        arms = tuple(found.get(name, ArmMoments(0, 0.0, 0.0)) for name in self.variants)
        return AdaptiveLog(self.variants, (*self.batches, AdaptiveBatch(shares, arms)))

    def totals(self) -> dict[str, ArmMoments]:
        """Outcomes of each variant over all batches: what allocations go by. Their means are biased."""
        made: dict[str, ArmMoments] = {}
        for place, name in enumerate(self.variants):
            total = ArmMoments(0, 0.0, 0.0)
            for batch in self.batches:
                total = total.merged(batch.arms[place])
            made[name] = total
        return made

    def estimates(
        self, *, control: str | None = None, alpha: float = 0.05, horizon: int | None = None
    ) -> tuple[AdaptiveEstimate, ...]:
        """What the experiment showed, with intervals that are valid although shares followed the outcomes.

        Args:
            control: The variant that the others are compared with; None for the mean of every variant.
            alpha: Error level of each two-sided interval.
            horizon: Units at which a confidence sequence is to be narrowest: then the intervals hold after
                every batch at once, so that one may stop at any of them. None for intervals at one look, at
                an end that was fixed before.

        Returns:
            One estimate for each variant, without the control if there is one.

        Raises:
            UsageError: `alpha`; `unknown_variant`; `adaptive`, for a horizon below 1.
            StatisticsError: `no_units`, when no batch gave all of the compared variants a probability.

        References:
            See `labfactory.lab.adaptive.inference`.
        """
        if not 0 < alpha < 1:
            message = f"expected alpha above 0 and below 1, found {alpha}"
            raise UsageError(message, code="alpha")
        if horizon is not None and horizon < 1:
            message = f"expected a horizon of one unit or more, found {horizon}"
            raise UsageError(message, code="adaptive")
        if control is not None:
            self._place(control)
        treatments = [name for name in self.variants if name != control]
        return tuple(
            estimate(
                self.batches,
                self._place(name),
                None if control is None else self._place(control),
                name=name,
                alpha=alpha,
                horizon=horizon,
            )
            for name in treatments
        )

    def to_frame(self) -> pl.DataFrame:
        """A row for each batch and variant: propensity, units and mean."""
        rows = [
            {
                "batch": number,
                "variant": name,
                "propensity": batch.propensities[place],
                "units": batch.arms[place].count,
                "mean": batch.arms[place].mean if batch.arms[place].count else None,
            }
            for number, batch in enumerate(self.batches, 1)
            for place, name in enumerate(self.variants)
        ]
        schema = {
            "batch": pl.Int64,
            "variant": pl.String,
            "propensity": pl.Float64,
            "units": pl.Int64,
            "mean": pl.Float64,
        }
        return pl.DataFrame(rows, schema=schema)

    def to_json(self) -> bytes:
        """Canonical JSON: equal logs have equal bytes."""
        return canonical_json(asdict(self))

    @staticmethod
    def from_json(data: bytes) -> AdaptiveLog:
        """Read what `to_json` wrote.

        Raises:
            StatisticsError: `adaptive`, when it is no log.
        """
        try:
            value = parse_json(data)
            batches = tuple(
                AdaptiveBatch(
                    tuple(map(float, batch["propensities"])),
                    tuple(
                        ArmMoments(int(a["count"]), float(a["mean"]), float(a["squares"]))
                        for a in batch["arms"]
                    ),
                )
                for batch in value["batches"]
            )
            log = AdaptiveLog(tuple(value["variants"]), batches)
        except (HandoffError, UsageError, KeyError, TypeError, ValueError) as problem:
            message = f"expected the log of an adaptive experiment, found a fault: {problem}"
            raise StatisticsError(message, code="adaptive") from problem
        if log.to_json() != canonical_json(value):
            message = "expected what a log writes, found fields that it does not have"
            raise StatisticsError(message, code="adaptive")
        return log

    def _place(self, name: str) -> int:
        if name not in self.variants:
            message = f"expected a variant of {', '.join(self.variants)}, found {name!r}"
            raise UsageError(message, code="unknown_variant", hint=nearest(name, self.variants))
        return self.variants.index(name)

    def _shares(self, propensities: Mapping[str, float]) -> tuple[float, ...]:
        for name in propensities:
            self._place(name)
        shares = tuple(float(propensities.get(name, 0.0)) for name in self.variants)
        if not (min(shares) >= 0 and abs(math.fsum(shares) - 1.0) <= 1e-9):
            found = ", ".join(map(str, shares))
            message = f"expected propensities of 0 or more, summing to 1, found {found}"
            raise UsageError(message, code="weights")
        return shares

    def _check(self, frame: pl.DataFrame, shares: Sequence[float], outcome: str) -> None:
        values = frame["outcome"]
        wrong = values.null_count() + int((~values.drop_nulls().is_finite()).sum())
        if wrong:
            message = f"expected finite numbers in {outcome!r}, found {wrong} other values"
            raise StatisticsError(message, code="invalid_outcome")
        if (values.abs() > _LARGEST).any():
            message = f"expected outcomes whose squares fit a double, found larger in {outcome!r}"
            raise StatisticsError(message, code="overflow", hint="measure in a larger unit")
        for name in frame["variant"].unique(maintain_order=True).to_list():
            if name not in self.variants:
                message = f"expected a variant of {', '.join(self.variants)}, found {name!r}"
                raise StatisticsError(message, code="unknown_variant")
            if shares[self.variants.index(name)] == 0:
                message = f"expected no units in {name!r}, whose propensity was 0, found some"
                raise StatisticsError(message, code="adaptive")

"""What a log says of a policy: an estimate by every estimator, each with its intervals and its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import polars as pl
from scipy import special

from labfactory.base.canonical import canonical_json, sha256_hex
from labfactory.base.errors import StatisticsError
from labfactory.lab.comparison import Arm, Comparison
from labfactory.lab.estimators import SMALLEST_P
from labfactory.lab.evaluation import Evaluation
from labfactory.lab.flags import Flag  # noqa: TC001 (pydantic reads annotations at run time)
from labfactory.lab.json_record import read_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labfactory.lab.hypothesis import Hypothesis


@dataclass(frozen=True, slots=True)
class Estimate:
    """One estimator's word on a policy, or on the difference of two.

    Args:
        estimator: Its name, as docs/off_policy.md lists it.
        parameter: Clip, switch or shrinkage; None where it has none, or where nothing is cut.
        policy: The policy that is judged.
        against: The policy that it is compared with; None for its value alone.
        value: Mean reward per row, or per slate; or the difference of two.
        error: Standard error, clustered by customer.
        lower: Lower bound of the normal interval at 1 - alpha.
        upper: Upper bound.
        bootstrap_lower: Lower bound of the percentile interval of resampled customers; None without.
        bootstrap_upper: Upper bound.
        anytime_lower: Lower bound of the interval that may be looked at again and again.
        anytime_upper: Upper bound.
        effective: Kish's effective sample size of the weights; None for `dm`, which has none.
        mean_weight: Mean weight; near 1 where propensities are right and nothing is cut.
        largest_weight: Largest weight.
    """

    estimator: str
    parameter: float | None
    policy: str
    against: str | None
    value: float
    error: float
    lower: float
    upper: float
    bootstrap_lower: float | None
    bootstrap_upper: float | None
    anytime_lower: float
    anytime_upper: float
    effective: float | None
    mean_weight: float | None
    largest_weight: float | None


@dataclass(frozen=True, slots=True, repr=False)
class OffPolicyEvaluation:
    """What a log says of a policy.

    Args:
        policy: Name of the policy that is judged.
        baseline: Name of the policy that it is compared with; None when there is none.
        rows: Decisions of the log that count.
        clusters: Customers that they belong to.
        alpha: Error level of every interval.
        tightest_at: At how many customers the anytime intervals are narrowest.
        resamples: Draws behind the bootstrap intervals.
        seed: Of those draws.
        rewards: Name of the reward model; None without.
        flags: Reservations, in a fixed order.
        estimates: By estimator: the policy, then the baseline, then their difference.
    """

    policy: str
    baseline: str | None
    rows: int
    clusters: int
    alpha: float
    tightest_at: int
    resamples: int
    seed: int
    rewards: str | None
    flags: tuple[Flag, ...]
    estimates: tuple[Estimate, ...]

    def estimate(self, estimator: str, policy: str | None = None, *, against: str | None = None) -> Estimate:
        """One estimate.

        Args:
            estimator: Name of the estimator.
            policy: Of which policy; None for the one that is judged.
            against: Compared with which; None for its value alone.

        Returns:
            The estimate.

        Raises:
            StatisticsError: `unknown_comparison` when there is none.
        """
        wanted = (estimator, policy or self.policy, against)
        for row in self.estimates:
            if (row.estimator, row.policy, row.against) == wanted:
                return row
        known = ", ".join(dict.fromkeys(row.estimator for row in self.estimates))
        found = f"{estimator!r} of {wanted[1]!r} against {against!r}"
        message = f"expected an estimate by one of {known}, found {found}"
        raise StatisticsError(message, code="unknown_comparison")

    def gain(self, estimator: str) -> Estimate:
        """What the policy brings more than the baseline.

        Raises:
            StatisticsError: `unknown_comparison` when there is no baseline or no such estimator.
        """
        return self.estimate(estimator, against=self.baseline or "no baseline")

    def as_evaluation(
        self, estimator: str, *, experiment: str, hypothesis: Hypothesis, metric: str = "reward"
    ) -> Evaluation:
        """One estimator's comparison in the form that packages carry and graduation policies judge.

        Args:
            estimator: Whose difference from the baseline it is; it is the `method` of the evidence.
            experiment: What to call it.
            hypothesis: What was to be shown.
            metric: What the reward is.

        Returns:
            An evaluation of two arms that share their decisions. It has no sample ratio, since nobody was
            assigned, and no relative interval.

        Raises:
            StatisticsError: `unknown_comparison` when there is no baseline or no such estimate.
        """
        gain, value = self.gain(estimator), self.estimate(estimator)
        control = self.estimate(estimator, gain.against)
        p = 2 * float(special.ndtr(-abs(gain.value) / gain.error)) if gain.error > 0 else None
        row = Comparison(
            metric=metric,
            role="goal",
            kind="mean",
            direction="increase",
            variant=self.policy,
            control_n=self.rows,
            treatment_n=self.rows,
            control_value=control.value,
            treatment_value=value.value,
            difference=gain.value,
            lower=gain.lower,
            upper=gain.upper,
            relative=gain.value / control.value if control.value > 0 else None,
            relative_lower=None,
            relative_upper=None,
            p=None if p is None else max(p, SMALLEST_P),
            margin=None,
            noninferior=None,
            method=f"off_policy({estimator})",
            standard_error=gain.error,
        )
        return Evaluation(
            experiment=experiment,
            hypothesis=hypothesis.text,
            minimum_effect=hypothesis.minimum_effect,
            preregistration=sha256_hex(canonical_json([hypothesis.text, hypothesis.minimum_effect, metric])),
            control=control.policy,
            alpha=self.alpha,
            method=f"off_policy({estimator})",
            arms=tuple(Arm(name, self.rows, float(self.rows)) for name in (control.policy, self.policy)),
            srm_p=None,
            looks=1,
            corrections=(),
            flags=self.flags,
            rows=(row,),
        )

    def to_frame(self) -> pl.DataFrame:
        """The estimates as a frame, one row each; null where a field is None."""
        return pl.DataFrame([asdict(row) for row in self.estimates], schema=_FRAME_SCHEMA)

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON holds it."""
        return asdict(self)

    def to_json(self) -> bytes:
        """Canonical JSON: equal evaluations have equal bytes."""
        return canonical_json(self.to_dict())

    @staticmethod
    def from_json(data: bytes) -> OffPolicyEvaluation:
        """Read what `to_json` wrote.

        Args:
            data: JSON bytes.

        Returns:
            An evaluation equal to the one that was written.

        Raises:
            StatisticsError: `evaluation_malformed`, naming the first field that is not as expected.
        """
        return read_record(
            OffPolicyEvaluation, data, expected="an off-policy evaluation", code="evaluation_malformed"
        )

    def __repr__(self) -> str:
        cells = list(self._cells())
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [self._heading()]
        for row in cells:
            # Names lean left, numbers right.
            padded = [
                cell.ljust(width) if place < 2 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(padded).rstrip())
        return "\n".join([*lines, *(f"! {flag}" for flag in self.flags)])

    def _heading(self) -> str:
        model = f", rewards by {self.rewards}" if self.rewards else ""
        counts = f"{self.rows:,} decisions of {self.clusters:,} customers"
        return f"{self.policy}: {counts}, alpha {self.alpha:g}{model}"

    def _cells(self) -> Iterator[tuple[str, ...]]:
        level = f"{100 * (1 - self.alpha):g} %"
        yield (
            "estimator",
            "policy",
            "value",
            "error",
            level,
            "bootstrap",
            "anytime",
            "effective",
            "mean w",
            "max w",
        )
        for row in self.estimates:
            name = row.estimator if row.parameter is None else f"{row.estimator}({row.parameter:g})"
            yield (
                name,
                row.policy if row.against is None else f"{row.policy} - {row.against}",
                f"{row.value:+.6f}" if row.against else f"{row.value:.6f}",
                f"{row.error:.6f}",
                _interval(row.lower, row.upper),
                _interval(row.bootstrap_lower, row.bootstrap_upper),
                _interval(row.anytime_lower, row.anytime_upper),
                "–" if row.effective is None else f"{row.effective:,.0f}",
                "–" if row.mean_weight is None else f"{row.mean_weight:.4f}",
                "–" if row.largest_weight is None else f"{row.largest_weight:.4g}",
            )


_FRAME_SCHEMA = {
    field.name: pl.String if "str" in str(field.type) else pl.Float64 for field in fields(Estimate)
}


def _interval(lower: float | None, upper: float | None) -> str:
    return "–" if lower is None or upper is None else f"{lower:+.6f} … {upper:+.6f}"

"""What a reader of an evaluation must know before trusting its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MEANINGS: Final = {
    "arm_missing": "a variant with planned weight has no units",
    "baseline_not_positive": "the control mean is not above 0, a relative lift means nothing",
    "coarse_outcome": "outcomes of 2^53 or more are rounded to doubles by a tenth of their spread or more",
    "duplicate_key": "rows repeat a unit that was counted before",
    "estimated_propensity": "propensities of decisions are estimates, not exact",
    "few_events": "fewer than ten events or non-events, or outcomes beyond a quantile: the interval is rough",
    "few_units": "fewer than thirty units, too few for an interval that takes them for many",
    "heavy_weight": "one decision carries over a tenth of all weight",
    "low_effective_sample": "weights leave under a hundredth of the decisions, intervals are rough",
    "missing_covariate": "units have no covariate, it is read as 0",
    "missing_exposure": "units have no time of exposure, their outcomes in conversion windows are 0",
    "missing_key": "rows have no key",
    "missing_outcome": "units have no outcome and are left out",
    "missing_propensity": "decisions have no propensity and are left out",
    "multiple_exposure": "units are in more than one variant",
    "no_action": "rows name no action and are left out",
    "no_denominator": "the denominator of the ratio is 0, nothing can be compared",
    "no_outcome": "no unit has an outcome, nothing can be compared",
    "not_testable": "nothing says how far the difference is off: too few units, or a fit without rest",
    "novelty": "the difference of the first half of the days is not that of the second half",
    "one_unit": "a single outcome has no variance, nothing can be compared",
    "outlier_share": "one unit makes a tenth of the variance or more, the interval is rough",
    "outcome_without_assignment": "rows have no variant and are left out",
    "peeking": "the data were looked at before, and no sequential method keeps the error level",
    "pre_period_imbalance": "a covariate from before the experiment differs between the arms",
    "relative_unbounded": "the control mean is not told from 0, the relative lift has no bounds",
    "sample_ratio_mismatch": "units did not come in the planned shares, do not trust any difference",
    "sample_ratio_rough": "fewer than five expected units in a variant, the ratio test is rough",
    "strata_pooled": "strata without two units in each arm were put together",
    "underflow": "outcomes differ by less than a double can square, measure in a smaller unit",
    "uneven_logging": "propensities differ within a position, replay does not find the value of the policy",
    "unplanned_arm": "units are in a variant whose planned weight is 0",
    "weights_off": "importance weights do not average 1, propensities or the policy are misstated",
    "zero_variance": "all outcomes are equal",
}


@dataclass(frozen=True, slots=True)
class Flag:
    """One reservation.

    Args:
        code: Its stable name; docs/lab.md lists all.
        metric: The metric that it concerns; None for all.
        variant: The variant that it concerns; None for all.
        count: How many rows or units, where that says something.
        segment: The segment that it concerns, as `channel=email`; None for all.
    """

    code: str
    metric: str | None = None
    variant: str | None = None
    count: int | None = None
    segment: str | None = None

    def __str__(self) -> str:
        """A sentence for people."""
        place = ", ".join(name for name in (self.metric, self.variant, self.segment) if name is not None)
        number = "" if self.count is None else f" ({self.count:,})"
        return f"{self.code}{f' [{place}]' if place else ''}: {_MEANINGS[self.code]}{number}"

    def to_dict(self) -> dict[str, str | int | None]:
        """The flag as JSON holds it."""
        return {
            "code": self.code,
            "metric": self.metric,
            "variant": self.variant,
            "count": self.count,
            "segment": self.segment,
        }

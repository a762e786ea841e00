"""One finished experiment, won or lost, as an entry that can be found and pooled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from labfactory.base.canonical import canonical_json, sha256_hex
from labfactory.base.errors import UsageError, nearest
from labfactory.base.instants import instant, instant_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from labfactory.lab.comparison import Comparison
    from labfactory.lab.evaluation import Evaluation

Outcome = Literal["confirmed", "disproved", "inconclusive", "invalid"]
FeatureValue = str | float | int | bool

# Flags after which no difference of an experiment is to be believed.
INVALIDATING = frozenset({"sample_ratio_mismatch", "no_outcome"})


@dataclass(frozen=True, slots=True)
class Insight:
    """What one experiment has taught.

    Args:
        evaluation: What it showed.
        finished: When it ended, in UTC.
        started: When it began; None when that is not known.
        tags: Words to find it by, sorted.
        features: By variant, then by name: what was in it, such as its tone.
    """

    evaluation: Evaluation
    finished: datetime
    started: datetime | None
    tags: tuple[str, ...]
    features: tuple[tuple[str, tuple[tuple[str, FeatureValue], ...]], ...]

    @staticmethod
    def of(
        evaluation: Evaluation,
        *,
        finished: datetime | str,
        started: datetime | str | None = None,
        tags: Iterable[str] = (),
        features: Mapping[str, Mapping[str, FeatureValue]] | None = None,
    ) -> Insight:
        """The entry of an evaluation.

        Args:
            evaluation: What the experiment showed.
            finished: When it ended; an aware datetime or its text.
            started: When it began, if that is known.
            tags: Words to find it by.
            features: By variant what was in it: texts, numbers or booleans by name.

        Returns:
            The entry.

        Raises:
            UsageError: `instant`; `insights`, when it began after its end, a tag is empty, or features are of
                another variant or no plain values.
        """
        end = instant(finished, "finished")
        begin = None if started is None else instant(started, "started")
        if begin is not None and begin > end:
            message = f"expected a start before {instant_text(end)}, found {instant_text(begin)}"
            raise UsageError(message, code="insights")
        words = tuple(sorted(set(tags)))
        if not all(words):
            message = f"expected tags of one letter or more, found an empty one for {evaluation.experiment!r}"
            raise UsageError(message, code="insights")
        return Insight(evaluation, end, begin, words, _features(features or {}, evaluation))

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return self.evaluation.experiment

    @property
    def outcome(self) -> Outcome:
        """What became of the hypothesis.

        A treatment confirms it when on every goal the interval of the relative lift lies on the wanted side
        of 0, the lift reaches the minimum effect, a corrected p-value is below alpha too, and nobody peeked.
        A treatment disproves it when on some goal the interval rules the minimum effect out (with a minimum
        effect of 0: any improvement). The hypothesis is `confirmed` when some treatment confirms it,
        `disproved` when every one disproves it, `invalid` when a flag says that no difference is to be
        believed, else `inconclusive`.
        """
        if any(flag.code in INVALIDATING for flag in self.evaluation.flags):
            return "invalid"
        found = {variant: self._outcome_of(variant) for variant in self._treatments()}
        if "confirmed" in found.values():
            return "confirmed"
        return "disproved" if set(found.values()) == {"disproved"} else "inconclusive"

    @property
    def winners(self) -> tuple[str, ...]:
        """Treatments that confirm the hypothesis and harm no guardrail, the largest lift first.

        A guardrail is harmed when its interval lies on the unwanted side of 0, or its margin is not shown to
        be kept.
        """
        if self.outcome != "confirmed":
            return ()
        kept = [
            variant
            for variant in self._treatments()
            if self._outcome_of(variant) == "confirmed"
            and not any(_harms(row) for row in self._rows(variant, "guardrail"))
        ]
        return tuple(sorted(kept, key=lambda variant: -_lift(self._rows(variant, "goal")[0])[1]))

    @property
    def digest(self) -> str:
        """SHA-256 of all that the entry says; equal entries have equal digests."""
        return sha256_hex(canonical_json(self.to_dict()))

    def to_dict(self) -> dict[str, object]:
        """The entry as JSON holds it."""
        return {
            "experiment": self.experiment,
            "finished": instant_text(self.finished),
            "started": None if self.started is None else instant_text(self.started),
            "tags": list(self.tags),
            "features": {variant: dict(values) for variant, values in self.features},
            "outcome": self.outcome,
            "winners": list(self.winners),
            "evaluation": self.evaluation.to_dict(),
        }

    def __repr__(self) -> str:
        won = f", won by {self.winners[0]}" if self.winners else ""
        return f"Insight({self.experiment!r}, {self.outcome}{won}, {instant_text(self.finished)})"

    def _treatments(self) -> list[str]:
        return list(dict.fromkeys(row.variant for row in self.evaluation.rows))

    def _is_kept(self, row: Comparison) -> bool:
        """Whether corrections leave the comparison significant, and nobody looked before without one."""
        is_significant = row.adjusted_p is None or row.adjusted_p <= self.evaluation.alpha
        return is_significant and all(flag.code != "peeking" for flag in self.evaluation.flags)

    def _rows(self, variant: str, role: str) -> list[Comparison]:
        return [row for row in self.evaluation.rows if (row.variant, row.role) == (variant, role)]

    def _outcome_of(self, variant: str) -> Outcome:
        least = self.evaluation.minimum_effect
        goals = self._rows(variant, "goal")
        lifts = [_lift(row) for row in goals]
        if lifts and all(lower > 0 and value >= least for lower, value, _ in lifts):
            return "confirmed" if all(map(self._is_kept, goals)) else "inconclusive"
        if any(upper < least or (least == 0 and upper <= 0) for _, _, upper in lifts):
            return "disproved"
        return "inconclusive"


def _lift(row: Comparison) -> tuple[float, float, float]:
    """Lower bound, value and upper bound of the lift in the wanted direction; without bounds, all of them."""
    if row.relative is None or row.relative_lower is None or row.relative_upper is None:
        return -math.inf, -math.inf, math.inf
    if row.direction == "increase":
        return row.relative_lower, row.relative, row.relative_upper
    return -row.relative_upper, -row.relative, -row.relative_lower


def _harms(row: Comparison) -> bool:
    if row.noninferior is False:
        return True
    if row.lower is None or row.upper is None:
        return False
    return row.upper < 0 if row.direction == "increase" else row.lower > 0


def _features(
    features: Mapping[str, Mapping[str, FeatureValue]], evaluation: Evaluation
) -> tuple[tuple[str, tuple[tuple[str, FeatureValue], ...]], ...]:
    variants = [arm.variant for arm in evaluation.arms]
    for variant, values in features.items():
        if variant not in variants:
            message = f"expected features of the variants of {evaluation.experiment!r}, found {variant!r}"
            raise UsageError(message, code="insights", hint=nearest(variant, variants))
        for name, value in values.items():
            is_plain = isinstance(value, str | bool | int | float)
            if not is_plain or (isinstance(value, float) and not math.isfinite(value)):
                message = f"expected a text, number or boolean for {name!r} of {variant!r}, found {value!r}"
                raise UsageError(message, code="insights")
    return tuple((variant, tuple(sorted(values.items()))) for variant, values in sorted(features.items()))

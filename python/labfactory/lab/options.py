"""How an evaluation is to be made: checked once, then passed along."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from labfactory.base.errors import UsageError, nearest
from labfactory.lab.adjustment import Welch
from labfactory.lab.multiplicity import Correction
from labfactory.lab.reading import utc
from labfactory.lab.stop_rules import StopRules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.evaluation import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `Experiment.evaluate` was asked for; see there.

    Raises:
        UsageError: `alpha`, `unknown_variant`, `correction`, `variance_factor`, `looks` or `period`.
    """

    control: str
    variants: tuple[str, ...]
    alpha: float = 0.05
    estimator: Estimator = Welch()  # noqa: RUF009 - a frozen value
    rules: StopRules = StopRules()  # noqa: RUF009 - a frozen value
    correction: Correction | None = None
    variance_factor: float = 1.0
    looks: int = 1
    started: datetime | None = None
    ended: datetime | None = None
    segments: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    earlier: tuple[Evaluation, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            message = f"expected alpha above 0 and below 1, found {self.alpha}"
            raise UsageError(message, code="alpha")
        if self.control not in self.variants:
            message = f"expected the control to be a variant, found {self.control!r}"
            raise UsageError(message, code="unknown_variant", hint=nearest(self.control, self.variants))
        if self.correction is not None and self.correction not in get_args(Correction):
            known: Sequence[str] = get_args(Correction)
            message = f"expected a correction of {', '.join(known)}, found {self.correction!r}"
            raise UsageError(message, code="correction", hint=nearest(str(self.correction), known))
        if not (math.isfinite(self.variance_factor) and self.variance_factor >= 1):
            message = f"expected a variance_factor of 1 or more, found {self.variance_factor}"
            raise UsageError(message, code="variance_factor")
        if self.looks < 1:
            message = f"expected looks of 1 or more, this one included, found {self.looks}"
            raise UsageError(message, code="looks")
        if self.started is not None and self.ended is not None and utc(self.started) > utc(self.ended):
            message = f"expected started before ended, found {self.started} and {self.ended}"
            raise UsageError(message, code="period")

    def share(self, treatment: str) -> float:
        """Planned share of a treatment among its units and the control's; a half when nothing is planned."""
        weights = dict(zip(self.variants, self.weights, strict=True)) if self.weights else {}
        both = weights.get(treatment, 0.0) + weights.get(self.control, 0.0)
        share = weights.get(treatment, 0.0) / both if both > 0 else 0.5
        # An arm that was to get nobody has no share to test by.
        return share if 0 < share < 1 else 0.5

    @property
    def treatments(self) -> tuple[str, ...]:
        """The other variants, in their order."""
        return tuple(name for name in self.variants if name != self.control)

    @property
    def method(self) -> str:
        """Estimator and stop rules in one line."""
        return self._named(self.rules.name)

    def method_of(self, metric: str) -> str:
        """What stands behind the intervals of one metric."""
        rule = self.rules.of_metric(metric)
        return self._named("" if rule is None else rule.name)

    def _named(self, rule: str) -> str:
        return f"{self.estimator.name}, {rule}" if rule else self.estimator.name

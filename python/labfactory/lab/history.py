"""The looks that were taken before, read from the evaluations that they gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labfactory.base.errors import UsageError
from labfactory.lab.sequential import Look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.evaluation import Evaluation


def earlier_looks(earlier: Sequence[Evaluation], metric: str, variant: str, *, rule: str) -> list[Look]:
    """The looks at one metric of one treatment.

    Args:
        earlier: The evaluations, oldest first.
        metric: Name of the metric.
        variant: Name of the treatment.
        rule: Name of the stop rule.

    Returns:
        A look an evaluation: its units, and whether it was significant.

    Raises:
        StatisticsError: `unknown_comparison`, when an evaluation did not compare them.
    """
    looks = []
    for number, evaluation in enumerate(earlier, 1):
        row = evaluation.row(metric, variant)
        looks.append(
            Look(
                rule=rule,
                number=number,
                alternative="two_sided",
                alpha=evaluation.alpha,
                control_n=row.control_n,
                treatment_n=row.treatment_n,
                value=row.difference or 0.0,
                lower=row.lower,
                upper=row.upper,
                p=row.p,
                log_p=None,
                relative=row.relative,
                relative_lower=row.relative_lower,
                relative_upper=row.relative_upper,
                stop="significant" if row.p is not None and row.p <= evaluation.alpha else None,
            )
        )
    return looks


def check_earlier(earlier: Sequence[Evaluation], *, experiment: str, control: str, method: str) -> None:
    """Refuse evaluations that are no earlier looks of this one.

    Raises:
        UsageError: `earlier`.
    """
    wanted = experiment, control, method
    for evaluation in earlier:
        found = evaluation.experiment, evaluation.control, evaluation.method
        if found != wanted:
            message = f"expected earlier looks by {', '.join(wanted)}, found one by {', '.join(found)}"
            raise UsageError(message, code="earlier")

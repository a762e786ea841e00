"""Support: whether the log can tell anything of a target, and what a reader must know before trusting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labfactory.base.errors import StatisticsError
from labfactory.lab.flags import Flag
from labfactory.lab.off_policy.intervals import standard_error
from labfactory.lab.off_policy.rewards import spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labfactory.lab.off_policy.log import Floats, LoggedDecisions
    from labfactory.lab.off_policy.target import TargetPolicy

# Weights whose mean is this many standard errors from 1 were not made with these propensities.
_FAR = 4.0
_FEW_EVENTS = 10
_LOW_SHARE = 0.01
_HEAVY = 0.1
# Propensities that were written as float32 are alike to this.
_EVEN = 1e-6


def refuse_unsupported(
    log: LoggedDecisions,
    target: TargetPolicy,
    weights: Floats,
    *,
    min_effective: float,
    max_unsupported: float,
) -> None:
    """Refuse to judge a target by a log that never, or hardly ever, did what the target does.

    Args:
        log: The logged decisions.
        target: The policy.
        weights: Its importance weights.
        min_effective: Smallest effective sample size.
        max_unsupported: Largest share of the target's choices that may fall on actions which were never
            logged at their position.

    Raises:
        StatisticsError: `no_support`.
    """
    share = unsupported_share(log, target)
    if share > max_unsupported:
        message = (
            f"expected that the log tried what {target.name!r} does, "
            f"found {share:.1%} of its choices on actions that were never logged"
        )
        hint = "explore those actions first, or leave them out; max_unsupported= takes the risk"
        raise StatisticsError(message, code="no_support", hint=hint)
    squares = float((weights**2).sum())
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    if effective < min_effective:
        message = (
            f"expected {len(log):,} rows to be worth {min_effective:g} or more of {target.name!r}, "
            f"found an effective sample size of {effective:.1f}"
        )
        hint = "log more, or judge a policy nearer to the logging one; min_effective= takes the risk"
        raise StatisticsError(message, code="no_support", hint=hint)


def unsupported_share(log: LoggedDecisions, target: TargetPolicy) -> float:
    """The share of the target's choices on actions that were never logged at their position.

    0 for a target of which only the probabilities of logged actions are known: there the mean weight tells.
    """
    seen = np.zeros((len(log.positions), len(log.actions)), bool)
    seen[log.position, log.action] = True
    if seen.all():
        return 0.0
    missed = 0.0
    for start, stop in spans(len(log)):
        chances = target.rows(log, start, stop)
        if chances is None:
            return 0.0
        missed += float(chances[~seen[log.position[start:stop]]].sum())
    return missed / len(log)


def is_uneven(log: LoggedDecisions) -> bool:
    """Whether propensities differ within a position: the log was not made by giving all actions alike."""
    lowest = np.full(len(log.positions), np.inf)
    highest = np.zeros(len(log.positions))
    np.minimum.at(lowest, log.position, log.propensity)
    np.maximum.at(highest, log.position, log.propensity)
    return bool((highest > lowest * (1 + _EVEN)).any())


def reservations(log: LoggedDecisions, target: TargetPolicy, weights: Floats) -> Iterator[Flag]:
    """What is doubtful about a target's weights."""
    mean = float(weights.mean())
    error = standard_error(weights - mean, log.cluster)
    if abs(mean - 1) > _FAR * error and not target.is_logged and abs(mean - 1) > 1e-9:
        yield Flag("weights_off", variant=target.name)
    total, squares = float(weights.sum()), float((weights**2).sum())
    if total**2 < _LOW_SHARE * squares * len(log):
        yield Flag("low_effective_sample", variant=target.name, count=int(total**2 / squares))
    if float(weights.max()) > _HEAVY * total:
        yield Flag("heavy_weight", variant=target.name)
    events = int(((log.reward != 0) & (weights > 0)).sum())
    if events < _FEW_EVENTS:
        yield Flag("few_events", variant=target.name, count=events)

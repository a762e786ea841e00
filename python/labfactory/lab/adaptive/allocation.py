"""Shares of the next batch from what came of the batches before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from labfactory.base.errors import StatisticsError, UsageError, nearest
from labfactory.lab.adaptive.posterior import BetaPosterior, NormalPosterior, rank_probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labfactory.lab.adaptive.log import AdaptiveLog, ArmMoments
    from labfactory.lab.adaptive.posterior import Posterior, Ranks

Method = Literal["thompson", "top_two_thompson", "top_two"]
Kind = Literal["proportion", "mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveAllocation:
    """A rule for the shares of the next batch.

    Args:
        method: `thompson`: the probability that the arm is the best. `top_two_thompson`: with probability
            `leader` the arm that a draw calls best, else the one that another draw calls best among the
            others, which tells the best arm apart sooner. `top_two`: half the probability that the arm is
            the best or the second best.
        kind: `proportion`, Beta-Bernoulli of outcomes 0 and 1; `mean`, normal.
        direction: `increase` or `decrease`, whichever is better.
        floor: Smallest share of every arm: p becomes floor + (1 - arms * floor) p. Intervals afterwards need
            it above 0.
        leader: Of `top_two_thompson`, the share of draws that keep the best arm.
        prior: Counts of successes and failures of a proportion, or mean and standard deviation of a mean; by
            default Beta(1, 1), and a mean about which nothing is known.

    Raises:
        UsageError: `adaptive`, for an option that is not one of these.

    References:
        Thompson (1933), "On the likelihood that one unknown probability exceeds another". Russo (2020),
        "Simple Bayesian algorithms for best-arm identification", section 3.

    Example:
        >>> import polars as pl
        >>> from labfactory.lab import AdaptiveLog
        >>> responses = pl.DataFrame({"variant": ["plain", "warm"] * 50, "orders": [0, 1, 1, 1] * 25})
        >>> shares = {"plain": 0.5, "warm": 0.5}
        >>> log = AdaptiveLog(("plain", "warm")).add(responses, outcome="orders", propensities=shares)
        >>> round(AdaptiveAllocation(floor=0.1).shares(log)["warm"], 6)
        0.9
    """

    method: Method = "thompson"
    kind: Kind = "proportion"
    direction: Literal["increase", "decrease"] = "increase"
    floor: float = 0.05
    leader: float = 0.5
    prior: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for found, known in (
            (self.method, get_args(Method)),
            (self.kind, get_args(Kind)),
            (self.direction, ("increase", "decrease")),
        ):
            if found not in known:
                message = f"expected one of {', '.join(known)}, found {found!r}"
                raise UsageError(message, code="adaptive", hint=nearest(str(found), known))
        for name, share in (("floor", self.floor), ("leader", self.leader)):
            if not 0 <= share <= 1:
                message = f"expected {name} from 0 to 1, found {share}"
                raise UsageError(message, code="adaptive")

    def shares(self, log: AdaptiveLog) -> dict[str, float]:
        """The share of each variant in the next batch: its propensity, to be logged with the batch.

        Args:
            log: All batches until now.

        Returns:
            Shares by name, summing to 1; equal ones while some arm of a mean has fewer than two units, or
            nothing varies. The same log gives the same shares.

        Raises:
            UsageError: `adaptive`, when the floors of all arms exceed 1.
            StatisticsError: `invalid_outcome`, when a proportion has other outcomes than 0 and 1.
        """
        count = len(log.variants)
        if self.floor * count > 1:
            message = f"expected a floor of at most 1/{count} for {count} variants, found {self.floor}"
            raise UsageError(message, code="adaptive")
        posteriors = self.posteriors(log.totals())
        raw = (1.0 / count,) * count if posteriors is None else self._raw(posteriors)
        return dict(
            zip(log.variants, (self.floor + (1.0 - count * self.floor) * share for share in raw), strict=True)
        )

    def posteriors(self, totals: Mapping[str, ArmMoments]) -> Sequence[Posterior] | None:
        """What is believed of each arm; None where that is not yet defined.

        Args:
            totals: Outcomes of each variant until now.

        Returns:
            A posterior for each variant.
        """
        arms = list(totals.values())
        return self._betas(arms) if self.kind == "proportion" else self._normals(arms)

    def _raw(self, posteriors: Sequence[Posterior]) -> tuple[float, ...]:
        ranks = rank_probabilities(posteriors, smallest=self.direction == "decrease")
        if self.method == "thompson":
            return ranks.first
        if self.method == "top_two":
            return tuple((first + second) / 2 for first, second in zip(*ranks, strict=True))
        return _top_two_thompson(ranks, self.leader)

    def _betas(self, arms: Sequence[ArmMoments]) -> list[Posterior]:
        successes, failures = self.prior or (1.0, 1.0)
        made: list[Posterior] = []
        for arm in arms:
            # Of outcomes 0 and 1 the sum of squares is n p (1 - p).
            expected = arm.count * arm.mean * (1 - arm.mean)
            if not math.isclose(arm.squares, expected, rel_tol=1e-6, abs_tol=1e-6):
                message = f"expected outcomes of 0 and 1, found mean {arm.mean} with squares {arm.squares}"
                raise StatisticsError(message, code="invalid_outcome", hint="use kind='mean' for amounts")
            won = arm.count * arm.mean
            made.append(BetaPosterior(successes + won, failures + arm.count - won))
        return made

    def _normals(self, arms: Sequence[ArmMoments]) -> list[Posterior] | None:
        if self.prior is None and min(arm.count for arm in arms) < 2:
            return None
        degrees = sum(max(arm.count - 1, 0) for arm in arms)
        squares = math.fsum(arm.squares for arm in arms)
        if degrees == 0 or squares == 0:
            return None
        pooled = squares / degrees
        made: list[Posterior] = []
        for arm in arms:
            # An arm of equal outcomes is no surer than the others.
            variance = arm.squares / (arm.count - 1) if arm.count > 1 and arm.squares > 0 else pooled
            made.append(_normal(arm, variance, self.prior))
        return made


def _normal(arm: ArmMoments, variance: float, prior: tuple[float, float] | None) -> NormalPosterior:
    known = arm.count / variance
    centre, precision = (0.0, 0.0) if prior is None else (prior[0], prior[1] ** -2)
    mean = (known * arm.mean + precision * centre) / (known + precision)
    return NormalPosterior(mean, (known + precision) ** -0.5)


def _top_two_thompson(ranks: Ranks, leader: float) -> tuple[float, ...]:
    # Russo 2020, section 3.3: p_i (b + (1 - b) Σ_j≠i p_j / (1 - p_j)).
    made = [leader * own for own in ranks.first]
    for place, own in enumerate(ranks.first):
        others = [other for other in range(len(made)) if other != place]
        # 1 - p as the sum of the others: exact where p is close to 1. Where no other arm has a chance that a
        # double can hold, the next best arm stands for it.
        source = ranks.first if any(ranks.first[other] > 0 for other in others) else ranks.second
        rest = math.fsum(source[other] for other in others)
        for other in others:
            made[other] += (1 - leader) * own * source[other] / rest
    return tuple(made)

"""evaluate_policy: from a log and a target to estimates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING

from labfactory.base.errors import StatisticsError, nearest
from labfactory.lab.flags import Flag
from labfactory.lab.off_policy.estimators import KINDS, MODELLED, TUNED, UNWEIGHTED, Judged, tuned
from labfactory.lab.off_policy.evaluation import Estimate, OffPolicyEvaluation
from labfactory.lab.off_policy.intervals import (
    Interval,
    anytime_interval,
    bootstrap_values,
    clusters_of,
    normal_interval,
    percentiles,
    standard_error,
)
from labfactory.lab.off_policy.log import LoggedDecisions
from labfactory.lab.off_policy.rewards import RewardModel
from labfactory.lab.off_policy.slates import SLATE_KINDS, Slates
from labfactory.lab.off_policy.support import is_uneven, refuse_unsupported, reservations
from labfactory.lab.off_policy.target import TargetPolicy
from labfactory.lab.off_policy.terms import Terms, minus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labfactory.lab.off_policy.log import Floats


def evaluate_policy(
    log: LoggedDecisions,
    target: TargetPolicy,
    *,
    baseline: TargetPolicy | None = None,
    estimators: Sequence[str] | None = None,
    parameters: Mapping[str, float] | None = None,
    rewards: RewardModel | None = None,
    logging: TargetPolicy | None = None,
    groups: Mapping[str, str] | None = None,
    alpha: float = 0.05,
    resamples: int = 1000,
    seed: int = 0,
    tightest_at: int = 10_000,
    min_effective: float = 100.0,
    max_unsupported: float = 0.01,
) -> OffPolicyEvaluation:
    """Estimate what a policy would have brought, from the decisions that another one made.

    Args:
        log: Decisions with propensities and rewards.
        target: The policy to judge.
        baseline: A policy to compare it with, on the same rows: errors of differences know that they share
            them. `TargetPolicy.logged()` is what was done.
        estimators: Names, as docs/off_policy.md lists them; None takes ips and snips, of slates iips and
            rips, and with a reward model dm, dr and sndr, of slates cascade_dr.
        parameters: Clip, switch or shrinkage by estimator; SLOPE chooses those that are not named.
        rewards: Predicts rewards, for the estimators that need it.
        logging: All probabilities of the logging policy, for mips.
        groups: The group of each action, for mips.
        alpha: Error level of two-sided intervals, in (0, 1).
        resamples: Draws of customers for bootstrap intervals; 0 for none.
        seed: Of those draws.
        tightest_at: At how many customers the anytime interval is narrowest; fix it before you look.
        min_effective: Smallest effective sample size that is judged.
        max_unsupported: Largest share of the target's choices on actions that were never logged.

    Returns:
        Estimates with their intervals and weights, and reservations.

    Raises:
        StatisticsError: `no_support` when the log says nothing of the target, `unknown_estimator`,
            `off_policy_input` when an estimator lacks what it needs, `alpha`; and what log, target and
            rewards raise.

    Example:
        >>> import polars as pl
        >>> from labfactory.lab.off_policy import LoggedDecisions, TargetPolicy
        >>> sent = pl.DataFrame({"mail": ["a", "b"] * 200, "visit": [1, 0, 0, 0] * 100})
        >>> log = LoggedDecisions.of(sent, action="mail", reward="visit", propensity=0.5)
        >>> judged = evaluate_policy(log, TargetPolicy.by_action({"a": 1.0, "b": 0.0}))
        >>> judged.estimate("ips").value
        0.5
    """
    _check_numbers(
        alpha=(alpha, "between 0 and 1", _is_number(alpha) and 0 < alpha < 1),
        tightest_at=(tightest_at, "of 1 or more", _is_number(tightest_at) and 1 <= tightest_at < math.inf),
        resamples=(resamples, "as a whole number of 0 or more", _is_whole(resamples)),
        seed=(seed, "as a whole number of 0 or more", _is_whole(seed)),
        min_effective=(min_effective, "of 0 or more", _is_number(min_effective) and min_effective >= 0),
        max_unsupported=(
            max_unsupported,
            "of 0 or more",
            _is_number(max_unsupported) and max_unsupported >= 0,
        ),
    )
    _check_kinds(log, target, baseline, logging, rewards)
    cuts = _checked_cuts(parameters or {})
    kinds = _kinds(log, estimators, has_rewards=rewards is not None)
    judged = [
        Judged(log, policy, rewards, logging, groups) for policy in (target, baseline) if policy is not None
    ]
    flags: list[Flag] = list(log.flags)
    if any(kind not in UNWEIGHTED for kind in kinds):
        for each in judged:
            refuse_unsupported(
                log, each.target, each.weights, min_effective=min_effective, max_unsupported=max_unsupported
            )
            flags += reservations(log, each.target, each.weights)
    if "replay" in kinds and is_uneven(log):
        flags.append(Flag("uneven_logging"))
    rows = [row for kind in kinds for row in _rows(kind, judged, cuts)]
    inference = _Inference(alpha, tightest_at, resamples, seed)
    return OffPolicyEvaluation(
        policy=target.name,
        baseline=None if baseline is None else baseline.name,
        rows=len(log),
        clusters=log.clusters,
        alpha=alpha,
        tightest_at=tightest_at,
        resamples=resamples,
        seed=seed,
        rewards=None if rewards is None else rewards.name,
        flags=tuple(flags),
        estimates=tuple(inference.estimates(rows)),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and value == value


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def _check_numbers(**given: tuple[object, str, bool]) -> None:
    """Refuses the first of some numbers, by name, that is not as it must be."""
    for name, (found, expected, is_right) in given.items():
        if not is_right:
            message = f"expected {name} {expected}, found {found!r}"
            raise StatisticsError(message, code="off_policy_input")


def _check_kinds(log: object, target: object, baseline: object, logging: object, rewards: object) -> None:
    """Refuses what is no log, no policy and no model of rewards."""
    for name, found, kind in (
        ("log", log, LoggedDecisions),
        ("target", target, TargetPolicy),
        ("baseline", baseline, TargetPolicy),
        ("logging", logging, TargetPolicy),
        ("rewards", rewards, RewardModel),
    ):
        if not isinstance(found, kind) and (found is not None or name in ("log", "target")):
            message = f"expected {name} as a {kind.__name__}, found {type(found).__name__}"
            raise StatisticsError(message, code="off_policy_input")


def _checked_cuts(parameters: Mapping[str, float]) -> dict[str, float]:
    """Cuts by estimator, each above 0."""
    for kind, cut in parameters.items():
        if kind not in TUNED:
            message = f"expected an estimator with a cut, found {kind!r}"
            raise StatisticsError(message, code="unknown_estimator", hint=nearest(kind, TUNED))
        _check_numbers(**{f"the cut of {kind}": (cut, "above 0", _is_number(cut) and cut > 0)})
    return dict(parameters)


def _kinds(log: LoggedDecisions, asked: Sequence[str] | None, *, has_rewards: bool) -> list[str]:
    known = (*KINDS, *SLATE_KINDS)
    if asked is None and log.slate is not None:
        return ["iips", "rips", *(["cascade_dr"] if has_rewards else [])]
    if asked is None:
        return ["ips", "snips", *(["dm", "dr", "sndr"] if has_rewards else [])]
    if not asked:
        message = "expected one estimator or more, found none"
        raise StatisticsError(message, code="off_policy_input")
    for kind in [asked] if isinstance(asked, str) else asked:
        if kind not in known:
            message = f"expected an estimator, found {kind!r}"
            raise StatisticsError(message, code="unknown_estimator", hint=nearest(kind, known))
        if kind in MODELLED and not has_rewards:
            message = f"expected a reward model for {kind}, found none"
            raise StatisticsError(message, code="off_policy_input", hint="rewards=lf.RewardModel.ridge()")
    return [asked] if isinstance(asked, str) else list(dict.fromkeys(asked))


@dataclass(frozen=True, eq=False)
class _Row:
    """An estimate to be made: of one policy, or of the difference of two."""

    kind: str
    parameter: float | None
    policy: str
    against: str | None
    terms: Terms
    other: Terms | None = None

    @property
    def value(self) -> float:
        return self.terms.value - (self.other.value if self.other else 0.0)

    @property
    def influence(self) -> Floats:
        return minus(self.terms, self.other) if self.other else self.terms.influence


def _rows(kind: str, judged: Sequence[Judged], parameters: Mapping[str, float]) -> Iterator[_Row]:
    made: list[Terms] = []
    parameter: float | None = None
    for each in judged:
        if kind in TUNED and not each.target.is_logged:
            # One value for both policies: a difference of two tunings would be a difference of estimators.
            parameter = parameter or parameters.get(kind) or tuned(each, kind)
        made.append(Slates(each).terms(kind) if kind in SLATE_KINDS else each.terms(kind, parameter))
    cut = None if parameter in (None, float("inf")) else parameter
    names = [each.target.name for each in judged]
    for name, terms in zip(names, made, strict=True):
        yield _Row(kind, cut, name, None, terms)
    if len(made) == 2:
        yield _Row(kind, cut, names[0], names[1], *made)


@dataclass(frozen=True)
class _Inference:
    """How intervals are made."""

    alpha: float
    tightest_at: int
    resamples: int
    seed: int

    def estimates(self, rows: Sequence[_Row]) -> Iterator[Estimate]:
        for row, bootstrap in zip(rows, self._bootstrap(rows), strict=True):
            yield self._estimate(row, bootstrap)

    def _estimate(self, row: _Row, bootstrap: Interval | None) -> Estimate:
        terms, weights = row.terms, row.terms.weights
        error = standard_error(row.influence, terms.cluster)
        normal = normal_interval(row.value, error, self.alpha)
        anytime = anytime_interval(
            row.value, error, clusters_of(terms), alpha=self.alpha, tightest_at=self.tightest_at
        )
        return Estimate(
            estimator=row.kind,
            parameter=row.parameter,
            policy=row.policy,
            against=row.against,
            value=row.value,
            error=error,
            lower=normal.lower,
            upper=normal.upper,
            bootstrap_lower=bootstrap.lower if bootstrap else None,
            bootstrap_upper=bootstrap.upper if bootstrap else None,
            anytime_lower=anytime.lower,
            anytime_upper=anytime.upper,
            effective=terms.effective,
            mean_weight=float(weights.mean()) if len(weights) else None,
            largest_weight=float(weights.max()) if len(weights) else None,
        )

    def _bootstrap(self, rows: Sequence[_Row]) -> Sequence[Interval | None]:
        if not self.resamples:
            return [None] * len(rows)
        alone = [row for row in rows if row.other is None]
        values = bootstrap_values([row.terms.sums for row in alone], resamples=self.resamples, seed=self.seed)
        column = {(row.kind, row.policy): values[:, place] for place, row in enumerate(alone)}
        return [
            percentiles(
                column[row.kind, row.policy] - (column[row.kind, row.against] if row.against else 0.0),
                self.alpha,
            )
            for row in rows
        ]

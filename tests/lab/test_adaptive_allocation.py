"""Shares that follow the evidence: scipy's integrals, closed forms and draws are the oracles."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import betaln

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab import AdaptiveAllocation, AdaptiveLog
from labfactory.lab.adaptive import ArmMoments, BetaPosterior, NormalPosterior, rank_probabilities
from labfactory.lab.adaptive.log import AdaptiveBatch

if TYPE_CHECKING:
    from collections.abc import Callable


def log_of(*arms: tuple[int, float, float]) -> AdaptiveLog:
    """One batch with equal shares of arms of this count, mean and sum of squares."""
    names = tuple("abcdefgh"[: len(arms)])
    batch = AdaptiveBatch((1 / len(arms),) * len(arms), tuple(ArmMoments(*arm) for arm in arms))
    return AdaptiveLog(names, (batch,))


def shares_of(log: AdaptiveLog, **options: object) -> list[float]:
    return list(AdaptiveAllocation(**options).shares(log).values())  # type: ignore[arg-type]


def trials(*arms: tuple[int, int]) -> AdaptiveLog:
    return log_of(*((n, s / n, s * (1 - s / n)) for s, n in arms))


def exceeds(a: tuple[int, int], b: tuple[int, int]) -> float:
    """P(B > A) of two Beta distributions with whole counts: E. Miller 2014, "Formulas for Bayesian A/B testing"."""
    terms = (
        betaln(a[0] + i, b[1] + a[1]) - math.log(b[1] + i) - betaln(1 + i, b[1]) - betaln(*a)
        for i in range(b[0])
    )
    return math.fsum(math.exp(term) for term in terms)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3), (3, 2)),
        ((11, 91), (16, 86)),
        ((1, 1), (1, 1)),
        ((101, 9901), (151, 9851)),
        ((5, 50), (900, 9100)),
    ],
)
def test_the_better_of_two_betas_is_the_closed_form(a: tuple[int, int], b: tuple[int, int]) -> None:
    ranks = rank_probabilities([BetaPosterior(*a), BetaPosterior(*b)])
    assert ranks.first[1] == pytest.approx(exceeds(a, b), rel=1e-9, abs=1e-12)
    assert ranks.second == pytest.approx(ranks.first[::-1])


@given(
    st.tuples(st.floats(-5, 5), st.floats(0.01, 3), st.floats(-5, 5), st.floats(0.01, 3)),
)
def test_the_better_of_two_normals_is_the_closed_form(pair: tuple[float, float, float, float]) -> None:
    m, s, n, t = pair
    ranks = rank_probabilities([NormalPosterior(m, s), NormalPosterior(n, t)])
    assert ranks.first[0] == pytest.approx(float(stats.norm.sf((n - m) / math.hypot(s, t))), abs=1e-10)


def rank_density(own: Any, below: list[Any], above: list[Any], x: float) -> float:
    worse = math.prod(one.cdf(x) for one in below)
    return float(own.pdf(x) * worse * math.prod(one.sf(x) for one in above))


def integral(integrand: Callable[[float], float]) -> float:
    points = [0.1, 0.13, 0.16, 0.2]
    return float(integrate.quad(integrand, 0, 1, limit=300, points=points, epsabs=1e-10)[0])


def test_ranks_of_four_arms_are_scipys_integrals() -> None:
    arms = [BetaPosterior(12, 90), BetaPosterior(16, 85), BetaPosterior(1, 1), BetaPosterior(400, 3_000)]
    frozen = [stats.beta(arm.a, arm.b) for arm in arms]
    ranks = rank_probabilities(arms)
    lowest = rank_probabilities(arms, smallest=True)
    for place, own in enumerate(frozen):
        rest = [one for other, one in enumerate(frozen) if other != place]
        best = partial(rank_density, own, rest, [])
        worst = partial(rank_density, own, [], rest)
        seconds = [partial(rank_density, own, [r for r in rest if r is not one], [one]) for one in rest]
        for made, integrands in ((ranks.first, [best]), (ranks.second, seconds), (lowest.first, [worst])):
            assert made[place] == pytest.approx(math.fsum(map(integral, integrands)), abs=1e-8)


def test_ranks_are_those_of_draws() -> None:
    random = np.random.default_rng(0)
    arms = [
        NormalPosterior(0, 1),
        NormalPosterior(0.3, 2),
        NormalPosterior(0.5, 0.1),
        NormalPosterior(-1, 1.5),
    ]
    draws = np.column_stack([random.normal(arm.mean, arm.deviation, 200_000) for arm in arms])
    order = np.argsort(-draws, axis=1)
    ranks = rank_probabilities(arms)
    for place in range(4):
        assert abs((order[:, 0] == place).mean() - ranks.first[place]) < 4 * 0.5 / 200_000**0.5
        assert abs((order[:, 1] == place).mean() - ranks.second[place]) < 4 * 0.5 / 200_000**0.5


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=6))
def test_ranks_sum_to_one_and_follow_their_arms(counts: list[tuple[int, int]]) -> None:
    arms = [BetaPosterior(1 + won, 1 + lost) for won, lost in counts]
    ranks, back = rank_probabilities(arms), rank_probabilities(arms[::-1])
    for made, reverse in zip(ranks, back, strict=True):
        assert math.fsum(made) == pytest.approx(1)
        assert made == pytest.approx(reverse[::-1], abs=1e-10)
        assert min(made) >= 0


def test_extreme_arms_have_probabilities_too() -> None:
    far = rank_probabilities([BetaPosterior(1, 1_000_000), BetaPosterior(500_000, 500_000)])
    assert far.first[1] == pytest.approx(1)
    tight = rank_probabilities([NormalPosterior(0, 1e-9), NormalPosterior(0, 1e6), NormalPosterior(0, 1)])
    assert tight.first == pytest.approx((0.25, 0.5, 0.25), abs=1e-4)


def test_thompson_gives_each_arm_its_chance_to_be_the_best() -> None:
    log = trials((10, 100), (15, 100))
    assert shares_of(log, floor=0.0)[1] == pytest.approx(exceeds((11, 91), (16, 86)))
    assert shares_of(log, floor=0.0, direction="decrease")[0] == pytest.approx(exceeds((11, 91), (16, 86)))
    prior = shares_of(log, floor=0.0, prior=(5.0, 40.0))
    assert prior[1] == pytest.approx(exceeds((15, 130), (20, 125)))


def test_the_two_best_arms_share_the_top_two_whichever_way_is_better() -> None:
    """Ranks one and two, also from the bottom: an engine that takes two and three favours the worst arm."""
    log = trials((300, 1_000), (280, 1_000), (100, 1_000), (90, 1_000))
    assert shares_of(log, method="top_two", floor=0.0) == pytest.approx([0.5, 0.5, 0, 0], abs=1e-6)
    assert shares_of(log, method="top_two", direction="decrease", floor=0.0) == pytest.approx(
        [0, 0, 0.5, 0.5], abs=1e-6
    )
    assert shares_of(trials((3, 10), (9, 10)), method="top_two", floor=0.0) == pytest.approx([0.5, 0.5])


def test_top_two_thompson_is_what_its_draws_give() -> None:
    """Russo 2020: the arm that a draw calls best with probability `leader`, else the best of a draw that differs."""
    log = trials((10, 100), (15, 100), (14, 100))
    random = np.random.default_rng(3)
    draws = random.beta([11, 16, 15], [91, 86, 87], (60_000, 3)).argmax(axis=1)
    first, rest = draws[:30_000], iter(np.concatenate([draws[30_000:], draws[:30_000]] * 4).tolist())
    chosen = [
        arm if keeps else next(other for other in rest if other != arm)
        for arm, keeps in zip(first.tolist(), random.random(30_000) < 0.6, strict=True)
    ]
    made = shares_of(log, method="top_two_thompson", leader=0.6, floor=0.0)
    assert math.fsum(made) == pytest.approx(1)
    for arm, share in enumerate(made):
        assert abs(chosen.count(arm) / 30_000 - share) < 5 * 0.5 / 30_000**0.5


def test_top_two_thompson_stays_defined_when_one_arm_is_sure() -> None:
    made = shares_of(trials((1, 5_000), (2_500, 5_000), (1, 5_000)), method="top_two_thompson", floor=0.0)
    assert made == pytest.approx([0.25, 0.5, 0.25], abs=1e-6)


def test_floors_hold_and_the_rest_is_shared_by_the_rule() -> None:
    bare = shares_of(trials((10, 100), (15, 100), (40, 100)), floor=0.0)
    made = shares_of(trials((10, 100), (15, 100), (40, 100)), floor=0.1)
    assert made == pytest.approx([0.1 + 0.7 * share for share in bare])
    assert math.fsum(made) == pytest.approx(1)
    assert shares_of(trials((10, 100), (40, 100)), floor=0.5) == [0.5, 0.5]


def test_means_go_by_their_normal_posteriors() -> None:
    log = log_of((50, 1.0, 49.0), (80, 1.3, 316.0))
    expected = float(stats.norm.cdf(0.3 / math.sqrt(1 / 50 + 4 / 80)))
    assert shares_of(log, kind="mean", floor=0.0)[1] == pytest.approx(expected)
    known = AdaptiveAllocation(kind="mean", prior=(1.1, 0.2)).posteriors(log.totals())
    assert known is not None
    # Precisions 25 of the prior and 50 of the data.
    expected = float(stats.norm.cdf(1.2, (25 * 1.1 + 50 * 1.0) / 75, 75**-0.5))
    assert known[0].below(np.array([1.2])) == pytest.approx(expected)


def test_nothing_known_is_shared_equally() -> None:
    assert shares_of(AdaptiveLog(("a", "b")), floor=0.0) == pytest.approx([0.5, 0.5])
    for log in (
        AdaptiveLog(("a", "b")),
        log_of((1, 3.0, 0.0), (50, 1.0, 3.0)),
        log_of((9, 1.0, 0.0), (9, 1.0, 0.0)),
    ):
        assert shares_of(log, kind="mean", floor=0.0) == [0.5, 0.5]
    lopsided = shares_of(log_of((9, 1.0, 0.0), (9, 1.0, 8.0)), kind="mean", floor=0.0)
    assert lopsided == pytest.approx([0.5, 0.5])


def test_the_same_log_gives_the_same_shares() -> None:
    log = trials((10, 100), (15, 100), (14, 100))
    assert shares_of(log) == shares_of(AdaptiveLog.from_json(log.to_json()))


@pytest.mark.parametrize(
    "options",
    [
        {"method": "best"},
        {"kind": "ratio"},
        {"direction": "up"},
        {"floor": -0.1},
        {"leader": 2.0},
        {"floor": 0.6},
    ],
)
def test_rules_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        shares_of(trials((1, 2), (1, 2)), **options)
    assert caught.value.code == "adaptive"


def test_distributions_that_cannot_be_are_refused() -> None:
    for make in (
        lambda: BetaPosterior(0, 1),
        lambda: NormalPosterior(0, 0),
        lambda: rank_probabilities([BetaPosterior(1, 1)]),
    ):
        with pytest.raises(UsageError) as caught:
            make()
        assert caught.value.code == "adaptive"
    with pytest.raises(StatisticsError, match="outcomes of 0 and 1") as wrong:
        shares_of(log_of((50, 0.4, 3.0), (50, 0.5, 12.5)))
    assert wrong.value.code == "invalid_outcome"


def test_a_log_adds_batches_and_keeps_its_own() -> None:
    log = AdaptiveLog(("plain", "warm", "hot"))
    first = pl.DataFrame({"variant": ["plain", "warm", "plain", None][:3], "orders": [1.0, 2.0, 4.0]})
    longer = log.add(first, outcome="orders", propensities={"plain": 0.5, "warm": 0.25, "hot": 0.25})
    second = pl.DataFrame({"variant": ["warm"], "orders": [True]})
    longer = longer.add(second, outcome="orders", propensities={"warm": 0.5, "plain": 0.5})
    assert log.batches == ()
    assert longer.totals() == {
        "plain": ArmMoments(2, 2.5, 4.5),
        "warm": ArmMoments(2, 1.5, 0.5),
        "hot": ArmMoments(0, 0.0, 0.0),
    }
    assert longer.to_frame()["units"].to_list() == [2, 1, 0, 0, 1, 0]
    assert longer.to_frame()["mean"].null_count() == 3
    assert AdaptiveLog.from_json(longer.to_json()) == longer


@pytest.mark.parametrize(
    ("responses", "propensities", "code"),
    [
        ({"variant": ["a"], "y": [1.0]}, {"a": 0.5, "b": 0.4}, "weights"),
        ({"variant": ["a"], "y": [1.0]}, {"a": 1.5, "b": -0.5}, "weights"),
        ({"variant": ["a"], "y": [1.0]}, {"a": 0.5, "c": 0.5}, "unknown_variant"),
        ({"variant": ["c"], "y": [1.0]}, {"a": 0.5, "b": 0.5}, "unknown_variant"),
        ({"variant": [None], "y": [1.0]}, {"a": 0.5, "b": 0.5}, "unknown_variant"),
        ({"variant": ["a"], "y": [None]}, {"a": 0.5, "b": 0.5}, "invalid_outcome"),
        ({"variant": ["a"], "y": [math.nan]}, {"a": 0.5, "b": 0.5}, "invalid_outcome"),
        ({"variant": ["a"], "y": [1.0]}, {"b": 1.0}, "adaptive"),
    ],
)
def test_batches_that_cannot_be_are_refused(
    responses: dict[str, list[object]], propensities: dict[str, float], code: str
) -> None:
    frame = pl.DataFrame(responses, schema={"variant": pl.String, "y": pl.Float64})
    with pytest.raises((UsageError, StatisticsError)) as caught:
        AdaptiveLog(("a", "b")).add(frame, outcome="y", propensities=propensities)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "data",
    [b"{}", b"[", b'{"variants": ["a"], "batches": []}', b'{"variants": ["a", "b"], "batches": [], "x": 1}'],
)
def test_what_is_no_log_is_refused(data: bytes) -> None:
    with pytest.raises(StatisticsError) as caught:
        AdaptiveLog.from_json(data)
    assert caught.value.code == "adaptive"


def test_a_log_wants_two_variants() -> None:
    for names in ((), ("a",), ("a", "a")):
        with pytest.raises(UsageError) as caught:
            AdaptiveLog(names)
        assert caught.value.code == "adaptive"

"""What holds for every stop rule: bounds, p-value and decision agree, and bad input is named."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labfactory import AlwaysValid, BetaBinomial, Betting, GroupSequential, StatisticsError, UsageError
from labfactory.lab.estimators import Sample
from labfactory.lab.sequential import Look

RULES = [
    AlwaysValid(),
    AlwaysValid(horizon=10_000),
    BetaBinomial(),
    BetaBinomial(horizon=40),
    Betting(),
    GroupSequential(spending="pocock"),
    GroupSequential(looks=2, spending="power", shape=2, planned_units=100_000),
]


def converting(units: int, conversions: int) -> Sample:
    """An arm of zeros and ones."""
    rate = conversions / units
    return Sample(units, rate, rate * (1 - rate) * units / (units - 1))


@st.composite
def arms(draw: st.DrawFn) -> tuple[Sample, Sample]:
    pair = []
    for _ in range(2):
        units = draw(st.integers(50, 50_000))
        pair.append(converting(units, draw(st.integers(0, units // 4))))
    return pair[0], pair[1]


def says_more(lower: float | None, upper: float | None) -> bool:
    return (lower is not None and lower > 0) or (upper is not None and upper < 0)


@pytest.mark.parametrize("alternative", ["two_sided", "greater", "less"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@given(pair=arms())
@settings(max_examples=15, deadline=None)
def test_p_value_and_both_intervals_decide_alike(rule, alternative, pair):
    look = rule.look(*pair, alpha=0.05, alternative=alternative)
    if look.p is None:
        assert look.lower is look.upper is None
        return
    decided = look.p <= 0.05
    assert decided == says_more(look.lower, look.upper)
    assert decided == (look.stop == "significant")
    if look.relative is not None and look.relative_lower is not None:
        assert (look.lower > 0) == (look.relative_lower > 0)
    if look.relative is not None and look.relative_upper is not None:
        assert (look.upper < 0) == (look.relative_upper < 0)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@given(pair=arms())
@settings(max_examples=15, deadline=None)
def test_swapping_arms_turns_the_interval_round(rule, pair):
    look = rule.look(*pair, alpha=0.05)
    swapped = rule.look(*reversed(pair), alpha=0.05)
    if look.lower is not None:
        assert look.lower == pytest.approx(-swapped.upper, abs=1e-9)
        assert look.log_p == pytest.approx(swapped.log_p, abs=1e-9)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("alpha", [0.2, 0.01])
def test_a_smaller_alpha_asks_for_more(rule, alpha):
    pair = converting(20_000, 100), converting(20_000, 140)
    wide, narrow = rule.look(*pair, alpha=alpha / 10), rule.look(*pair, alpha=alpha)
    assert wide.lower < narrow.lower < narrow.value < narrow.upper < wide.upper
    assert wide.relative_lower < narrow.relative_lower < narrow.relative_upper < wide.relative_upper


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_p_value_is_never_zero_and_its_logarithm_never_rounds(rule):
    look = rule.look(converting(10**7, 10**5), converting(10**7, 3 * 10**5), alpha=0.05)
    assert look.p == 5e-324
    assert -math.inf < look.log_p < -1000


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_decision_is_not_taken_back_by_a_later_look(rule):
    first = rule.look(converting(20_000, 100), converting(20_000, 180), alpha=0.05)
    second = rule.look(converting(40_000, 300), converting(40_000, 310), alpha=0.05, history=[first])
    assert (first.number, second.number) == (1, 2)
    assert (first.stop, second.stop) == ("significant", "significant")
    assert second.p > 0.05


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_nobody_converting_shows_nothing(rule):
    look = rule.look(converting(500, 0), converting(500, 0), alpha=0.05)
    assert look.stop is None
    assert look.relative is None
    assert look.p is None or look.p == pytest.approx(1.0)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_what_it_is(rule):
    look = rule.look(converting(500, 5), converting(500, 9), alpha=0.05)
    kind = rule.to_dict().pop("kind")
    assert look.rule == rule.name
    assert rule.name.startswith(f"{kind}(")
    assert repr(look).startswith(f"Look 1 of {rule.name}: go on, two_sided at alpha 0.05\n")
    assert Look(**look.to_dict()) == look


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 1.0}, "alpha"),
        ({"alpha": 0.6, "alternative": "greater"}, "alpha"),
        ({"alpha": 0.05, "alternative": "grater"}, "alternative"),
        ({"alpha": 0.05, "share": 1.0}, "share"),
    ],
)
def test_a_call_that_cannot_be_read_is_refused(rule, options, code):
    with pytest.raises(UsageError) as raised:
        rule.look(converting(500, 5), converting(500, 9), **options)
    assert raised.value.code == code


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_an_arm_without_units_is_refused(rule):
    with pytest.raises(StatisticsError, match="found 0 and 500") as raised:
        rule.look(Sample(0, 0.0, 0.0), converting(500, 9), alpha=0.05)
    assert raised.value.code == "no_units"


@pytest.mark.parametrize(
    "make",
    [
        lambda: AlwaysValid(horizon=0),
        lambda: AlwaysValid(burn_in=-1),
        lambda: BetaBinomial(horizon=math.nan),
        lambda: Betting(bound=0),
        lambda: Betting(horizon=math.inf),
        lambda: GroupSequential(looks=0),
        lambda: GroupSequential(planned_units=0),
        lambda: GroupSequential(power=1.0),
        lambda: GroupSequential(spending="pocok"),
        lambda: GroupSequential(spending="power"),
        lambda: GroupSequential(spending="power", shape=-1),
        lambda: GroupSequential(shape=2.0),
    ],
)
def test_a_rule_without_sense_is_refused(make):
    with pytest.raises(UsageError) as raised:
        make()
    assert raised.value.code == "stop_rule"


def test_amounts_are_not_conversions():
    with pytest.raises(StatisticsError, match="of 0 and 1") as raised:
        BetaBinomial().look(Sample(100, 0.5, 0.1), converting(100, 50), alpha=0.05)
    assert raised.value.code == "invalid_outcome"


@pytest.mark.parametrize("arm", [Sample(100, 30.0, 1.0), Sample(100, 1.0, 400.0), Sample(100, -1.0, 1.0)])
def test_outcomes_beyond_their_bound_are_refused(arm):
    with pytest.raises(StatisticsError, match="from 0 to 20") as raised:
        Betting(bound=20).look(arm, arm, alpha=0.05)
    assert raised.value.code == "outcome_bound"


def test_hillstroms_spend_has_the_sequence_of_gbstats():
    # Counts, means and variances of its arms "No E-Mail" and "Mens E-Mail"; gbstats 0.8.0 on the rows.
    control, mens = Sample(21_306, 0.65278936, 134.286), Sample(21_307, 1.42261650, 315.212)
    look = AlwaysValid(horizon=5000).look(control, mens, alpha=0.05)
    assert (look.lower, look.upper) == pytest.approx((0.3020656, 1.2375887), abs=2e-6)
    assert look.p == pytest.approx(8.0754e-6, rel=1e-4)


def test_before_its_burn_in_an_interval_says_nothing():
    look = AlwaysValid(burn_in=1000).look(converting(999, 5), converting(2000, 500), alpha=0.05)
    assert (look.lower, look.upper, look.relative_lower, look.p, look.stop) == (None, None, None, 1.0, None)
    later = AlwaysValid(burn_in=1000).look(converting(1000, 5), converting(2000, 500), alpha=0.05)
    assert later.stop == "significant"


def test_a_unit_of_another_currency_changes_nothing():
    dear = Sample(5000, 0.6, 24.0), Sample(5000, 1.1, 44.0)
    cheap = Sample(5000, 60.0, 240_000.0), Sample(5000, 110.0, 440_000.0)
    euros, cents = Betting(bound=200).look(*dear, alpha=0.05), Betting(bound=20_000).look(*cheap, alpha=0.05)
    assert cents.log_p == pytest.approx(euros.log_p)
    assert cents.lower == pytest.approx(100 * euros.lower)
    assert cents.relative_lower == pytest.approx(euros.relative_lower)


@pytest.mark.parametrize("share", [0.5, 0.2])
@pytest.mark.parametrize("rule", [BetaBinomial(), Betting()], ids=lambda rule: rule.name)
def test_every_difference_outside_the_exact_bounds_is_rejected(rule, share):
    pair = converting(8000, 100), converting(2000, 70)
    look = rule.look(*pair, alpha=0.05, share=share)
    wealth = rule._wealth(*pair, alpha=0.05, alternative="two_sided", share=share).against_difference
    outside = [*np.linspace(-0.99, look.lower - 1e-6, 40), *np.linspace(look.upper + 1e-6, 0.99, 40)]
    assert all(wealth(d) > -math.log(0.05) for d in outside)
    assert all(wealth(d) < -math.log(0.05) for d in np.linspace(look.lower + 1e-6, look.upper - 1e-6, 40))


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.05, 0.95))
def test_the_bets_at_no_difference_are_the_coin_of_the_conversions(treated, controls, share):
    arms = converting(500_000, controls), converting(500_000, treated)
    wealth = BetaBinomial()._wealth(*arms, alpha=0.05, alternative="two_sided", share=share)
    coin = BetaBinomial().log_p(np.array(treated), np.array(controls), alpha=0.05, share=share)
    assert min(0.0, -wealth.against_difference(0.0)) == pytest.approx(float(coin), abs=1e-9)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize(
    ("mean", "variance"), [(math.nan, 1.0), (math.inf, 1.0), (0.5, math.inf), (0.5, -1.0)]
)
def test_figures_that_cannot_be_are_refused(rule, mean, variance):
    with pytest.raises(StatisticsError, match="finite mean and a variance of 0 or more") as raised:
        rule.look(converting(100, 50), Sample(100, mean, variance), alpha=0.05)
    assert raised.value.code == "invalid_outcome"

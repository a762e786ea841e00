"""Limits that hold for all customers together: kept, priced, and proven near the best."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from labfactory._core import limits as core
from labfactory.base.errors import SelectionError
from labfactory.selection import (
    Allocation,
    Limit,
    Option,
    SelectionPolicy,
    SlotPolicy,
    allocate,
    price_limits,
)
from labfactory.selection.allocation import Shortlists
from labfactory.selection.limits import bounds_of

Matrix = npt.NDArray[np.float32]


def made(customers: int, options: int, *, tightness: float, seed: int = 0) -> tuple[Matrix, dict[str, Limit]]:
    """Values of customers of unlike interest, a tenth of them not allowed, and an inventory of each option."""
    random = np.random.default_rng(seed)
    values = (
        random.random((customers, options)) * random.gamma(2.0, 0.5, options) * random.random((customers, 1))
    )
    values[random.random(values.shape) < 0.1] = np.nan
    stock = random.dirichlet(np.full(options, 3.0)) * customers * tightness
    return values.astype(np.float32), {
        str(option): Limit(component=str(option), maximum=int(stock[option])) for option in range(options)
    }


def options_of(count: int) -> list[Option]:
    return [
        Option(component=str(option), tags=("even",) if option % 2 == 0 else ()) for option in range(count)
    ]


def by_highs(values: Matrix, limits: dict[str, Limit]) -> float | None:
    """The linear programme's value; None when it cannot be met."""
    customers, options = values.shape
    bounds = bounds_of(limits, options_of(options))
    rows: list[Any] = [sparse.kron(sparse.eye(customers), np.ones((1, options)))]
    rows += [sparse.csr_matrix(bound.sign * np.tile(bound.weights, customers)[None, :]) for bound in bounds]
    right = np.concatenate([np.ones(customers), [bound.sign * bound.amount for bound in bounds]])
    most = np.where(np.isnan(values), 0.0, 1.0).ravel()
    solve: Any = linprog
    found = solve(
        -np.nan_to_num(values).astype(float).ravel(),
        A_ub=sparse.vstack(rows).tocsr(),
        b_ub=right,
        bounds=np.stack([np.zeros(most.size), most], axis=1),
        method="highs",
    )
    return None if found.status == 2 else -float(found.fun)


def check(values: Matrix, limits: dict[str, Limit], allocation: Allocation) -> None:
    """Everything that an allocation promises, from its choices alone."""
    options = options_of(values.shape[1])
    taken = allocation.choices >= 0
    rows = np.flatnonzero(taken)
    worth = values[rows, allocation.choices[rows]]
    assert not np.isnan(worth).any(), "somebody got what they may not have"
    assert allocation.value == pytest.approx(float(worth.astype(np.float64).sum()), rel=1e-9, abs=1e-9)
    assert allocation.without == int((~taken).sum())
    for bound in bounds_of(limits, options):
        used = sum(np.array(bound.costs)[allocation.choices[rows]].tolist())
        assert allocation.used[bound.name] == used / bound.parts
        assert used >= bound.bound if bound.is_minimum else used <= bound.bound
    assert min(allocation.prices.values(), default=0.0) >= 0.0
    assert allocation.value <= allocation.bound + 1e-9 * abs(allocation.bound) + 1e-9


@pytest.mark.parametrize("tightness", [0.3, 0.7, 1.5], ids=["tight", "middling", "loose"])
def test_highs_finds_no_better_one(tightness: float) -> None:
    values, limits = made(1500, 20, tightness=tightness)
    allocation = allocate(values, limits)
    check(values, limits, allocation)
    best = by_highs(values, limits)
    assert best is not None
    assert allocation.value <= best * (1 + 1e-9) <= allocation.bound * (1 + 2e-9)
    assert allocation.gap < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("tightness", [0.4, 1.2], ids=["tight", "loose"])
def test_highs_agrees_where_limits_overlap(tightness: float) -> None:
    values, limits = made(1000, 50, tightness=tightness, seed=3)
    limits["even"] = Limit(tag="even", minimum=100, maximum=400)
    limits["spend"] = Limit(budget=150.0, costs={str(option): 0.1 + option / 100 for option in range(50)})
    allocation = allocate(values, limits, options=options_of(50))
    check(values, limits, allocation)
    best = by_highs(values, limits)
    assert best is not None
    assert allocation.value <= best * (1 + 1e-9) <= allocation.bound * (1 + 2e-9)
    assert allocation.gap <= 1e-3


@pytest.mark.slow
def test_a_sample_prices_all_within_a_tenth_of_a_percent() -> None:
    values, limits = made(100_000, 50, tightness=0.5, seed=4)
    allocation = allocate(values, limits, sample=40_000)
    check(values, limits, allocation)
    assert allocation.gap <= 1e-3


def test_without_limits_everybody_gets_the_best() -> None:
    values, _ = made(300, 5, tightness=1.0)
    allocation = allocate(values, {})
    best = np.nan_to_num(values, nan=-1.0).argmax(axis=1)
    assert allocation.choices.tolist() == best.tolist()
    assert (allocation.gap, allocation.repaired) == (0.0, 0)


def test_what_is_worth_less_than_nothing_is_given_for_a_minimum_alone() -> None:
    values = np.full((10, 2), -1.0, np.float32)
    values[:, 1] = np.linspace(-0.9, -0.1, 10)
    assert allocate(values, {}).without == 10
    wanted = {"some": Limit(component="1", minimum=3)}
    allocation = allocate(values, wanted)
    assert allocation.choices.tolist() == [-1] * 7 + [1] * 3
    check(values, wanted, allocation)


def test_equal_values_leave_the_halves_to_the_lot_of_the_keys() -> None:
    values = np.ones((1000, 2), np.float32)
    halves = {
        "a": Limit(component="0", minimum=500, maximum=500),
        "b": Limit(component="1", minimum=500, maximum=500),
    }
    allocation = allocate(values, halves)
    check(values, halves, allocation)
    assert np.bincount(allocation.choices).tolist() == [500, 500]
    assert allocation.gap < 1e-3


@st.composite
def instances(draw: st.DrawFn) -> tuple[Matrix, dict[str, Limit]]:
    customers, options = draw(st.integers(0, 12)), draw(st.integers(1, 4))
    cell = st.one_of(
        st.just(float("nan")), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.0, 2.0]), st.floats(-3, 3, width=32)
    )
    values = np.array(
        draw(st.lists(cell, min_size=customers * options, max_size=customers * options)), np.float32
    )
    limits: dict[str, Limit] = {}
    for option in range(options):
        kind = draw(st.sampled_from(["none", "maximum", "minimum", "both"]))
        low, high = sorted((draw(st.integers(0, 6)), draw(st.integers(0, 6))))
        bounds: dict[str, Any] = {"minimum": low, "maximum": high}
        kept = {name: bounds[name] for name in bounds if kind in (name, "both")}
        if kept:
            limits[str(option)] = Limit(component=str(option), **kept)
    return values.reshape(customers, options), limits


def brute(values: Matrix, limits: dict[str, Limit]) -> float | None:
    """The best of all choices; None when none keeps the limits."""
    if values.size:
        return by_highs(values, limits)
    return None if any(limit.minimum for limit in limits.values()) else 0.0


@given(instances())
def test_limits_are_kept_or_named_where_none_can_keep_them(instance: tuple[Matrix, dict[str, Limit]]) -> None:
    values, limits = instance
    # Limits of single options make a flow problem, so the linear programme has a whole solution when it has one.
    best = brute(values, limits)
    if best is None:
        with pytest.raises(SelectionError) as caught:
            allocate(values, limits)
        assert caught.value.code == "limits_infeasible"
        return
    allocation = allocate(values, limits)
    check(values, limits, allocation)
    assert allocation.value <= best + 1e-6
    assert best <= allocation.bound + 1e-6


@given(instances(), st.randoms(use_true_random=False))
def test_any_split_and_order_gives_the_same(instance: tuple[Matrix, dict[str, Limit]], random: Any) -> None:
    values, limits = instance
    assume(len(values) > 1 and brute(values, limits) is not None)
    keys = np.random.default_rng(1).integers(0, 2**63, len(values)).astype(np.uint64)
    names = options_of(values.shape[1])
    priced = price_limits(values, limits, names, customers=len(values))
    expected = priced.settle(priced.shortlists(values, keys))
    order = list(range(len(values)))
    random.shuffle(order)
    cut = random.randint(1, len(values) - 1)
    parts = [priced.shortlists(values[rows], keys[rows], threads=1) for rows in (order[:cut], order[cut:])]
    found = priced.settle(Shortlists.joined(parts))
    assert found.choices.tolist() == expected.choices[order].tolist()
    assert found.was_repaired.tolist() == expected.was_repaired[order].tolist()
    assert found.to_json() == expected.to_json()


def test_order_and_threads_change_no_price() -> None:
    values, limits = made(6000, 10, tightness=0.5)
    keys = np.random.default_rng(2).permutation(len(values)).astype(np.uint64)
    order = np.random.default_rng(3).permutation(len(values))
    one = allocate(values, limits, keys=keys, sample=2000, threads=1)
    two = allocate(values[order], limits, keys=keys[order], sample=2000, threads=2)
    assert one.to_json() == two.to_json()
    assert one.choices[order].tolist() == two.choices.tolist()


def test_a_smoothed_choice_is_the_projection_onto_the_simplex() -> None:
    random = np.random.default_rng(5)
    values = random.normal(size=(40, 6)).astype(np.float32)
    values[0] = np.nan
    surplus, amounts = core.demand(values, np.full(6, 0.1), 0.7, 2)
    expected, total = np.zeros(6), 0.0
    for row in values[1:].astype(float) - 0.1:
        # By all supports: the one whose shares are feasible and worth the most is the maximum of a concave function.
        best, shares = 0.0, np.zeros(6)
        for support in itertools.chain.from_iterable(
            itertools.combinations(range(6), size) for size in range(1, 7)
        ):
            at = list(support)
            for threshold in (0.0, (row[at].sum() - 0.7) / len(at)):
                x = np.zeros(6)
                x[at] = (row[at] - threshold) / 0.7
                worth = x @ row - 0.35 * (x**2).sum()
                if (x >= -1e-12).all() and x.sum() <= 1 + 1e-12 and worth > best:
                    best, shares = worth, x
        total, expected = total + best, expected + shares
    assert surplus == pytest.approx(total, rel=1e-9)
    assert amounts == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_shortlist_holds_the_best_and_the_best_of_each_group() -> None:
    random = np.random.default_rng(6)
    values = random.random((50, 9)).astype(np.float32)
    values[random.random(values.shape) < 0.3] = np.nan
    prices = random.random(9)
    options, kept = core.shortlist(values, prices, 3, [[7, 8]], 2)
    net = np.where(np.isnan(values), -np.inf, values - prices)
    for row in range(50):
        allowed = [option for option in np.argsort(-net[row], kind="stable") if np.isfinite(net[row, option])]
        expected = allowed[:3]
        group = [option for option in allowed if option in (7, 8)]
        if group and not {7, 8} & set(expected):
            expected = [*expected, group[0]]
        assert [option for option in options[row] if option >= 0] == expected
        assert kept[row][options[row] >= 0].tolist() == values[row, expected].tolist()


def test_what_was_drawn_stays_where_there_is_room() -> None:
    values = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], np.float32)
    priced = price_limits(values, {"stock": Limit(component="1", maximum=2)}, options_of(2), customers=3)
    lists = priced.shortlists(values, np.arange(3, dtype=np.uint64))
    drawn = Shortlists(lists.keys, lists.options, lists.values, np.array([1, 1, 1], np.int32))
    allocation = priced.settle(drawn)
    assert allocation.used["stock.maximum"] <= 2
    assert allocation.was_repaired.sum() == allocation.repaired >= 1


def test_minimums_that_cannot_be_met_are_named_with_what_is_short() -> None:
    values = np.ones((10, 2), np.float32)
    values[4:, 1] = np.nan
    with pytest.raises(SelectionError) as caught:
        allocate(values, {"tea": Limit(component="1", minimum=6)})
    assert caught.value.code == "limits_infeasible"
    assert "tea.minimum 6 reached 4, 4 could be had of it alone" in str(caught.value)
    rivals = {"a": Limit(component="0", minimum=7), "b": Limit(component="1", minimum=4)}
    with pytest.raises(
        SelectionError, match=r"found short: a.minimum 7 reached 6, 10 could be had of it alone"
    ):
        allocate(values, rivals)


def test_a_chain_of_customers_makes_room_where_nobody_can_go_directly() -> None:
    # Only the first may have b; b's minimum needs them, and a's needs somebody in their place.
    nan = float("nan")
    values = np.array([[1.0, 0.5, nan], [0.2, nan, 1.0], [nan, nan, 1.0]], np.float32)
    limits = {"a": Limit(component="0", minimum=1, maximum=1), "b": Limit(component="1", minimum=1)}
    allocation = allocate(values, limits)
    assert allocation.choices.tolist() == [1, 0, 2]
    check(values, limits, allocation)


@pytest.mark.parametrize(
    "wrong",
    [
        {"maximum": -1},
        {"minimum": 5, "maximum": 4},
        {},
        {"budget": 10.0},
        {"costs": {"a": 1.0}, "maximum": 3},
        {"budget": float("nan"), "costs": {"a": 1.0}},
        {"budget": 1.0, "costs": {"a": -1.0}},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SelectionError) as caught:
        Limit(**wrong)
    assert caught.value.code == "limit"


@pytest.mark.parametrize(
    "limit",
    [
        Limit(component="teas", maximum=1),
        Limit(tag="odd", maximum=1),
        Limit(component="0", budget=1.0, costs={"1": 1.0}),
    ],
)
def test_a_limit_that_names_nothing_is_refused(limit: Limit) -> None:
    with pytest.raises(SelectionError) as caught:
        allocate(np.ones((2, 2), np.float32), {"x": limit}, options=options_of(2))
    assert caught.value.code == "limit"


def test_budgets_are_kept_to_the_last_millionth() -> None:
    values = np.ones((100, 1), np.float32)
    allocation = allocate(values, {"spend": Limit(budget=0.7, costs={"0": 0.1})})
    assert (allocation.without, allocation.used["spend.budget"]) == (93, 0.7)
    thirds = allocate(values, {"spend": Limit(budget=1.0, costs={"0": 1 / 3})})
    assert thirds.customers - thirds.without == 2


def test_limits_may_count_tags_slots_and_channels() -> None:
    options = [
        Option(component="a", slot="hero", tags=("new",), channel="email"),
        Option(component="a", slot="foot", channel="email"),
        Option(component="b", slot="hero", channel="sms"),
    ]
    limits = {
        "a": Limit(component="a", maximum=5),
        "new": Limit(tag="new", maximum=5),
        "hero": Limit(slot="hero", maximum=5),
        "email": Limit(channel="email", maximum=5),
        "all": Limit(maximum=5),
    }
    costs = [bound.costs for bound in bounds_of(limits, options)]
    assert costs == [(1, 1, 0), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)]


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        (np.full((2, 2), np.inf), None),
        (np.ones(3), None),
        (np.ones((2, 2)), np.zeros(3, np.uint64)),
    ],
)
def test_input_that_is_no_matrix_of_values_is_refused(values: Any, keys: Any) -> None:
    with pytest.raises(SelectionError) as caught:
        allocate(values, {}, keys=keys)
    assert caught.value.code == "allocation_input"


def test_nobody_gets_nothing_at_no_cost() -> None:
    allocation = allocate(np.zeros((0, 2), np.float32), {"x": Limit(component="0", maximum=3)})
    assert (allocation.customers, allocation.value, allocation.gap) == (0, 0.0, 0.0)


def test_the_table_says_what_is_used_and_what_it_is_worth() -> None:
    values, limits = made(400, 4, tightness=0.5)
    allocation = allocate(values, limits)
    lines = repr(allocation).splitlines()
    assert lines[0].startswith("Allocation: 400 customers, value ")
    assert len(lines) == 2 + len(limits)
    frame = allocation.to_frame()
    assert frame["limit"].to_list() == [f"{name}.maximum" for name in limits]
    assert (frame["used"] <= frame["bound"]).all()


def test_limits_stand_in_the_policys_file() -> None:
    limits = {
        "stock": Limit(component="a", maximum=20),
        "new brand": Limit(tag="new", slot="hero", channel="email", minimum=0),
        "spend": Limit(budget=10, costs={"a": 0.25, "b c": 1}),
    }
    policy = SelectionPolicy.build("1", limits=limits, hero=SlotPolicy.build())
    again = SelectionPolicy.from_files(policy.files())
    assert again == policy
    assert again.limits == limits
    assert again.files() == policy.files()


@pytest.mark.parametrize(
    ("line", "code", "place"),
    [
        ("maximum = -1", "limit", None),
        ("maximums = 1", "policy_field", "did you mean 'maximum'?"),
        ("maximum = 1.5", "policy_field", None),
    ],
)
def test_a_limit_that_is_wrong_is_shown_in_the_file(line: str, code: str, place: str | None) -> None:
    text = f'version = "1"\n[limits.stock]\n{line}\n[slots.hero]\n'
    with pytest.raises(SelectionError) as caught:
        SelectionPolicy.from_files({"selection.toml": text.encode()})
    assert caught.value.code == code
    assert caught.value.line in (2, 3)
    assert place is None or place in str(caught.value.hint)


def test_customers_who_are_all_alike_exchange_places_until_nothing_is_gained() -> None:
    # Prices cannot tell twins apart, so all of them would take the same: the best of these is known.
    values = np.full((2000, 3), np.nan, np.float32)
    values[:1000, 0], values[:1000, 1] = 1.0, 0.1
    values[1000:, 0], values[1000:, 2] = 0.2, 1.0
    limits = {"a": Limit(component="0", minimum=1000, maximum=1000), "b": Limit(component="1", minimum=500)}
    keys = np.random.default_rng(8).permutation(2000).astype(np.uint64)
    allocation = allocate(values, limits, keys=keys, sample=300)
    check(values, limits, allocation)
    assert allocation.value == pytest.approx(500 * 0.1 + 500 * 1.0 + 500 * 0.2 + 500 * 1.0)
    assert allocation.gap < 1e-3

"""Every exploration mode draws as its propensities say, and its propensities are what its definition says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy import integrate, stats

from labfactory.base.errors import SelectionError
from labfactory.selection import Cap, ContactRules, Exploration, SelectionPolicy, SlotPolicy

NAMES = ["a", "b", "c", "d"]
BIAS = np.array([0.3, 0.5, 0.1, 0.45])
VARIANCE = np.array([[0.04], [0.01], [0.09], [0.0225]])
BELIEFS = {"a": (3.0, 9.0), "b": (40.0, 90.0), "c": (1.0, 1.0), "d": (12.0, 30.0)}
ROWS = 100_000


@dataclass(frozen=True)
class Named:
    """A component without a condition."""

    name: str
    eligible: None = None


def slot_of(mode: str, **parameters) -> SlotPolicy:
    exploration = Exploration(mode=mode, **parameters)
    return SlotPolicy.build(
        components=NAMES,
        features={"one": "1.0 + 0 * age"},
        weights=np.zeros((4, 1)),
        bias=BIAS,
        uncertainty=VARIANCE,
        exploration=exploration,
    )


def decide(bind, slot: SlotPolicy, rows: int = ROWS) -> pa.StructArray:
    batch = pa.record_batch({"age": np.arange(rows)})
    blocks = ["a", "b", ("c", "age % 2 == 0"), "d"]
    return bind(slot, batch, blocks).decide(batch, keys=batch["age"], seed=5, threads=2).column("hero")


def check_frequencies(decided: pa.StructArray, expected: np.ndarray, even: bool, rel: float = 1e-5) -> None:
    """The propensities are those expected, and as many customers get each component."""
    rows = (np.arange(len(decided)) % 2 == 0) == even
    index = np.array(decided.field("index"))[rows]
    taken = np.bincount(index, minlength=4)
    assert np.array(decided.field("propensity"))[rows] == pytest.approx(expected[index], rel=rel)
    possible = expected > 0
    assert taken[~possible].sum() == 0
    assert stats.chisquare(taken[possible], rows.sum() * expected[possible] / expected.sum()).pvalue > 1e-4


def test_squarecb_weighs_by_the_gap_to_the_best(bind):
    decided = decide(bind, slot_of("squarecb", gamma=10.0))
    for even in (True, False):
        eligible = np.array([True, True, even, True])
        expected = np.where(eligible, 1 / (eligible.sum() + 10.0 * (0.5 - BIAS)), 0)
        expected[1] = 1 - expected[[0, 2, 3]].sum()
        check_frequencies(decided, expected, even)
    assert not any(decided.field("is_estimate").to_pylist())


def test_ucb_takes_the_highest_upper_bound_with_certainty(bind):
    decided = decide(bind, slot_of("ucb", width=2.0), rows=1_000)
    bound = BIAS + 2 * np.sqrt(VARIANCE[:, 0])
    assert bound.round(3).tolist() == [0.7, 0.7, 0.7, 0.75]
    assert set(decided.field("component").to_pylist()) == {"d"}
    assert set(decided.field("propensity").to_pylist()) == {1.0}
    assert set(decided.field("reason").to_pylist()) == {"explored"}
    assert np.array(decided.field("score")) == pytest.approx(BIAS[decided.field("index").to_numpy()])


def winners(beliefs: list, low: float, high: float) -> np.ndarray:
    """P(each has the highest draw), by scipy's Simpson rule over scipy's distributions."""
    x = np.linspace(low, high, 40_001)
    below = np.array([belief.cdf(x) for belief in beliefs])
    return np.array(
        [
            integrate.simpson(belief.pdf(x) * np.delete(below, at, axis=0).prod(axis=0), x=x)
            for at, belief in enumerate(beliefs)
        ]
    )


def test_normal_thompson_sampling_wins_as_often_as_quadrature_estimates(bind):
    decided = decide(bind, slot_of("thompson"))
    assert set(decided.field("is_estimate").to_pylist()) == {True}
    for even in (True, False):
        arms = [0, 1, 2, 3] if even else [0, 1, 3]
        expected = np.zeros(4)
        expected[arms] = winners([stats.norm(BIAS[arm], VARIANCE[arm, 0] ** 0.5) for arm in arms], -3, 4)
        check_frequencies(decided, expected, even, rel=2e-3)


def test_beta_thompson_sampling_draws_by_its_exact_propensities(bind):
    decided = decide(bind, beta_slot())
    assert not any(decided.field("is_estimate").to_pylist())
    for even in (True, False):
        arms = [0, 1, 2, 3] if even else [0, 1, 3]
        expected = np.zeros(4)
        expected[arms] = winners([stats.beta(*BELIEFS[NAMES[arm]]) for arm in arms], 0, 1)
        check_frequencies(decided, expected, even, rel=2e-3)


def beta_slot() -> SlotPolicy:
    return SlotPolicy(components=tuple(NAMES), beliefs=BELIEFS, exploration=Exploration(mode="thompson"))


@pytest.mark.parametrize("floor", [0.05, 0.25])
@pytest.mark.parametrize("mode", ["squarecb", "ucb", "thompson", "beta"])
def test_a_floor_holds_in_every_mode(bind, mode, floor):
    parameters = {"squarecb": {"gamma": 500.0}, "ucb": {"width": 1.0}}.get(mode, {})
    slot = beta_slot() if mode == "beta" else slot_of(mode, **parameters)
    exploration = Exploration(mode=slot.exploration.mode, floor=floor, **parameters)
    decided = decide(bind, SlotPolicy(**{**vars(slot), "exploration": exploration}), rows=20_000)
    propensity = np.array(decided.field("propensity"))
    assert propensity.min() >= floor * (1 - 1e-12)
    index = np.array(decided.field("index"))[::2]
    # Horvitz-Thompson: each component's inverse propensities sum to the number of customers.
    for arm in range(4):
        weights = np.where(index == arm, 1 / propensity[::2], 0.0)
        assert weights.mean() == pytest.approx(1.0, abs=5 * weights.std() / np.sqrt(len(weights)))


def test_factors_of_a_covariance_say_what_variances_say_and_may_be_shared(bind):
    random = np.random.default_rng(3)
    batch = pa.record_batch({"x": random.normal(size=500), "y": random.normal(size=500)})
    weights = random.normal(size=(3, 2))
    root = random.normal(size=(3, 2, 2))
    features = np.column_stack([batch["x"], batch["y"]])
    for factors in (root, root[:1]):
        slot = SlotPolicy.build(
            components=["a", "b", "c"],
            features={"x": "x", "y": "y"},
            weights=weights,
            uncertainty=factors,
            exploration=Exploration(mode="ucb", width=1.5),
        )
        decided = bind(slot, batch, ["a", "b", "c"]).decide(batch, keys=pa.array(np.arange(500)), seed=1)
        spread = np.linalg.norm(np.einsum("cij,nj->nci", factors, features), axis=2)
        bound = features @ weights.T + 1.5 * spread
        gap = np.sort(bound, axis=1)
        clear = gap[:, -1] - gap[:, -2] > 1e-4
        assert clear.sum() > 400
        assert (np.array(decided.column("hero").field("index")) == bound.argmax(axis=1))[clear].all()


def test_a_component_that_never_could_win_changes_nobodys_draw(bind):
    batch = pa.record_batch({"age": np.arange(2_000)})
    settings = {"features": {"one": "1.0 + 0 * age"}, "exploration": Exploration(mode="thompson")}
    three = SlotPolicy.build(
        components=NAMES[:3], weights=np.zeros((3, 1)), bias=BIAS[:3], uncertainty=VARIANCE[:3], **settings
    )
    four = SlotPolicy.build(
        components=NAMES,
        weights=np.zeros((4, 1)),
        bias=[*BIAS[:3], -50.0],
        uncertainty=VARIANCE,
        **settings,
    )
    decided = [
        bind(slot, batch, NAMES).decide(batch, keys=batch["age"], seed=1).to_pylist()
        for slot in (three, four)
    ]
    assert decided[0] == decided[1]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda: SlotPolicy(exploration=Exploration(mode="thompson")), "exploration"),
        (lambda: SlotPolicy(components=("a",), beliefs={"a": (1, 1)}), "exploration"),
        (lambda: SlotPolicy(**{**vars(beta_slot()), "beliefs": {"a": (1, 1)}}), "model_shape"),
        (lambda: SlotPolicy(**{**vars(beta_slot()), "beliefs": {**BELIEFS, "a": (0.5, 1)}}), "model_value"),
        (
            lambda: SlotPolicy.build(
                components=["a"], features={"x": "x"}, weights=[[1]], uncertainty=[[-1]]
            ),
            "model_value",
        ),
        (
            lambda: SlotPolicy.build(
                components=["a"], features={"x": "x"}, weights=[[1]], uncertainty=[[1, 1]]
            ),
            "model_shape",
        ),
    ],
)
def test_modes_without_what_they_need_are_refused(wrong, code):
    with pytest.raises(SelectionError) as raised:
        wrong()
    assert raised.value.code == code


@pytest.mark.parametrize("caps", [(), (Cap(at_most=1),)])
def test_decisions_without_estimates_are_the_same_decisions(caps):
    batch = pa.record_batch({"age": np.arange(2_000)})
    slots = {"hero": slot_of("thompson"), "side": slot_of("ucb", width=1.0)}
    policy = SelectionPolicy.build("1", contact=ContactRules(caps=caps), **slots)
    components = {name: [Named(one) for one in NAMES] for name in slots}
    selector = policy.bind(components, batch.schema)
    full = selector.decide(batch, keys=batch["age"], seed=5)
    short = selector.decide(batch, keys=batch["age"], seed=5, estimates=False, threads=2)
    assert short["side"] == full["side"]
    told = short["hero"]
    for name in ("index", "score", "reason", "is_estimate"):
        assert told.field(name) == full["hero"].field(name)
    estimated = np.array(told.field("is_estimate").to_pylist())
    assert estimated.sum() > 500
    known = pc.if_else(pa.array(estimated), pa.scalar(None, pa.float64()), full["hero"].field("propensity"))
    assert told.field("propensity") == known

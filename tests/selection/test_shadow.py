"""Shadow: the apprentice decides as when it serves, agreement is counted and adds up, the log judges it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labfactory.base.errors import SelectionError, SourceError
from labfactory.lab import LoggedDecisions, TargetPolicy, evaluate_policy
from labfactory.selection import (
    Agreement,
    ChoiceRule,
    ContactRules,
    Exploration,
    HoldoutRule,
    SelectionPolicy,
    SlotAgreement,
    SlotPolicy,
    compare,
    decisions_of,
    shadow,
)

ROWS = 600
BATCH = pa.record_batch(
    {
        "age": [None if row % 50 == 7 else row % 90 for row in range(ROWS)],
        "spend": [row % 13 for row in range(ROWS)],
    }
)
KEYS = pa.array([None if row in (5, 17) else f"c{row}" for row in range(ROWS)])
NAMES = ("a", "b", "c", "d")


class Block:
    """What content's components are to selection."""

    eligible = None

    def __init__(self, name: str) -> None:
        self.name = name


def bind(
    version: str, batch: pa.RecordBatch = BATCH, contact: ContactRules | None = None, **slots: SlotPolicy
):
    policy = SelectionPolicy.build(version, contact=contact or ContactRules(), **slots)
    return policy.bind({name: [Block(each) for each in NAMES] for name in slots}, batch.schema)


def scored(
    mode: str = "greedy", *, spend: float = 0.1, eligible: str = "age >= 18", **settings: float
) -> SlotPolicy:
    return SlotPolicy.build(
        components=NAMES,
        features={"spend": "spend"},
        weights=[[spend], [0.05], [0.0], [-spend]],
        bias=[0.0, 0.3, 0.5, 0.7],
        eligible=[eligible],
        exploration=Exploration(mode=mode, **settings),
    )


def two():
    """Policies that draw, differ, and name their slots in another order."""
    contact = ContactRules(holdouts=(HoldoutRule(name="h", share=0.1),))
    serving = bind("1", contact=contact, hero=scored("softmax", temperature=0.3), footer=scored("uniform"))
    other = bind("2", footer=scored("epsilon", epsilon=0.2), hero=scored(spend=0.2, eligible="age >= 30"))
    return serving, other


def test_both_decide_as_they_do_alone():
    serving, apprentice = two()
    rows = shadow(serving, apprentice, BATCH, keys=KEYS, seed=3)
    log = pl.from_arrow(decisions_of(serving.decide(BATCH, keys=KEYS, seed=3), keys=KEYS, version="1"))
    assert rows.select(log.columns).equals(log)
    alone = apprentice.decide(BATCH, keys=KEYS, seed=3)
    for slot in ("hero", "footer"):
        of_slot = rows.filter(pl.col("slot") == slot)
        for field in ("component", "propensity", "reason", "score"):
            assert of_slot[f"apprentice_{field}"].to_list() == alone.column(slot).field(field).to_pylist()
    assert set(rows["apprentice_policy_version"].to_list()) == {"2"}


def test_a_match_is_the_same_component_and_nothing_twice_is_neither():
    serving, apprentice = two()
    rows = shadow(serving, apprentice, BATCH, keys=KEYS, seed=3)
    agreement = Agreement.of(rows)
    found = set()
    for counted in agreement.slots:
        told = rows.filter(pl.col("slot") == counted.slot)
        pairs = list(zip(told["component"].to_list(), told["apprentice_component"].to_list(), strict=True))
        expected = [None if one is other is None else one == other for one, other in pairs]
        assert told["is_match"].to_list() == expected
        assert (counted.customers, counted.neither, counted.matched) == (
            ROWS,
            expected.count(None),
            expected.count(True),
        )
        found |= {(one is None, other is None, one == other) for one, other in pairs}
    # Nothing twice, nothing on either side, the same, and two that differ: each occurs.
    assert found == {
        (True, True, True),
        (True, False, False),
        (False, True, False),
        (False, False, True),
        (False, False, False),
    }


def test_customers_without_a_key_are_neither():
    rows = shadow(*two(), BATCH, keys=pa.nulls(ROWS, pa.utf8()), seed=3)
    assert rows["is_match"].null_count() == 2 * ROWS
    assert {(one.neither, one.share, one.interval) for one in Agreement.of(rows).slots} == {
        (ROWS, None, None)
    }
    assert "–" in repr(Agreement.of(rows))
    assert set(rows["reason"].to_list()) == set(rows["apprentice_reason"].to_list()) == {"missing_key"}


def test_a_policy_that_does_not_draw_agrees_wholly_with_itself():
    rows = shadow(bind("1", hero=scored()), bind("2", hero=scored()), BATCH, keys=KEYS, seed=3)
    (hero,) = Agreement.of(rows).slots
    assert hero.neither > 0
    assert hero.matched == hero.customers - hero.neither > 0
    assert (hero.share, hero.interval[1]) == (1.0, pytest.approx(1.0, abs=1e-12))


def test_greedy_policies_disagree_where_a_comparison_says_that_they_change():
    serving, apprentice = bind("1", hero=scored()), bind("2", hero=scored(spend=0.2))
    (hero,) = Agreement.of(shadow(serving, apprentice, BATCH, keys=KEYS, seed=3)).slots
    changed = compare(serving, apprentice, BATCH, keys=KEYS, seed=3)
    moved = changed.filter(pl.col("before").ne_missing(pl.col("after")))["customers"].sum()
    assert hero.customers - hero.neither - hero.matched == moved > 0


def test_policies_that_draw_match_by_chance_alone():
    rows = 100_000
    batch = pa.record_batch({"age": np.full(rows, 40), "spend": np.zeros(rows)})
    policies = [bind(version, batch, hero=scored("uniform")) for version in ("1", "2")]
    drawn = shadow(*policies, batch, keys=pa.array(np.arange(rows)), seed=11)
    (hero,) = Agreement.of(drawn).slots
    assert stats.binomtest(hero.matched, rows, 1 / len(NAMES)).pvalue > 1e-3
    cells = drawn.group_by("component", "apprentice_component").len()["len"].to_numpy()
    assert len(cells) == len(NAMES) ** 2
    assert stats.chisquare(cells).pvalue > 1e-3


@pytest.mark.parametrize("cut", [1, 250, ROWS - 1])
def test_rows_and_agreement_of_batches_are_those_of_the_whole(cut):
    whole = shadow(*two(), BATCH, keys=KEYS, seed=3)
    parts = [
        shadow(*two(), BATCH.slice(at, length), keys=KEYS.slice(at, length), seed=3, threads=2)
        for at, length in ((0, cut), (cut, ROWS - cut), (0, 0))
    ]
    assert pl.concat(parts).to_dicts() == whole.to_dicts()
    first, *others = map(Agreement.of, parts)
    assert first.merge(*others) == Agreement.of(whole) == others[1].merge(others[0], first)
    assert others[1] == Agreement(())


def test_what_other_versions_decided_stays_apart():
    one = Agreement((SlotAgreement("hero", "1", "2", 10, 1, 6),))
    other = Agreement((SlotAgreement("hero", "1", "3", 10, 0, 9),))
    assert other.merge(one, other).slots == (one.slots[0], SlotAgreement("hero", "1", "3", 20, 0, 18))


@given(st.integers(1, 10**6), st.data())
def test_the_interval_is_wilsons(chosen, data):
    matched = data.draw(st.integers(0, chosen))
    counted = SlotAgreement("hero", "1", "2", chosen + 7, 7, matched)
    wilson = stats.binomtest(matched, chosen).proportion_ci(0.95, method="wilson")
    assert counted.share == matched / chosen
    assert counted.interval == pytest.approx((wilson.low, wilson.high), abs=1e-12)
    assert Agreement((counted,)).to_frame()["upper"][0] == counted.interval[1]


def test_the_served_log_judges_an_apprentice_that_draws():
    rows = 20_000
    batch = pa.record_batch({"age": np.full(rows, 40), "spend": np.arange(rows) % 13})
    serving = bind("1", batch, hero=scored("softmax", temperature=0.5))
    apprentice = bind("2", batch, hero=scored("epsilon", epsilon=0.3))
    told = shadow(serving, apprentice, batch, keys=pa.array(np.arange(rows)), seed=5)
    worth = {"a": 0.9, "b": 0.2, "c": 0.4, "d": 0.0}
    rewarded = told.with_columns(reward=pl.col("component").cast(pl.String).replace_strict(worth))
    log = LoggedDecisions.of(rewarded, action="component", reward="reward", propensity="propensity")
    judged = evaluate_policy(log, TargetPolicy.choices(told["apprentice_component"]), estimators=("ips",))
    # What it would have brought by the probabilities of an epsilon-greedy policy, not by what it drew.
    best = shadow(serving, bind("3", batch, hero=scored()), batch, keys=pa.array(np.arange(rows)), seed=5)
    greedy = best["apprentice_component"].cast(pl.String).replace_strict(worth).mean()
    truth = 0.7 * greedy + 0.3 * sum(worth.values()) / 4
    found = judged.estimate("ips")
    assert abs(found.value - truth) < 4 * found.error < 0.2 * truth


def test_an_apprentice_for_other_slots_is_refused():
    serving, apprentice = bind("1", hero=scored()), bind("2", footer=scored())
    with pytest.raises(SelectionError, match=r"for slots \['hero'\], found \['footer'\]") as raised:
        shadow(serving, apprentice, BATCH, keys=KEYS, seed=3)
    assert raised.value.code == "decision_input"


def test_two_policies_of_one_version_are_refused_as_both_would_draw_alike():
    serving, apprentice = bind("1", hero=scored()), bind("1", hero=scored("uniform"))
    with pytest.raises(SelectionError, match="another version than '1'") as raised:
        shadow(serving, apprentice, BATCH, keys=KEYS, seed=3)
    assert raised.value.code == "decision_input"


def test_a_policy_that_is_not_bound_is_refused():
    policy = SelectionPolicy.build("2", hero=SlotPolicy(rules=(ChoiceRule(component="a"),)))
    with pytest.raises(SelectionError, match="expected two selectors, found SelectionPolicy") as raised:
        shadow(bind("1", hero=scored()), policy, BATCH, keys=KEYS, seed=3)
    assert raised.value.code == "decision_input"


def test_rows_that_are_not_of_a_shadow_are_refused():
    with pytest.raises(SelectionError, match="found Table") as raised:
        Agreement.of(pa.table({"slot": ["hero"]}))
    assert raised.value.code == "decision_input"
    with pytest.raises(SourceError, match="missing column 'policy_version'") as missing:
        Agreement.of(pl.DataFrame({"slot": ["hero"]}))
    assert missing.value.code == "missing_column"

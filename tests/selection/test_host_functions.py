"""Functions of a host in a policy's expressions: the same in a batch, for one customer, and in learning."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import labfactory as lf
from labfactory.base.errors import CompileError
from labfactory.selection import (
    Arbitration,
    ChoiceRule,
    ContactRules,
    EligibilityRule,
    Feature,
    Limit,
    LimitedSelector,
    SelectionPolicy,
    SlotPolicy,
    decisions_of,
    explain,
)


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None


@lf.function({"points": pa.int64()}, returns=pa.string())
def tier(points):
    return pc.if_else(pc.greater(points, 50), "gold", "silver")


@lf.function(returns=pa.float64(), scalar=True)
def margin(points, factor=1):
    if points == 13:
        raise ValueError(points)
    return None if points % 10 == 9 else factor * points / 100


@lf.function(returns=pa.bool_(), scalar=True)
def may(points):
    return points % 7 != 0


FUNCTIONS = lf.Functions(tier, margin, may)
ROWS = 100
BATCH = pa.record_batch({"points": [None if row == 40 else row for row in range(ROWS)]})
KEYS = pa.array(range(ROWS))
BLOCKS = [Block("a", "tier(points) == 'gold' or points < 30"), Block("b"), Block("c")]
POLICY = SelectionPolicy.build(
    "1",
    contact=ContactRules(consent=("may(points)",)),
    hero=SlotPolicy.build(
        components=["a", "b", "c"],
        features=[
            Feature(name="margin", expression="margin(points, factor=2)", missing=0.1),
            Feature(
                name="tier", expression="tier(points)", encoding="one_hot", categories=("gold", "silver")
            ),
        ],
        weights=[[1, 0.5, 0], [0, 0.2, 0.2], [0.5, 0, 0.4]],
        arbitration=Arbitration(terms={"b": {"value": "1 + margin(points % 9)"}}),
        suitable=(EligibilityRule(when="tier(points) in ['gold', 'silver']"),),
    ),
    footer=SlotPolicy.build(rules=[ChoiceRule(component="c", when="tier(points) == 'gold'")]),
)
SLOTS = {"hero": BLOCKS, "footer": BLOCKS}


def test_expressions_call_functions_and_one_customer_gets_what_the_row_gets():
    assert POLICY.calls == {"tier", "margin", "may"}
    selector = POLICY.bind(SLOTS, BATCH.schema, functions=FUNCTIONS)
    decided = selector.decide(BATCH, keys=KEYS, seed=3)
    for row in range(ROWS):
        points = BATCH["points"][row].as_py()
        made = selector.decide_one({"points": points}, key=row, seed=3)
        expected = {name: decided.column(name)[row].as_py() for name in ("hero", "footer")}
        assert {name: asdict(one) for name, one in made.items()} == expected
        hero, footer = expected["hero"], expected["footer"]
        if points is None or points % 7 == 0:
            assert hero["reason"] == footer["reason"] == "no_consent"
            continue
        gold = points > 50
        assert footer["component"] == ("c" if gold else None)
        given = 0.1 if points == 13 or points % 10 == 9 else 2 * points / 100
        scores = {
            "a": given + 0.5 * gold if gold or points < 30 else -np.inf,
            "b": 0.2 * (1 + (points % 9) / 100),
            "c": 0.5 * given + 0.4 * (not gold),
        }
        assert hero["component"] == max(scores, key=lambda name: scores[name])
        assert hero["score"] == pytest.approx(scores[hero["component"]], rel=1e-6)
    told = explain(selector, BATCH, keys=KEYS, seed=3)
    assert told.filter(pl.col("rule") == "tier(points) == 'gold' or points < 30").height > 0


def test_a_function_that_nobody_gives_is_refused_at_its_place():
    with pytest.raises(CompileError, match="margin") as raised:
        POLICY.bind(SLOTS, BATCH.schema, functions=lf.Functions(tier, may))
    assert raised.value.line is not None


def test_limits_count_scores_that_functions_give():
    rules = SelectionPolicy.build("1", hero=POLICY.slots["hero"])
    limited = LimitedSelector.of(
        rules, {"a": Limit(component="a", maximum=5)}, {"hero": BLOCKS}, BATCH.schema, functions=FUNCTIONS
    )
    values = limited.values(BATCH, KEYS, seed=1)
    assert values[60, 0] == pytest.approx(2 * 60 / 100 + 0.5)
    assert np.isnan(values[35, 0])


def test_a_version_is_learned_and_judged_with_the_functions_of_the_one_before():
    slot = SlotPolicy.build(
        components=["a", "b"],
        features={"margin": "margin(points)"},
        weights=[[0.0], [0.0]],
        exploration=lf.Exploration(mode="softmax", temperature=0.3),
    )
    policy = SelectionPolicy.build("1", hero=slot)
    blocks = {"hero": [Block("a"), Block("b")]}
    random = np.random.default_rng(1)
    people = pa.record_batch({"key": range(400), "points": random.integers(20, 29, 400)})
    decided = policy.bind(blocks, people.schema, functions=FUNCTIONS).decide(
        people, keys=people["key"], seed=5
    )
    log = pl.from_arrow(decisions_of(decided, keys=people["key"], version="1"))
    assert isinstance(log, pl.DataFrame)
    worth = pl.when(pl.col("component").cast(pl.String) == "a").then(1.0).otherwise(-1.0)
    rewards = log.select("key", reward=worth)
    table = pa.Table.from_batches([people])
    draft = policy.learn(log, rewards, version="2", customers=table, functions=FUNCTIONS)
    weights = draft.policy.slots["hero"].model.weights
    assert weights[0, 0] > 0 > weights[1, 0]
    judged = lf.evaluate_learned(draft, table, blocks, functions=FUNCTIONS, min_effective=30)
    assert judged.gain("ips").value > 0
    with pytest.raises(CompileError, match="margin"):
        policy.learn(log, rewards, version="2", customers=table)

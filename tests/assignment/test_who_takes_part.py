"""Layers, holdouts, earlier assignments and strata."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from labfactory.assignment import GrowthBook, Holdout, Layer, Native, stratified_arms
from labfactory.base.errors import UsageError
from labfactory.lab import Experiment, Hypothesis, Mean

KEYS = pa.array(np.arange(40_000))
CUSTOMERS = pa.table({"id": KEYS})


def make(
    name: str = "tone", variants: tuple[str, ...] = ("plain", "warm"), allocation: list[float] | None = None
) -> Experiment:
    return Experiment(
        name,
        hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
        variants=variants,
        metrics={"orders": Mean("orders")},
        allocation=allocation,
    )


def arms(table: pa.Table) -> list[str | None]:
    names: list[str | None] = table["variant"].to_pylist()
    return names


def test_a_customer_is_in_one_experiment_of_a_layer() -> None:
    layer = Layer("checkout", {"tone": 0.3, "hero": 0.5}, seed=1)
    found = layer.experiments(KEYS)
    counts = [found.indices.to_pylist().count(code) for code in (0, 1, None)]
    assert stats.chisquare(counts, [12_000, 20_000, 8_000]).pvalue > 0.001
    tone, hero = layer.members(KEYS, "tone").to_numpy(False), layer.members(KEYS, "hero").to_numpy(False)
    assert not (tone & hero).any()
    assert found.dictionary.to_pylist() == ["tone", "hero"]


def test_the_held_out_are_in_no_experiment_of_any_layer_that_has_the_holdout() -> None:
    holdout = Holdout("2026-q3", 0.1)
    held = holdout.holds(KEYS)
    for name in ("checkout", "mail"):
        layer = Layer(name, {"tone": 0.5, "hero": 0.5}, holdout=holdout)
        assert layer.experiments(KEYS).is_null().equals(held)
    share = held.true_count / len(KEYS)
    assert abs(share - 0.1) < 4 * (0.1 * 0.9 / len(KEYS)) ** 0.5


def test_layers_holdouts_and_arms_are_independent() -> None:
    holdout = Holdout("tone", 0.5)
    buckets = [
        holdout.holds(KEYS),
        Layer("tone", {"tone": 0.5, "x": 0.5}).members(KEYS, "tone"),
        Layer("mail", {"tone": 0.5, "x": 0.5}).members(KEYS, "tone"),
        pa.compute.equal(Native("tone").arms(KEYS, weights=[0.5, 0.5]), 0),
        Holdout("tone", 0.5, seed=1).holds(KEYS),
    ]
    flags = [one.to_numpy(False) for one in buckets]
    for i, left in enumerate(flags):
        for right in flags[:i]:
            table = np.histogram2d(left, right, bins=2)[0]
            assert stats.chi2_contingency(table).pvalue > 0.0005


def test_a_larger_last_part_or_holdout_keeps_those_who_are_in() -> None:
    before = Layer("l", {"tone": 0.3, "hero": 0.2}).experiments(KEYS)
    after = Layer("l", {"tone": 0.3, "hero": 0.6}).experiments(KEYS)
    known = before.is_valid()
    assert after.filter(known).to_pylist() == before.filter(known).to_pylist()
    small, large = Holdout("h", 0.1).holds(KEYS), Holdout("h", 0.2).holds(KEYS)
    assert large.filter(small).false_count == 0


@pytest.mark.parametrize(
    "shares",
    [
        {"a": 0.6, "b": 0.6},
        {"a": (0.0, 0.5), "b": (0.4, 0.6)},
        {"a": -0.1},
        {"a": (0.5, 0.2)},
        {"a": float("nan")},
    ],
)
def test_parts_that_overlap_or_do_not_fit_are_refused(shares: dict[str, float | tuple[float, float]]) -> None:
    with pytest.raises(UsageError) as caught:
        Layer("l", shares)
    assert caught.value.code == "layer"


def test_an_experiment_must_have_a_part_and_a_holdout_a_share() -> None:
    with pytest.raises(UsageError, match="found 'tome'"):
        Layer("l", {"tone": 0.5}).members(KEYS, "tome")
    with pytest.raises(UsageError, match=r"found 1\.5"):
        Holdout("h", 1.5)


def test_an_assignment_says_what_became_of_each_customer() -> None:
    layer = Layer("l", {"tone": 0.5, "hero": 0.4}, holdout=Holdout("h", 0.1))
    assigned = make().assign(CUSTOMERS, key="id", seed=1, layer=layer, coverage=0.6)
    counts = dict(pl.DataFrame(assigned).cast({"status": pl.String})["status"].value_counts().iter_rows())
    expected = {"holdout": 4_000, "layer": 18_000, "coverage": 7_200, "assigned": 10_800}
    assert stats.chisquare([counts[name] for name in expected], list(expected.values())).pvalue > 0.001
    has_arm = assigned["variant"].combine_chunks().indices.is_valid()
    assert has_arm.equals(pa.compute.equal(assigned["status"].combine_chunks().cast(pa.string()), "assigned"))
    assert sum(name is not None for name in arms(assigned)) == counts["assigned"]


def test_a_known_customer_keeps_the_variant_whatever_changed_since() -> None:
    first = make().assign(CUSTOMERS.slice(0, 5_000), key="id", seed=1)
    layer = Layer("l", {"tone": 0.1})
    again = make(allocation=[0.9, 0.1]).assign(
        CUSTOMERS, key="id", seed=2, sticky=first, coverage=0.1, layer=layer
    )
    assert arms(again)[:5_000] == arms(first)
    assert set(again["status"].to_pylist()[:5_000]) == {"sticky"}
    fresh = make(allocation=[0.9, 0.1]).assign(CUSTOMERS, key="id", seed=2, coverage=0.1, layer=layer)
    assert arms(again)[5_000:] == arms(fresh)[5_000:]
    assert again["key"].to_pylist() == fresh["key"].to_pylist()


def test_earlier_assignments_may_have_other_key_types_and_nulls() -> None:
    earlier = pl.DataFrame({"key": ["3", "4", None, "5"], "variant": ["warm", None, "warm", "plain"]})
    again = make().assign(pl.DataFrame({"id": [3, 4, 5]}), key="id", seed=1, sticky=earlier)
    assert again["status"].to_pylist() == ["sticky", "assigned", "sticky"]
    assert arms(again)[::2] == ["warm", "plain"]


def test_variants_that_are_gone_are_named_with_their_customers() -> None:
    earlier = pl.DataFrame({"key": [1, 2, 3, 4], "variant": ["hot", "warm", "hot", "cold"]})
    with pytest.raises(UsageError, match="'cold' with 1 customers, 'hot' with 2 customers") as caught:
        make().assign(CUSTOMERS, key="id", seed=1, sticky=earlier)
    assert caught.value.code == "sticky_variant"
    again = make().assign(CUSTOMERS, key="id", seed=1, sticky=earlier, retired="reassign")
    plain = make().assign(CUSTOMERS, key="id", seed=1)
    assert arms(again)[2] == "warm"
    assert [arms(again)[i] for i in (1, 3, 4)] == [arms(plain)[i] for i in (1, 3, 4)]


def test_a_customer_with_two_earlier_variants_is_refused() -> None:
    earlier = pl.DataFrame({"key": [1, 1, 2, 2], "variant": ["warm", "plain", "warm", "warm"]})
    with pytest.raises(UsageError, match="found 1 keys with several") as caught:
        make().assign(CUSTOMERS, key="id", seed=1, sticky=earlier)
    assert caught.value.code == "sticky_conflict"


def test_an_empty_table_of_earlier_assignments_changes_nothing() -> None:
    earlier = pl.DataFrame({"key": [], "variant": []}, schema={"key": pl.Int64, "variant": pl.String})
    assert arms(make().assign(CUSTOMERS, key="id", seed=1, sticky=earlier)) == arms(
        make().assign(CUSTOMERS, key="id", seed=1)
    )


def test_another_platforms_hash_assigns_as_its_sdk_does() -> None:
    keys = pa.table({"id": ["", "a", "b", "c"]})
    assigned = make().assign(keys, key="id", hash="growthbook_v2")
    expected = GrowthBook("tone").arms(keys["id"].combine_chunks(), weights=[0.5, 0.5]).to_pylist()
    assert arms(assigned) == [None if arm is None else ("plain", "warm")[arm] for arm in expected]
    assert arms(make().assign(keys, key="id", hash=GrowthBook("tone"))) == arms(assigned)
    with pytest.raises(UsageError, match="no seed with a bucketing"):
        make().assign(keys, key="id", hash=GrowthBook("tone"), seed=3)


@settings(max_examples=50)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    weights=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    seed=st.integers(0, 100),
)
def test_every_stratum_has_its_shares_to_within_one(sizes: list[int], weights: list[int], seed: int) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    shares = [weight / sum(weights) for weight in weights]
    made = stratified_arms(
        pa.array(np.arange(len(strata))), [pa.array(strata)], bucketing=Native("s", seed), weights=shares
    ).to_numpy()
    for stratum, size in enumerate(sizes):
        counts = np.bincount(made[strata == stratum], minlength=len(shares))
        assert (np.abs(counts - size * np.array(shares)) < 1 + 1e-9).all()


def test_stratified_arms_depend_on_neither_order_nor_batches_nor_repeats() -> None:
    random = np.random.default_rng(1)
    table = pl.DataFrame(
        {
            "id": np.arange(5_000),
            "country": random.choice(np.array(["DE", "AT", None]), 5_000),
            "tier": random.integers(0, 3, 5_000),
        }
    )
    whole = make().assign(table, key="id", seed=1, strata=["country", "tier"])
    shuffled = pl.concat([table, table.head(500)]).sample(fraction=1.0, shuffle=True, seed=3)
    other = make().assign(
        pa.table(shuffled).to_reader(max_chunksize=77), key="id", seed=1, strata=["country", "tier"]
    )
    expected = dict(zip(whole["key"].to_pylist(), arms(whole), strict=True))
    assert arms(other) == [expected[key] for key in other["key"].to_pylist()]


def test_within_a_stratum_every_customer_has_each_arm_equally_often() -> None:
    """A fixed dealing would give the first of each stratum the same arm under every seed."""
    keys, strata = pa.array(np.arange(30)), [pa.array(np.arange(30) // 3)]
    made = np.array(
        [
            stratified_arms(keys, strata, bucketing=Native("s", seed), weights=[0.5, 0.5]).to_numpy()
            for seed in range(500)
        ]
    )
    deviation = np.abs(made.mean(axis=0) - 0.5) / (0.5 / 500**0.5)
    assert deviation.max() < 4.5


def test_raising_coverage_within_strata_moves_nobody() -> None:
    strata = [pa.array(np.arange(40_000) % 7)]
    small, large = (
        stratified_arms(KEYS, strata, bucketing=Native("s"), weights=[0.3, 0.7], coverage=coverage)
        for coverage in (0.2, 0.7)
    )
    assert large.filter(small.is_valid()).equals(small.drop_null())
    assert abs((len(small) - small.null_count) - 8_000) <= 14


def test_strata_that_contradict_each_other_are_refused() -> None:
    table = pl.DataFrame({"id": [1, 2, 1], "country": ["DE", "DE", "AT"]})
    with pytest.raises(UsageError, match="found several for 1") as caught:
        make().assign(table, key="id", seed=1, strata="country")
    assert caught.value.code == "strata"
    with pytest.raises(UsageError, match="own hash with strata"):
        make().assign(table, key="id", hash="unleash", strata="country")


def test_strata_leave_the_known_and_the_held_out_aside() -> None:
    table = pl.DataFrame({"id": np.arange(1_000), "country": ["DE", "AT"] * 500})
    layer = Layer("l", {"tone": 1.0}, holdout=Holdout("h", 0.2))
    assigned = make().assign(table, key="id", seed=1, strata="country", layer=layer)
    frame = (
        pl.DataFrame(assigned)
        .with_columns(table["country"])
        .filter(pl.col("status").cast(pl.String) == "assigned")
    )
    counts = frame.group_by("country", "variant").len()["len"].to_list()
    assert len(counts) == 4
    for country in ("DE", "AT"):
        both = frame.filter(country=country)["variant"].value_counts()["count"].to_list()
        assert abs(both[0] - both[1]) <= 1


def test_no_customers_have_no_strata() -> None:
    empty = pl.DataFrame({"id": [], "country": []}, schema={"id": pl.Int64, "country": pl.String})
    assert make().assign(empty, key="id", seed=1, strata="country").num_rows == 0

"""Other platforms' buckets and arms: vectors that they publish, and figures of their own SDKs."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from labfactory.assignment import (
    GrowthBook,
    GrowthBookFilter,
    LaunchDarkly,
    Optimizely,
    PlanOut,
    Statsig,
    Unleash,
    first_range,
)

CASES = Path(__file__).parent / "cases"
PUBLISHED: dict[str, Any] = json.loads((CASES / "published_vectors.json").read_text(encoding="utf-8"))
BY_SDK: dict[str, Any] = json.loads((CASES / "sdk_vectors.json").read_text(encoding="utf-8"))


def keys_of(rows: list[list[Any]], place: int = 0) -> pa.Array:
    return pa.array([str(row[place]) for row in rows])


def test_growthbook_buckets_are_the_published_ones() -> None:
    for rows in (PUBLISHED["growthbook_hash"], BY_SDK["growthbook"]):
        found = [GrowthBook(seed, version=v).buckets(pa.array([key]))[0].as_py() for seed, key, v, _ in rows]
        assert found == [row[-1] for row in rows]


def test_growthbook_ranges_are_the_published_ones() -> None:
    for variations, coverage, weights, expected in PUBLISHED["growthbook_ranges"]:
        made = GrowthBook.bucket_ranges(variations, coverage, weights)
        assert [pytest.approx(part) for part in made] == [tuple(part) for part in expected]


def test_growthbook_chooses_the_published_variations() -> None:
    for bucket, ranges, expected in PUBLISHED["growthbook_choices"]:
        assert first_range([bucket], ranges).to_pylist() == [expected]


def test_growthbook_namespaces_hold_the_published_users() -> None:
    for user, name, start, end, expected in PUBLISHED["growthbook_namespaces"]:
        assert GrowthBook.in_namespace(pa.array([user]), (name, start, end)).to_pylist() == [expected]


def test_growthbook_experiments_give_the_published_variations() -> None:
    for seed, version, key, variations, bucket, expected in PUBLISHED["growthbook_features"]:
        experiment = GrowthBook(seed, version=version)
        keys = pa.array([key])
        assert experiment.buckets(keys).to_pylist() == [bucket]
        assert experiment.arms(keys, weights=[1 / variations] * variations).to_pylist() == [expected]


@pytest.mark.parametrize("case", PUBLISHED["growthbook_runs"], ids=lambda case: json.dumps(case))
def test_growthbook_runs_experiments_as_published(case: dict[str, Any]) -> None:
    experiment = GrowthBook(
        case["seed"],
        version=case["version"],
        namespace=case.get("namespace"),
        filters=tuple(GrowthBookFilter(seed, ranges) for seed, ranges in case.get("filters", [])),
    )
    keys = pa.array([case["key"]], pa.string())
    ranges = case.get("ranges") or GrowthBook.bucket_ranges(
        case["variations"], case.get("coverage", 1.0), case.get("weights")
    )
    assert experiment.arms_in(keys, ranges).to_pylist() == [case["expected"]]
    if "ranges" not in case:
        weights = case.get("weights") or [1 / case["variations"]] * case["variations"]
        arms = experiment.arms(keys, weights=weights, coverage=case.get("coverage", 1.0))
        assert arms.to_pylist() == [case["expected"]]


def test_growthbook_filters_may_hash_another_column() -> None:
    """cases.json, "Filtered, included" and "Filtered, excluded"."""
    ids, anonymous = pa.array(["1"]), pa.array(["fsdafsda"])
    assert GrowthBookFilter("seed", ((0, 0.1), (0.2, 0.4))).holds(ids).to_pylist() == [True]
    assert GrowthBookFilter("seed", ((0.8, 1.0),)).holds(anonymous).to_pylist() == [True]
    assert GrowthBookFilter("seed", ((0.6, 0.8),)).holds(anonymous).to_pylist() == [False]
    assert GrowthBook("filtered", version=1).arms(ids, weights=[0.5, 0.5]).to_pylist() == [1]


def test_growthbook_has_equal_weights_for_any_number_of_variations() -> None:
    for variations, expected in PUBLISHED["growthbook_equal_weights"]:
        found = [upper - lower for lower, upper in GrowthBook.bucket_ranges(variations)]
        assert found == pytest.approx(expected, abs=1e-8)


def test_growthbook_gives_no_variation_outside_namespace_filters_and_coverage() -> None:
    keys = pa.array(["1", "2", "3", "4"])
    namespace = GrowthBook("exp", version=1, namespace=("namespace2", 0, 0.4))
    assert namespace.arms(keys, weights=[0.5, 0.5]).is_valid().to_pylist() == [False, False, True, True]
    filtered = GrowthBook("exp", filters=(GrowthBookFilter("__namespace2", ((0.4, 1.0),), version=1),))
    assert filtered.arms(keys, weights=[0.5, 0.5]).is_valid().to_pylist() == [True, True, False, False]
    # cases.json, "skips experiment on coverage": the bucket .863 is beyond a hundredth of four quarters.
    assert (
        GrowthBook("feature", version=1).arms(pa.array(["123"]), weights=[0.25] * 4, coverage=0.01)[0].as_py()
        is None
    )


def test_growthbook_takes_empty_text_and_zero_for_no_key_as_javascript_does() -> None:
    experiment = GrowthBook("exp")
    for keys, taken in (
        (pa.array(["", "0", None]), [False, True, False]),
        (pa.array([0, 1]), [False, True]),
        (pa.array([0.0, -0.0, 0.5, 1.0]), [False, False, True, True]),
        (pa.array([False, True]), [False, True]),
    ):
        assert experiment.arms(keys, weights=[1.0]).is_valid().to_pylist() == taken
        assert experiment.buckets(keys).null_count == keys.null_count


def test_optimizely_buckets_are_the_published_ones() -> None:
    for rows in (PUBLISHED["optimizely"], BY_SDK["optimizely"]):
        found = [Optimizely(entity).buckets(pa.array([key]))[0].as_py() for key, entity, _ in rows]
        assert found == [row[-1] for row in rows]


def test_optimizely_allocates_by_the_end_of_the_range() -> None:
    keys = keys_of(PUBLISHED["optimizely"][:2])
    assert Optimizely("1886780721").allocate(keys, [4299, 4300, 5254, 5255]).to_pylist() == [3, 1]
    assert Optimizely("1886780721").allocate(keys, [4299, 4299]).to_pylist() == [None, None]
    assert Optimizely("1886780721").arms(keys, weights=[0.43, 0.57]).to_pylist() == [1, 0]


def test_unleash_normalised_values_are_the_published_ones() -> None:
    rows = PUBLISHED["unleash"]
    found = [Unleash(group, seed=seed).buckets(pa.array([key]))[0].as_py() for key, group, seed, _ in rows]
    assert found == [row[-1] for row in rows]
    rows = BY_SDK["unleash"]
    found = [Unleash(group, n, seed).buckets(pa.array([key]))[0].as_py() for key, group, n, seed, _ in rows]
    assert found == [row[-1] for row in rows]


def test_unleash_variants_are_those_of_its_engine() -> None:
    for feature, user, weights, rollout, expected in BY_SDK["unleash_variants"]:
        group, keys = Unleash(feature), pa.array([user])
        is_in = rollout is None or group.rolled_out(keys, rollout)[0].as_py()
        assert (group.variants(keys, weights)[0].as_py() if is_in else None) == expected
    assert Unleash("f").variants(pa.array(["a"]), [0, 0]).to_pylist() == [None]


def test_unleash_variants_of_before_2023_are_the_published_ones() -> None:
    for feature, user, weights, expected in PUBLISHED["unleash_variants"]:
        ends = [0, *accumulate(weights)]
        ranges = [(lower + 1, upper + 1) for lower, upper in pairwise(ends)]
        assert Unleash(feature, ends[-1]).arms_in(pa.array([user]), ranges).to_pylist() == [expected]


def test_unleash_variants_of_strategies_are_the_published_ones() -> None:
    for group, user, weights, expected in PUBLISHED["unleash_strategy_variants"]:
        assert Unleash(group).variants(pa.array([user]), weights).to_pylist() == [expected]


def test_unleash_rolls_out_by_another_hash_than_variants() -> None:
    keys = pa.array([str(i) for i in range(20_000)])
    group = Unleash("feature.name.that.is.quite.long")
    inside = group.rolled_out(keys, 10)
    arms = keys.filter(inside), group.arms(keys, weights=[0.5, 0.5], coverage=0.1)
    assert arms[1].is_valid().to_pylist() == inside.to_pylist()
    share = sum(arm == 0 for arm in arms[1].drop_null().to_pylist()) / len(arms[0])
    assert abs(share - 0.5) < 4 * 0.5 / len(arms[0]) ** 0.5
    assert group.rolled_out(keys, 0).true_count == 0


def test_launchdarkly_buckets_are_the_published_ones() -> None:
    for key, seed, expected in PUBLISHED["launchdarkly"]:
        bucket = LaunchDarkly("hashKey", salt="saltyA", seed=seed).buckets(pa.array([key]))[0].as_py()
        assert bucket == pytest.approx(expected, abs=5e-8)
    for key, seed, expected in BY_SDK["launchdarkly"]:
        assert LaunchDarkly("flägkey", salt="salt", seed=seed).buckets(pa.array([key])).to_pylist() == [
            expected
        ]


def test_launchdarkly_gives_what_is_left_to_the_last_variation() -> None:
    keys = pa.array(["userKeyA", "userKeyB", "userKeyC", None])
    flag = LaunchDarkly("hashKey", salt="saltyA")
    assert flag.rollout(keys, [60_000, 40_000]).to_pylist() == [0, 1, 0, None]
    assert flag.rollout(keys, [42_157]).to_pylist() == [0, 0, 0, None]
    assert flag.rollout(keys, [10_343, 31_814, 10]).to_pylist() == [2, 2, 1, None]


def test_planout_operators_give_what_planout_gives() -> None:
    for unit, *expected in BY_SDK["planout"]:
        units = pa.array([unit])

        def op(parameter: str) -> PlanOut:
            return PlanOut("exp salt", parameter)

        drawn = [
            op("f").random_float(units, -2.0, 5.0),
            op("i").random_integer(units, -3, 1000),
            op("b").bernoulli_trial(units, 0.4),
            op("u").uniform_choice(units, 7),
            op("w").weighted_choice(units, [1, 0, 2.5, 0.7]),
            op("s").sample(units, 6, 4),
            op("k").bernoulli_filter(units, range(6), 0.5),
            PlanOut(full_salt="fs").random_integer(pa.array([f"{unit}.de"]), 0, 10**9),
        ]
        assert [values[0].as_py() for values in drawn] == expected


def test_planout_leaves_null_units_null() -> None:
    units = pa.array([None, "a"])
    op = PlanOut("exp", "x")
    drawn = (
        op.random_float(units),
        op.random_integer(units, 0, 3),
        op.bernoulli_trial(units, 0.5),
        op.uniform_choice(units, 2),
        op.weighted_choice(units, [1, 1]),
        op.sample(units, 3),
        op.bernoulli_filter(units, ["x", "y"], 0.5),
    )
    assert [values.is_valid().to_pylist() for values in drawn] == [[False, True]] * len(drawn)


def test_planout_weighted_choice_includes_the_upper_bounds() -> None:
    """PlanOut takes the first choice whose running sum is at least the draw."""
    units = pa.array([str(i) for i in range(300)])
    op, weights = PlanOut("exp", "x"), [3, 0.1, 0.2, 5]
    draws = op.random_float(units, 0.0, sum(weights)).to_pylist()
    ends = list(accumulate(weights))
    expected = [next(i for i, end in enumerate(ends) if draw <= end) for draw in draws]
    assert op.weighted_choice(units, weights).to_pylist() == expected


def test_statsig_buckets_are_those_of_its_sdk() -> None:
    for key, salt, expected in BY_SDK["statsig"]:
        assert Statsig(salt).buckets(pa.array([key])).to_pylist() == [expected]
        assert Statsig(salt).passes(pa.array([key]), expected / 100).to_pylist() == [False]
        assert Statsig(salt).passes(pa.array([key]), (expected + 1) / 100).to_pylist() == [True]

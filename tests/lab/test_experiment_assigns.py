"""Who gets which variant."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

from labfactory.assignment import Native
from labfactory.base.errors import SourceError, UsageError
from labfactory.lab import Experiment, Hypothesis, Mean

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Variant:
    name: str


def test_assignment_is_key_and_variant_in_the_order_of_customers(three_arms: Experiment) -> None:
    customers = pl.DataFrame({"country": ["DE"] * 5, "customer_id": ["e", "d", "c", "b", "a"]})
    assigned = three_arms.assign(customers, key="customer_id", seed=3)
    assert assigned.schema == pa.schema(
        [("key", pa.string_view()), ("variant", pa.dictionary(pa.int32(), pa.string()))]
    )
    assert assigned["key"].to_pylist() == ["e", "d", "c", "b", "a"]
    arms = Native("three", 3).arms(pa.array(["e", "d", "c", "b", "a"]), weights=[0.3, 0.5, 0.2])
    assert assigned["variant"].to_pylist() == [three_arms.variants[arm] for arm in arms.to_pylist()]


def test_assignment_does_not_depend_on_batches_or_order(three_arms: Experiment) -> None:
    keys = pa.table({"id": pa.array(np.arange(3_000))})
    whole = three_arms.assign(keys, key="id", seed=1)
    pieces = three_arms.assign(keys.to_reader(max_chunksize=7), key="id", seed=1)
    assert pieces["variant"].to_pylist() == whole["variant"].to_pylist()
    backwards = three_arms.assign(keys.take(pa.array(np.arange(3_000)[::-1])), key="id", seed=1)
    assert backwards["variant"].to_pylist() == whole["variant"].to_pylist()[::-1]


def test_assigned_shares_pass_the_sample_ratio_test(three_arms: Experiment) -> None:
    customers = pa.table({"id": pa.array(np.arange(60_000))})
    counts = dict(
        pl.DataFrame(three_arms.assign(customers, key="id", seed=9))
        .cast({"variant": pl.String})["variant"]
        .value_counts()
        .iter_rows()
    )
    observed = [counts[name] for name in three_arms.variants]
    assert stats.chisquare(observed, [60_000 * weight for weight in three_arms.weights]).pvalue > 0.001


def test_variants_may_be_things_with_a_name(make_experiment: Callable[..., Experiment]) -> None:
    named = make_experiment(variants=[Variant("plain"), Variant("warm")])
    assert named == make_experiment()
    assert hash(named) == hash(make_experiment())


def test_no_customers_give_an_empty_table(make_experiment: Callable[..., Experiment]) -> None:
    empty = make_experiment().assign(pl.DataFrame({"id": []}, schema={"id": pl.Int64}), key="id", seed=1)
    assert (empty.num_rows, empty.column_names) == (0, ["key", "variant"])


def test_a_null_key_is_refused_with_its_row(make_experiment: Callable[..., Experiment]) -> None:
    table = pa.table({"id": pa.array([*range(100), None, 7])})
    with pytest.raises(SourceError, match="found null in row 100 of 'id'") as caught:
        make_experiment().assign(table.to_reader(max_chunksize=30), key="id", seed=1)
    assert caught.value.code == "null_key"


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "7"])
def test_a_seed_fits_64_bits(make_experiment: Callable[..., Experiment], seed: int) -> None:
    with pytest.raises(UsageError, match=f"found {seed}") as caught:
        make_experiment().assign(pl.DataFrame({"id": [1]}), key="id", seed=seed)
    assert caught.value.code == "seed"


def test_an_experiment_cannot_be_changed(make_experiment: Callable[..., Experiment]) -> None:
    experiment = make_experiment()
    with pytest.raises(AttributeError):
        experiment.name = "other"  # type: ignore[misc]
    experiment.metrics["more"] = Mean("more")
    assert list(experiment.metrics) == ["orders"]


def test_preregistration_changes_with_what_is_planned(make_experiment: Callable[..., Experiment]) -> None:
    plans = [
        make_experiment(),
        make_experiment(hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.03)),
        make_experiment(hypothesis=Hypothesis("Warm openings lift visits.", minimum_effect=0.02)),
        make_experiment(variants=["plain", "short"]),
        make_experiment(allocation=[0.4, 0.6]),
        make_experiment(metrics={"orders": Mean("orders"), "spend": Mean("spend", role="secondary")}),
        make_experiment(metrics={"orders": Mean("orders", direction="decrease")}),
    ]
    assert len({plan.preregistration for plan in plans}) == len(plans)
    assert make_experiment().preregistration == plans[0].preregistration


def test_preregistration_is_the_digest_of_the_plan(make_experiment: Callable[..., Experiment]) -> None:
    """Other bytes here would disown every plan that was registered before."""
    plan = (
        b'{"allocation":[0.5,0.5],"hypothesis":{"minimum_effect":0.02,"text":"Warm openings lift orders."},'
        b'"metrics":{"orders":{"column":"orders","direction":"increase","kind":"mean","margin":null,"role":"goal"}},'
        b'"variants":["plain","warm"]}'
    )
    assert make_experiment().preregistration == hashlib.sha256(plan).hexdigest()

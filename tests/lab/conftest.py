"""Experiments and responses that several tests use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from labfactory.lab import Experiment, Hypothesis, Mean, Proportion

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def make_experiment() -> Callable[..., Experiment]:
    """An experiment of two variants and one mean; keywords replace its parts."""

    def make(**parts: Any) -> Experiment:
        options = {
            "hypothesis": Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
            "variants": ["plain", "warm"],
            "metrics": {"orders": Mean("orders")},
            **parts,
        }
        return Experiment("tone", **options)

    return make


@pytest.fixture(scope="session")
def three_arms() -> Experiment:
    """Three variants of unequal shares, a mean, a proportion and a guardrail."""
    return Experiment(
        "three",
        hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
        variants=["warm", "plain", "short"],
        allocation={"plain": 0.5, "warm": 0.3, "short": 0.2},
        metrics={
            "spend": Mean("spend"),
            "visits": Proportion("visit", role="secondary"),
            "opt_outs": Proportion("opted_out", role="guardrail", direction="decrease", margin=0.02),
        },
    )


@pytest.fixture(scope="session")
def responses() -> pa.Table:
    """Twenty thousand made-up responses to `three_arms`, with nulls in every column but the key."""
    random = np.random.default_rng(20)
    rows = 20_000
    variants = random.choice(["plain", "warm", "short"], rows, p=[0.5, 0.3, 0.2])
    spend = random.gamma(0.5, 40.0, rows).round(2) * (random.random(rows) < 0.3)

    def with_nulls(values: Any, share: float, kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=random.random(rows) < share)

    return pa.table(
        {
            "customer_id": pa.array(np.arange(rows)),
            "variant": with_nulls(variants, 0.01, pa.string()),
            "spend": with_nulls(spend, 0.02, pa.float64()),
            "visit": with_nulls(random.random(rows) < 0.2, 0.02, pa.bool_()),
            "opted_out": with_nulls((random.random(rows) < 0.01).astype(np.int8), 0.02, pa.int8()),
        }
    )

"""Responses are drawn around effects that are known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from labfactory.base.errors import UsageError
from labfactory.samples import TRUE_EFFECTS, responses

ARMS = list(TRUE_EFFECTS)


def assigned(rows: int) -> pa.Table:
    arms = pa.array(np.arange(rows) % len(ARMS)).cast(pa.int8())
    return pa.table({"customer_id": np.arange(rows), "variant": pa.DictionaryArray.from_arrays(arms, ARMS)})


def test_the_true_effects_can_be_found_again() -> None:
    table = responses(assigned(120_000), seed=4)
    for arm, effect in TRUE_EFFECTS.items():
        group = table.filter(pa.compute.equal(table["variant"].cast(pa.string()), arm))
        for column, truth in (
            ("opened", effect.opened),
            ("opted_out", effect.opted_out),
            ("orders", effect.orders),
            ("spend", effect.orders * effect.basket),
        ):
            values = group[column].to_numpy().astype(float)
            # Four standard errors: wrong once in 16,000 draws, and the draw is fixed.
            assert abs(values.mean() - truth) < 4 * stats.sem(values)


def test_a_seed_fixes_the_responses() -> None:
    assert responses(assigned(900), seed=4) == responses(assigned(900), seed=4)
    assert responses(assigned(900), seed=4) != responses(assigned(900), seed=5)


def test_nobody_assigned_means_no_responses() -> None:
    assert responses(assigned(0), seed=1).num_rows == 0


def test_an_arm_without_an_effect_is_an_error() -> None:
    with pytest.raises(UsageError, match="did you mean 'welcome/warm'") as caught:
        responses(pa.table({"variant": ["welcome/wram"]}), seed=1)
    assert caught.value.code == "unknown_variant"

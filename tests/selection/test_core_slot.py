"""The core's slot refuses what its Python room would never give it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from labfactory._core.select import Slot
from labfactory.base.errors import SelectionError

SETTINGS: dict[str, Any] = {
    "name": "hero",
    "components": ["a", "b"],
    "candidates": [0, 1],
    "needed": [[], [0]],
    "rules": None,
    "missing": [None],
    "weights": np.ones((2, 1), np.float32),
    "bias": np.zeros(2, np.float32),
    "scale": "sum",
    "base": "best",
    "epsilon": 0.0,
    "floor": 0.0,
}


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("model_scale", {"scale": "odds"}),
        ("model_shape", {"weights": np.ones((2, 2), np.float32)}),
        ("model_value", {"bias": np.array([0, np.inf], np.float32)}),
        ("decision_input", {"candidates": [0, 2]}),
        ("decision_input", {"rules": [(0, 2)]}),
    ],
)
def test_settings_that_do_not_fit_are_refused(code, change):
    with pytest.raises(SelectionError) as raised:
        Slot(**{**SETTINGS, **change})
    assert raised.value.code == code


def columns(**change: pa.Array) -> pa.RecordBatch:
    arrays = {
        "key": pa.array([1, 2], pa.uint64()),
        "feature": pa.array([1.0, 2.0]),
        "condition": pa.array([True, None]),
    }
    return pa.record_batch({**arrays, **change})


@pytest.mark.parametrize(
    ("code", "batch"),
    [
        ("decision_input", columns().select(["key"])),
        ("decision_input", columns(more=pa.array([True, True]))),
        ("decision_input", columns(key=pa.array([1, 2], pa.int64()))),
        ("feature_type", columns(feature=pa.array(["x", "y"]))),
        ("condition_type", columns(condition=pa.array([1, 0]))),
    ],
)
def test_columns_that_do_not_fit_are_refused(code, batch):
    with pytest.raises(SelectionError) as raised:
        Slot(**SETTINGS).decide(batch, seed=1, version="1", threads=1)
    assert raised.value.code == code


def test_a_column_without_a_type_is_null_throughout():
    batch = columns(condition=pa.nulls(2), feature=pa.nulls(2))
    decided = pa.array(Slot(**{**SETTINGS, "missing": [3.0]}).decide(batch, seed=1, version="1", threads=1))
    assert decided.field("component").to_pylist() == ["a", "a"]
    assert decided.field("score").to_pylist() == [3.0, 3.0]

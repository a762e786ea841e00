"""What an expression gives for a whole batch."""

from __future__ import annotations

import pyarrow as pa
import pytest

from labfactory import LabfactoryError
from labfactory.compiler import Expression


@pytest.mark.slow
def test_more_than_two_gibibytes_of_text_from_a_batch_are_refused():
    megabyte = pa.array(["x" * (1 << 20)])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 2048, pa.int16()), megabyte)
    batch = pa.record_batch({"x": column})
    plan = Expression("x").compile(batch.schema)
    with pytest.raises(LabfactoryError) as raised:
        plan.evaluate_batch(batch)
    assert raised.value.code == "batch_too_large"
    values, _ = plan.evaluate_batch(batch.slice(0, 2))
    assert len(values) == 2

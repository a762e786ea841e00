"""The rule of the Hillstrom example on its 64,000 real customers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from labfactory.selection import ChoiceRule, SlotPolicy


@pytest.mark.data
def test_customers_who_bought_womens_get_womens_and_the_rest_mens(bind):
    customers = pa.csv.read_csv(Path(os.environ["LABFACTORY_DATA"]) / "hillstrom.csv").combine_chunks()
    batch = customers.to_batches()[0]
    rules = [ChoiceRule(component="womens", when="womens == 1"), ChoiceRule(component="mens")]
    selector = bind(SlotPolicy.build(rules=rules), batch, ["mens", "womens"])
    decided = selector.decide(batch, keys=pa.array(range(len(batch))), seed=1, threads=2).column("hero")
    index = np.array(decided.field("index"))
    assert (index == np.array(batch["womens"])).all()
    is_mailed = np.array(batch["segment"]) != "No E-Mail"
    assert index[is_mailed].mean() == pytest.approx(0.551, abs=5e-4)

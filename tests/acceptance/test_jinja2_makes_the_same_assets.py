"""Every part of every asset of 2,000 sample customers is byte for byte what plain Jinja2 renders."""

from __future__ import annotations

import pyarrow as pa
import pytest
from mails_by_jinja2 import PlainMail

from labfactory.content import Library
from labfactory.samples import BadRows, customers, folder
from labfactory.samples.walk import VARIANTS
from labfactory.selection import SelectionPolicy, slot_columns

CUSTOMERS = 2_000
SEED = 7
# More bad rows than the demo has, so that every kind is among 2,000.
BAD = BadRows(null_key=0.01, duplicate_key=0.01, null_price=0.01)
LIBRARY = Library.load(folder() / "library")


@pytest.mark.parametrize("name", VARIANTS)
def test_every_part_of_every_mail_is_what_jinja2_renders(name: str) -> None:
    batch = customers(CUSTOMERS, seed=SEED, bad=BAD).batch(0)
    creative = LIBRARY.creative(name)
    selector = SelectionPolicy.load(folder() / "selection.toml").bind(
        creative.choices(LIBRARY.components), batch.schema, {}
    )
    decided = selector.decide(batch, keys=batch["customer_id"], seed=SEED)
    heroes = decided["hero"].field("component").to_pylist()
    plan = creative.compile(batch.schema, components=LIBRARY.components)
    decided_customers = batch.append_column("slot:hero", slot_columns(decided)["slot:hero"])
    made = pa.Table.from_batches(plan.assemble_batch(decided_customers)).to_pylist()

    expected = PlainMail(LIBRARY, creative).render_all(batch, heroes)

    assert len(made) == len(expected) == CUSTOMERS
    for number, (asset, mail) in enumerate(zip(made, expected, strict=True)):
        if mail is None:
            assert (asset["status"], asset["parts"]) == ("error", None), number
        else:
            assert asset["status"] == "ok", (number, asset)
            assert asset["parts"] == mail, number
    assert list(plan.parts) == ["subject", "preheader", "html", "text"]
    assert len(set(heroes) - {None}) == len(creative.slots["hero"]), "some component was never chosen"
    failures = expected.count(None)
    unpriced = sum(
        any(product["price"] is None for product in row["recommended"]) or key is None
        for row, key in zip(batch.to_pylist(), batch["customer_id"].to_pylist(), strict=True)
    )
    assert 10 < failures == unpriced


def test_the_comparison_sees_a_wrong_byte() -> None:
    """The control: a mail of another component, and a part escaped otherwise, are not equal."""
    batch = customers(50, seed=SEED).batch(0)
    mail = PlainMail(LIBRARY, LIBRARY.creative("welcome/warm"))
    by_loyalty = mail.render_all(batch, ["loyal-thanks"] * 50)
    by_sales = mail.render_all(batch, ["bestsellers"] * 50)
    for one, other in zip(by_loyalty, by_sales, strict=True):
        assert one is not None
        assert other is not None
        assert one["html"] != other["html"]
        assert one["subject"] == other["subject"]

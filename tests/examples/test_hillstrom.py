"""The Hillstrom example says what the data say: figures, decisions, e-mails, and what they are worth."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
import polars as pl
import pytest
from markupsafe import Markup

from labfactory.lab import Evaluation

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT = EXAMPLES / "hillstrom.py"
LIBRARY = EXAMPLES / "hillstrom" / "library"
NONE, MENS, WOMENS = "No E-Mail", "Mens E-Mail", "Womens E-Mail"
PARTS = ("subject", "preheader", "html", "text")


@dataclass(frozen=True)
class Walked:
    """What a walk printed and left behind."""

    printed: str
    customers: pl.DataFrame
    out: Path

    @property
    def evaluation(self) -> Evaluation:
        return Evaluation.from_json((self.out / "evaluation.json").read_bytes())

    @property
    def worth(self) -> dict[str, tuple[float, float]]:
        rows = json.loads((self.out / "worth.json").read_bytes())
        return {row["against"]: (row["gain"], row["error"]) for row in rows}

    @property
    def totals(self) -> dict[str, Any]:
        totals: dict[str, Any] = json.loads((self.out / "run" / "run.json").read_bytes())["totals"]
        return totals

    def output(self, kind: str) -> pl.DataFrame:
        return pl.read_parquet(self.out / "run" / kind)


def load_example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hillstrom_example", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made_up_customers(rows: int) -> pl.DataFrame:
    """Customers as the file has them; each e-mail works best for those whose shelf it shows."""
    random = np.random.default_rng(11)
    womens = random.integers(0, 2, rows)
    segment = random.permutation(np.resize([NONE, MENS, WOMENS], rows))
    is_fit = np.where(womens == 1, segment == WOMENS, segment == MENS)
    visit = random.random(rows) < np.where(segment == NONE, 0.1, np.where(is_fit, 0.5, 0.3))
    conversion = visit & (random.random(rows) < 0.2)
    history = random.gamma(1.5, 160, rows).round(2) + 29.99
    return pl.DataFrame(
        {
            "recency": random.integers(1, 13, rows),
            "history_segment": np.where(history < 100, "1) $0 - $100", "2) $100 - $200"),
            "history": history.round(2),
            "mens": np.maximum(1 - womens, random.integers(0, 2, rows)),
            "womens": womens,
            "zip_code": random.choice(["Rural", "Surburban", "Urban"], rows),
            "newbie": random.integers(0, 2, rows),
            "channel": random.choice(["Multichannel", "Phone", "Web"], rows),
            "segment": segment,
            "visit": visit.astype(int),
            "conversion": conversion.astype(int),
            "spend": np.where(conversion, random.gamma(2.0, 60.0, rows).round(2), 0.0),
        }
    )


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """A walk over 18,000 customers made up here, in this process."""
    folder = tmp_path_factory.mktemp("made-up")
    customers = made_up_customers(18_000)
    customers.write_csv(folder / "customers.csv")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        load_example().main([str(folder / "customers.csv"), "--out", str(folder / "out")])
    return Walked(printed.getvalue(), customers, folder / "out")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """The walk over the 64,000 real customers, as a person runs it."""
    data = Path(os.environ["LABFACTORY_DATA"]) / "hillstrom.csv"
    out = tmp_path_factory.mktemp("real") / "out"
    command = [sys.executable, "-W", "error", str(SCRIPT), str(data), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert done.stderr == ""
    return Walked(done.stdout, pl.read_csv(data, infer_schema_length=None), out)


@cache
def template(path: str, part: str) -> jinja2.Template:
    source = (LIBRARY / path / f"{part}.j2").read_text(encoding="utf-8")
    return jinja2.Environment(
        autoescape=part == "html", trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    ).from_string(source)


def rendered(customer: dict[str, Any], component: str) -> dict[str, str]:
    """The e-mail of one customer as Jinja2 alone renders it."""

    def part(name: str) -> str:
        def slot(slot_name: str) -> Markup:
            return Markup(template(f"components/{slot_name}/{component}", name).render(**customer))

        return template("offer/email", name).render(**customer, slot=slot)

    return {name: part(name) for name in PARTS}


def assert_every_customer_is_made(walked: Walked) -> None:
    rows = walked.customers.height
    assert walked.totals["rows"] == rows
    assert walked.totals["assets"] == rows
    assert walked.output("assets")["key"].sort().to_list() == list(range(rows))


def assert_decisions_are_the_rule(walked: Walked) -> None:
    expected = walked.customers.with_row_index("key").select(
        "key",
        component=pl.when(pl.col("womens") == 1).then(pl.lit("womens")).otherwise(pl.lit("mens")),
        propensity=1.0,
    )
    decided = walked.output("decisions").with_columns(pl.col("component").cast(pl.String))
    assert decided.select("key", "component", "propensity").sort("key").equals(expected)


def assert_sample_is_what_jinja2_renders(walked: Walked, size: int) -> None:
    assets = walked.output("assets").sort("key")
    sample = np.random.default_rng(3).choice(walked.customers.height, size, replace=False)
    for row in sorted(sample.tolist()):
        customer = {"customer_id": row, **walked.customers.row(row, named=True)}
        component = "womens" if customer["womens"] == 1 else "mens"
        asset = assets.row(row, named=True)
        assert {part: asset[part] for part in PARTS} == rendered(customer, component)


def test_made_up_customers_walk_the_whole_way(made_up: Walked) -> None:
    assert_every_customer_is_made(made_up)
    assert_decisions_are_the_rule(made_up)
    assert "Verdict of offer-graduation@1 about offer-by-purchases@1: passed" in made_up.printed
    assert "This shows the walk and claims nothing." in made_up.printed


def test_made_up_customers_get_what_jinja2_renders(made_up: Walked) -> None:
    assert_sample_is_what_jinja2_renders(made_up, 150)


def test_worth_finds_the_gain_that_was_built_in(made_up: Walked) -> None:
    # Half of the customers bought womens: choosing brings 50 % visits, one e-mail for all or chance 40 %.
    for gain, error in made_up.worth.values():
        assert gain == pytest.approx(0.1, abs=4 * error)
        assert error < 0.01
    assert made_up.printed.count("  gains") == 2


def test_worth_is_the_weighted_mean_by_hand() -> None:
    customers = pl.DataFrame(
        {
            "customer_id": [0, 1, 2, 3, 4],
            "segment": [WOMENS, MENS, WOMENS, MENS, NONE],
            "visit": [1, 1, 1, 0, 1],
        }
    )
    decisions = pl.DataFrame(
        {"key": [4, 3, 2, 1, 0], "component": ["mens", "mens", "mens", "womens", "womens"]}
    )
    # Visits count 2, 0 and 0 times for the choice, 0.8, 1.2 and 0.8 times by chance at two fifths womens.
    chance = np.array([2 - 0.8, 0 - 1.2, 0 - 0.8, 0])
    mens = np.array([2 - 0, 0 - 2, 0 - 0, 0])
    found = load_example().worth(customers, decisions)
    assert found["against"].to_list() == ["random, same shares", "mens to all"]
    assert found["gain"].to_list() == pytest.approx([chance.mean(), mens.mean()])
    assert found["error"].to_list() == pytest.approx([x.std(ddof=1) / 2 for x in (chance, mens)])


def test_too_few_customers_do_not_graduate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up_customers(300).write_csv(tmp_path / "customers.csv")
    with pytest.raises(SystemExit, match="does not graduate: nothing is signed, nothing is made"):
        load_example().main([str(tmp_path / "customers.csv"), "--out", str(tmp_path / "out")])
    assert "sample Mens E-Mail        fail" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.data
@pytest.mark.parametrize(
    ("metric", "variant", "difference", "p"),
    [
        ("visit", MENS, 0.07658956, 1.4e-112),
        ("conversion", MENS, 0.00680501, 1.5e-13),
        ("spend", MENS, 0.76982716, 1.16e-7),
        ("visit", WOMENS, 0.04523311, 2.4e-44),
        ("conversion", WOMENS, 0.00311106, 1.56e-4),
        ("spend", WOMENS, 0.42441222, 0.00113),
    ],
)
def test_each_email_against_none(
    real: Walked, metric: str, variant: str, difference: float, p: float
) -> None:
    row = real.evaluation.row(metric, variant)
    assert row.difference == pytest.approx(difference, abs=6e-9)
    # Other engines' p-values are known to two or three digits.
    assert row.p == pytest.approx(p, rel=0.04 if metric != "spend" else 0.005)


@pytest.mark.data
def test_the_lot_was_fair(real: Walked) -> None:
    assert real.evaluation.units == {NONE: 21_306, MENS: 21_307, WOMENS: 21_387}
    assert real.evaluation.srm_p == pytest.approx(0.904, abs=5e-4)
    assert "sample ratio p 0.904" in real.printed


@pytest.mark.data
def test_choosing_gains_over_chance_but_not_over_mens_to_all(real: Walked) -> None:
    assert {name: [round(100 * x, 2) for x in found] for name, found in real.worth.items()} == {
        "random, same shares": [1.18, 0.19],
        "mens to all": [-0.51, 0.31],
    }
    assert "against random, same shares  +1.18 ± 0.19  gains\n" in real.printed
    assert "against mens to all          -0.51 ± 0.31  does not gain\n" in real.printed
    assert "This shows the walk and claims nothing." in real.printed


def gains(customers: pl.DataFrame, share: float, coin: float) -> list[float]:
    """Gains in points over chance at a share of womens and over mens to all, where `coin` sent womens."""
    mailed = customers.filter(pl.col("segment") != NONE)
    sent, fits = (mailed["segment"] == WOMENS).to_numpy(), (mailed["womens"] == 1).to_numpy()
    weight = mailed["visit"].to_numpy() / np.where(sent, coin, 1 - coin)
    chance = np.where(sent, share, 1 - share)
    return [100 * float(np.mean(((sent == fits) - other) * weight)) for other in (chance, ~sent * 1.0)]


@pytest.mark.data
def test_other_ways_to_count_move_the_gains_less_than_their_errors(real: Walked) -> None:
    mailed = real.customers.filter(pl.col("segment") != NONE)
    share = mailed.filter(pl.col("womens") == 1).height / mailed.height
    coin = mailed.filter(pl.col("segment") == WOMENS).height / mailed.height
    assert gains(real.customers, 35_182 / 64_000, 0.5) == pytest.approx(
        [100 * x for x, _ in real.worth.values()]
    )
    assert gains(real.customers, share, 0.5) == pytest.approx([1.19, -0.51], abs=0.005)
    assert gains(real.customers, 35_182 / 64_000, coin) == pytest.approx([1.18, -0.54], abs=0.005)


@pytest.mark.data
def test_each_of_64000_customers_gets_one_email(real: Walked) -> None:
    assert real.customers.height == 64_000
    assert_every_customer_is_made(real)
    assert real.totals["quarantined"] == {}
    assert real.totals["skipped"] == {}


@pytest.mark.data
def test_real_decisions_are_the_rule(real: Walked) -> None:
    assert_decisions_are_the_rule(real)
    assert (real.output("decisions")["component"] == "womens").sum() == 35_182


@pytest.mark.data
def test_real_customers_get_what_jinja2_renders(real: Walked) -> None:
    assert_sample_is_what_jinja2_renders(real, 500)

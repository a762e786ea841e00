"""The walk from an experiment to finished e-mails, on real customers.

In 2008 Kevin Hillstrom published an e-mail test: by lot a third of 64,000 customers got an e-mail about mens
clothes, a third one about womens clothes, a third none; then came two weeks of visits, orders and spend. This
script evaluates the test, packages and signs a policy that picks one of two e-mails by what a customer bought
before, lets a Factory make all 64,000, and asks the same data what that policy is worth.

    python examples/hillstrom.py PATH/hillstrom.csv [--out DIR]
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

import labfactory as lf

if TYPE_CHECKING:
    from collections.abc import Sequence

CONCEPT = Path(__file__).with_suffix("")  # library, selection.toml, graduation.toml, playbook.md, golden.csv
CREATIVE = "offer/email"
NONE, MENS, WOMENS = "No E-Mail", "Mens E-Mail", "Womens E-Mail"
NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)  # nothing reads a clock: equal input makes equal e-mails on any day
COIN = 0.5  # among those who got an e-mail, the lot gave each of the two to one half

CAVEAT = """
This shows the walk and claims nothing. The rule was made with these same customers in view; the test
compared each e-mail with none, not the choice between them; and its e-mails were others than ours.
Where the choice shows no gain, the simpler policy is the one to send."""


def read(path: Path) -> pl.DataFrame:
    """The customers; they have no id and rows repeat, so the row's number becomes the key."""
    return pl.read_csv(path, schema_overrides={"spend": pl.Float64}).with_row_index("customer_id")


def evaluate(customers: pl.DataFrame) -> lf.Evaluation:
    """Lab: what each e-mail did, compared with none."""
    experiment = lf.Experiment(
        "hillstrom",
        hypothesis=lf.Hypothesis("An e-mail brings visits.", minimum_effect=0.1),
        variants=[NONE, MENS, WOMENS],
        metrics={
            "visit": lf.Proportion("visit"),
            "conversion": lf.Proportion("conversion", role="secondary"),
            "spend": lf.Mean("spend", role="secondary"),
        },
    )
    return experiment.evaluate(customers, control=NONE, variant="segment", key="customer_id")


def draft(evaluation: lf.Evaluation) -> lf.Draft:
    """Handoff: content, policies, evidence, playbook and golden e-mails under one digest."""
    library = lf.Library.load(CONCEPT / "library")
    selection = lf.SelectionPolicy.load(CONCEPT / "selection.toml")
    return lf.Package.build(
        "offer-by-purchases",
        version=1,
        library=library,
        creatives=[CREATIVE],
        selection=selection,
        evaluation=evaluation,
        graduation=CONCEPT / "graduation.toml",
        playbook=CONCEPT / "playbook.md",
        golden=pl.read_csv(CONCEPT / "golden.csv"),  # made up: golden customers travel with the package
        author="hana",
        now=NOW,
    )


def seal(unsigned: lf.Draft, verdict: lf.Verdict) -> tuple[lf.Package, lf.Trust]:
    """Governance: two people sign; a trust file tells the Factory whom to believe."""
    signers = {
        "experimentation_lead": lf.Signer.generate("tomasz"),
        "bridge_manager": lf.Signer.generate("amara"),
    }
    approvals = [verdict.approve(role=role, signer=signer) for role, signer in signers.items()]
    people = tuple(signer.enrol([role]) for role, signer in signers.items())
    trust = lf.Trust(version=1, expires=NOW + timedelta(days=365), people=people)
    return unsigned.seal(verdict, approvals), trust


def make(package: lf.Package, trust: lf.Trust, customers: pl.DataFrame, out: Path) -> lf.Run:
    """Factory: verify the package, then decide, assemble, audit and write an e-mail for each customer."""
    factory = lf.Factory.create(out / "factory", trust=trust)
    factory.ingest(package, now=NOW)
    sink = lf.ParquetSink(out / "run")
    return factory.run(package.id, customers, key="customer_id", seed=7, now=NOW, sink=sink)


def worth(customers: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Visits that the run's choices gain over two simpler policies, by inverse propensity scores.

    Who got one of the two e-mails got it by a fair coin. For a policy that would have sent the same e-mail
    with probability q, a visit therefore counts q / (1/2) times, and the mean is what the policy brings.
    """
    mailed = customers.filter(pl.col("segment") != NONE)
    mailed = mailed.join(decisions, left_on="customer_id", right_on="key")
    got_womens = pl.col("segment") == WOMENS
    share = decisions.filter(pl.col("component") == "womens").height / decisions.height
    chosen = (got_womens == (pl.col("component") == "womens")).cast(pl.Float64)
    simpler = {
        "random, same shares": pl.when(got_womens).then(share).otherwise(1 - share),
        "mens to all": (~got_womens).cast(pl.Float64),
    }
    gains = mailed.select(
        ((chosen - q) / COIN * pl.col("visit")).alias(policy) for policy, q in simpler.items()
    )
    errors = gains.std() / gains.height**0.5
    return pl.DataFrame({"against": gains.columns, "gain": gains.mean().row(0), "error": errors.row(0)})


def main(arguments: Sequence[str] | None = None) -> None:
    """Walk from the file to the e-mails, and say what choosing them is worth."""
    parser = argparse.ArgumentParser(description="Walk from an experiment to finished e-mails.")
    parser.add_argument("data", type=Path, help="hillstrom.csv")
    parser.add_argument("--out", type=Path, default="labfactory-hillstrom", help="absent or empty")
    options = parser.parse_args(arguments)

    customers = read(options.data)
    evaluation = evaluate(customers)
    print(evaluation, end="\n\n")

    unsigned = draft(evaluation)
    verdict = unsigned.judge(now=NOW)
    print(verdict, end="\n\n")
    if verdict.status != "passed":
        sys.exit(f"{unsigned.id} does not graduate: nothing is signed, nothing is made")

    package, trust = seal(unsigned, verdict)
    run = make(package, trust, customers, options.out)
    print(run, end="\n\n")

    gains = worth(customers, pl.read_parquet(run.paths["decisions"]))
    print("Choosing by purchase history, visits in points ± one standard error:")
    for policy, gain, error in gains.iter_rows():
        finding = "gains" if gain > 1.96 * error else "does not gain"
        print(f"  against {policy:<19}  {100 * gain:+.2f} ± {100 * error:.2f}  {finding}")
    print(CAVEAT)

    (options.out / "evaluation.json").write_bytes(evaluation.to_json())
    gains.write_json(options.out / "worth.json")


if __name__ == "__main__":
    main()

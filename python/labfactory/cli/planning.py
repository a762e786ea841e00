"""`labfactory lab power`, `design` and `preregister`: before the data come."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labfactory.base.storage import write_atomically
from labfactory.cli.options import Json  # noqa: TC001 - typer reads the annotation
from labfactory.cli.output import output, print_json, print_table

if TYPE_CHECKING:
    from labfactory.cli.experiment_file import ExperimentFile
    from labfactory.lab import Baseline, Design, Sizing
    from labfactory.lab.sequential.look import Alternative

ExperimentPath = Annotated[
    Path, typer.Argument(metavar="EXPERIMENT", help="The experiment, experiment.toml.")
]


def power(
    rate: Annotated[float | None, typer.Option(help="The share of units, for a proportion.")] = None,
    mean: Annotated[float | None, typer.Option(help="The mean outcome, for amounts.")] = None,
    variance: Annotated[float | None, typer.Option(help="The variance of the amounts.")] = None,
    lift: Annotated[float | None, typer.Option(help="The effect; 0.02 is two percent.")] = None,
    units: Annotated[int | None, typer.Option(help="Units of all variants together.")] = None,
    wanted: Annotated[float, typer.Option("--power", help="The chance to find the effect.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Error level over all comparisons and looks.")] = 0.05,
    variants: Annotated[int, typer.Option(help="Variants with the control, of equal shares.")] = 2,
    rule: Annotated[
        str | None,
        typer.Option(help="A stop rule: always_valid, group_sequential, beta_binomial or betting."),
    ] = None,
    looks: Annotated[int | None, typer.Option(help="Looks of a stop rule.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Say how many units an effect needs, what so many units find, or with both their power."""
    from labfactory.base.errors import UsageError
    from labfactory.lab import Baseline, Design

    if (rate is None) == (mean is None) or (mean is None) != (variance is None):
        message = "expected --rate, or --mean and --variance"
        raise UsageError(message, code="baseline")
    if rate is not None:
        baseline = Baseline.of_proportion(rate)
    else:
        baseline = Baseline.of_mean(mean or 0.0, variance=variance or 0.0)
    design = Design(
        baseline,
        alpha=alpha,
        power=wanted,
        shares=(1 / max(variants, 1),) * variants,
        rule=_rule(rule, looks),
        looks=20 if looks is None else looks,
    )
    if units is None:
        sizing = design.sample_size(lift=lift)
    else:
        sizing = design.minimum_effect(units) if lift is None else design.achieved(units, lift=lift)
    if as_json:
        print_json(sizing.to_dict())
        return
    output().print(repr(sizing), markup=False)


def design(
    experiment: ExperimentPath,
    history: Annotated[str, typer.Argument(metavar="HISTORY", help="A row per past unit, .parquet or .csv.")],
    wanted: Annotated[float, typer.Option("--power", help="The chance to find the effect.")] = 0.8,
    covariate: Annotated[
        list[str] | None, typer.Option(help="A column known before, as CUPED uses it; may be repeated.")
    ] = None,
    day: Annotated[
        str | None, typer.Option(help="The column with the day of each unit, for the runtime.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Size every metric of an experiment for its minimum effect, by what past units show."""
    from labfactory.cli.experiment_file import ExperimentFile
    from labfactory.lab import Baseline

    file = ExperimentFile.load(experiment)
    sizings = {}
    for name, metric in file.experiment().metrics.items():
        baseline = Baseline.from_history(history, metric, covariates=covariate or (), day=day)
        sizings[name] = _sized(file, name, baseline, power=wanted)
    if as_json:
        print_json({name: sizing.to_dict() for name, sizing in sizings.items()})
        return
    rows = [
        (
            name,
            "no harm" if sizing.margin is not None else f"{sizing.lift:+.3g}",
            f"{sizing.units:,}",
            "" if sizing.days is None else f"{sizing.days:,}",
            sizing.rule,
        )
        for name, sizing in sizings.items()
    ]
    print_table(
        f"{file.name}: units for power {wanted:g}", ("metric", "lift>", "units>", "days>", "rule"), rows
    )


def preregister(
    experiment: ExperimentPath,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The preregistration, .json.")],
    units: Annotated[int, typer.Option(help="Planned units of all variants together.")],
    *,
    as_json: Json = False,
) -> None:
    """Write the plan of an experiment and its evaluation, and print its digest."""
    from labfactory.cli.experiment_file import ExperimentFile
    from labfactory.lab import Preregistration

    file = ExperimentFile.load(experiment)
    planned = Preregistration.of(
        file.experiment(),
        control=file.control,
        units=units,
        alpha=file.alpha,
        estimator=file.comparer(),
        rule=file.rules(),
        correction=file.correction,
        segments=file.segments,
    )
    write_atomically(out, planned.to_json())
    if as_json:
        print_json({"digest": planned.digest, "out": str(out)})
        return
    output().print(f"{planned.digest}\npreregistration: {out}", markup=False)


def _rule(kind: str | None, looks: int | None) -> Any:
    from labfactory.base.settings import settings_from
    from labfactory.cli.experiment_file import StopRuleTable

    if kind is None:
        return None
    # Rules that may be read at any time do not say how often; the design does.
    lines = [f'kind = "{kind}"', *([f"looks = {looks}"] if looks and kind == "group_sequential" else [])]
    return settings_from(StopRuleTable, "\n".join(lines).encode(), name="--rule").rule()


def _sized(file: ExperimentFile, name: str, baseline: Baseline, *, power: float) -> Sizing:
    """A goal for the hypothesis's minimum effect, a guardrail with a margin for showing no harm."""
    from labfactory.lab import BetaBinomial, Design
    from labfactory.lab.design import Rule

    better: Alternative
    experiment = file.experiment()
    metric = experiment.metrics[name]
    planned = file.rule_of(name)
    rule = planned if isinstance(planned, Rule) else None
    if isinstance(rule, BetaBinomial) and baseline.kind != "proportion":
        rule = None
    first = experiment.allocation[file.control]
    shares = (first, *(share for name, share in experiment.allocation.items() if name != file.control))
    if metric.margin is not None:
        better = "greater" if metric.direction == "increase" else "less"
        # The evaluation judges harm by one side of its two-sided interval.
        harmless = Design(
            baseline,
            alpha=file.alpha / 2,
            power=power,
            shares=shares,
            rule=rule,
            margin=metric.margin,
            alternative=better,
            correction=None,
        )
        return harmless.sample_size()
    sign = 1.0 if metric.direction == "increase" else -1.0
    wanted: Design = Design(
        baseline, alpha=file.alpha, power=power, shares=shares, rule=rule, correction=file.correction
    )
    return wanted.sample_size(lift=sign * experiment.hypothesis.minimum_effect)

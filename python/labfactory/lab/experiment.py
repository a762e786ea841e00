"""An experiment: what is compared, in which shares, by which metrics, to show what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from labfactory.assignment import Assigner, Sticky, assign_customers, bucketing_named
from labfactory.base.canonical import canonical_json, sha256_hex
from labfactory.base.errors import UsageError
from labfactory.lab.adjustment import Welch
from labfactory.lab.evaluate import evaluate
from labfactory.lab.history import check_earlier
from labfactory.lab.options import Options
from labfactory.lab.reading import ResponseColumns
from labfactory.lab.responses import aggregated, prepared
from labfactory.lab.stop_rules import StopRules
from labfactory.lab.variants import planned_shares, variant_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from labfactory.assignment import Bucketing, Layer
    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.aggregates import Aggregates
    from labfactory.lab.evaluation import Evaluation
    from labfactory.lab.hypothesis import Hypothesis
    from labfactory.lab.metric import Metric
    from labfactory.lab.multiplicity import Correction
    from labfactory.lab.preregistration import Preregistration
    from labfactory.lab.sequential import StopRule
    from labfactory.lab.variants import Named


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Experiment:
    """A planned comparison of variants.

    Args:
        name: Its name, which also separates its assignment from that of other experiments.
        hypothesis: What it sets out to show.
        variants: Names of the arms, or things with a `name`; two at least, all different.
        metrics: Metrics by name; one goal at least.
        allocation: Planned share of each variant, by name or in order, summing to 1; equal shares when None.
            A variant of share 0 gets nobody and takes no part in the sample-ratio test.

    Raises:
        UsageError: `experiment`, when variants or metrics are missing or repeated; `weights`, when the
            shares do not sum to 1; `unknown_variant`, when they name another variant.

    Example:
        >>> from labfactory.lab import Hypothesis, Mean
        >>> Experiment(
        ...     "tone",
        ...     hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
        ...     variants=["plain", "warm"],
        ...     metrics={"orders": Mean("orders")},
        ... )
        Experiment('tone', plain 0.5, warm 0.5; orders goal)
    """

    name: str
    hypothesis: Hypothesis
    variants: tuple[str, ...]
    weights: tuple[float, ...]
    named_metrics: tuple[tuple[str, Metric], ...]

    def __init__(
        self,
        name: str,
        *,
        hypothesis: Hypothesis,
        variants: Sequence[str | Named],
        metrics: Mapping[str, Metric],
        allocation: Mapping[str, float] | Sequence[float] | None = None,
    ) -> None:
        names = variant_names(variants, experiment=name)
        _check_metrics(name, metrics)
        for field, value in (
            ("name", name),
            ("hypothesis", hypothesis),
            ("variants", names),
            ("weights", planned_shares(allocation, names)),
            ("named_metrics", tuple(metrics.items())),
        ):
            object.__setattr__(self, field, value)

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {share:g}" for name, share in self.allocation.items())
        metrics = ", ".join(f"{name} {metric.role}" for name, metric in self.named_metrics)
        return f"Experiment({self.name!r}, {shares}; {metrics})"

    @property
    def metrics(self) -> dict[str, Metric]:
        """Metrics by name."""
        return dict(self.named_metrics)

    @property
    def allocation(self) -> dict[str, float]:
        """Planned share of each variant."""
        return dict(zip(self.variants, self.weights, strict=True))

    @property
    def preregistration(self) -> str:
        """SHA-256, in hexadecimal, of hypothesis, metrics, variants and shares as they are planned."""
        return sha256_hex(
            canonical_json(
                {
                    "hypothesis": {
                        "text": self.hypothesis.text,
                        "minimum_effect": self.hypothesis.minimum_effect,
                    },
                    "metrics": {name: metric.to_dict() for name, metric in self.named_metrics},
                    "variants": self.variants,
                    "allocation": self.weights,
                }
            )
        )

    def assign(
        self,
        customers: Any,
        *,
        key: str,
        seed: int | None = None,
        hash: str | Bucketing = "labfactory",  # noqa: A002 - the field's word
        coverage: float = 1.0,
        layer: Layer | None = None,
        strata: str | Sequence[str] = (),
        sticky: Any = None,
        retired: Literal["refuse", "reassign"] = "refuse",
    ) -> pa.Table:
        """The variant of each customer, decided by the customer's key alone.

        The same key, experiment name, shares and seed give the same variant on every machine, whatever the
        order of the rows; a row of a key that occurs twice gets the same variant again.

        Args:
            customers: Anything Arrow; a one-shot stream is used up.
            key: Column that tells customers apart, of any type that `key_texts` takes; no nulls.
            seed: From 0 to 2^64 - 1; another seed assigns afresh. Other platforms' hashes need none.
            hash: The name of a standard, such as `growthbook_v2`, salted with the experiment's name; or a
                bucketing, such as `GrowthBook("welcome", version=2)`.
            coverage: Share of customers that take part, from 0 to 1; raising it moves nobody who is in.
            layer: The layer that has a part for this experiment; other customers take no part.
            strata: Columns to balance within; the variants of those customers depend on who else is there.
            sticky: Earlier assignments, as this makes them: their customers keep their variant, also those
                who would take no part today.
            retired: What becomes of earlier assignments to variants that the experiment no longer has:
                `refuse` names them in an error, `reassign` assigns their customers anew.

        Returns:
            `key` and `variant` (dictionary<int32, string>), in the order of the customers. Where a customer
            can be left out or kept (coverage, layer, sticky or another platform's hash), `variant` is null
            for those left out, and `status` says what became of each: `assigned`, `sticky`, `holdout`,
            `layer` or `coverage`.

        Raises:
            SourceError: `null_key`, with the row; `key_type`; or when the source cannot be read.
            UsageError: `seed`, `bucketing`, `coverage`, `layer`, `strata`; `sticky_variant` and
                `sticky_conflict` for earlier assignments that do not fit.

        Example:
            >>> import polars as pl
            >>> from labfactory.lab import Experiment, Hypothesis, Mean
            >>> experiment = Experiment(
            ...     "tone",
            ...     hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
            ...     variants=["plain", "warm"],
            ...     metrics={"orders": Mean("orders")},
            ... )
            >>> customers = pl.DataFrame({"customer_id": [1, 2, 3, 4]})
            >>> experiment.assign(customers, key="customer_id", seed=7)["variant"].to_pylist()
            ['plain', 'plain', 'warm', 'warm']
            >>> part = experiment.assign(customers, key="customer_id", seed=7, coverage=0.5)
            >>> part["status"].to_pylist()
            ['assigned', 'coverage', 'coverage', 'assigned']
        """
        bucketing = hash
        if isinstance(bucketing, str):
            bucketing = bucketing_named(bucketing, experiment=self.name, seed=seed)
        elif seed is not None:
            message = f"expected no seed with a bucketing, found {seed} with {bucketing!r}"
            raise UsageError(message, code="seed")
        earlier = None
        if sticky is not None:
            earlier = Sticky.read(sticky, self.variants, leave_retired=retired == "reassign")
        assigner = Assigner(
            experiment=self.name,
            bucketing=bucketing,
            weights=self.weights,
            coverage=coverage,
            layer=layer,
            sticky=earlier,
        )
        columns = [strata] if isinstance(strata, str) else list(strata)
        return assign_customers(customers, assigner, variants=self.variants, key=key, strata=columns)

    def evaluate(
        self,
        responses: Any,
        *,
        control: str,
        variant: str = "variant",
        key: str | None = None,
        alpha: float = 0.05,
        estimator: Estimator = Welch(),  # noqa: B008 - a frozen value
        sequential: StopRule | Mapping[str, StopRule] | None = None,
        correction: Correction | None = None,
        segments: Sequence[str] = (),
        exposed_at: str | None = None,
        started: datetime | None = None,
        ended: datetime | None = None,
        variance_factor: float = 1.0,
        looks: int = 1,
        earlier: Sequence[Evaluation] = (),
        preregistration: Preregistration | None = None,
        threads: int = 2,
    ) -> Evaluation:
        """Compare every treatment with the control on every metric.

        Responses are read once, in constant memory (10 bytes a row more when `key` is given). For the same
        rows in the same order every bit of the result is the same, for any batches and threads; another
        order changes rounding only. Quantiles, percentiles as bounds and the bootstrap hold what they need of
        the rows in memory.

        Args:
            responses: Anything Arrow with one row per assigned unit, also those that did not respond; a
                one-shot stream is used up. Outcomes of units that did nothing are 0, not null. Or what
                `aggregate` made, of which the columns are no longer asked for.
            control: Name of the control.
            variant: Column with the name of the unit's variant; null where the unit was not assigned.
            key: Column with the unit's key, to flag repeated units and units in several variants.
            alpha: Error level of each two-sided interval, above 0 and below 1.
            estimator: How two arms are compared: `Welch`, `ZTest`, `Cuped`, `Regression`, `PostStratified`,
                `Bayes` or `Bootstrap`.
            sequential: A stop rule such as `AlwaysValid`, for data that are read while they come; its
                intervals and p-values take the place of the estimator's. A mapping names rules by metric;
                metrics that it leaves out are read by a fixed test.
            correction: `holm`, `hochberg`, `bonferroni`, `sidak`, `bh` or `by` over the treatments of each
                metric, as `adjusted_p` of the rows; intervals are those of each comparison alone.
            segments: Columns to compare within as well, with interaction tests.
            exposed_at: Column with the time of exposure, for the period, conversion windows and the check
                for novelty.
            started: Start of the experiment; first exposure when None.
            ended: End of the experiment; last exposure when None.
            variance_factor: Multiplies every variance: units vary more than their own spread says, by what
                A/A arms show; see `overdispersion`.
            looks: How often the data were looked at, this time included.
            earlier: The evaluations of earlier looks, oldest first: `GroupSequential` rests on their units.
                They count as looks.
            preregistration: The plan, fixed before the data came; the evaluation then holds how it departs
                from it.
            threads: Most threads to use.

        Returns:
            The evaluation; what the data leave undefined is None there, and flagged.

        Raises:
            UsageError: `alpha`; `unknown_variant`, when the control is not a variant; `correction`,
                `variance_factor`, `looks`, `period`, `earlier`; `stop_rule`, for a rule that cannot read the
                metric or the estimator; `needs_rows`, when aggregates cannot say it;
                `needs_exposure`, for conversion windows without `exposed_at`.
            StatisticsError: `no_units`, when nobody came to the control; `unknown_variant`,
                `invalid_outcome`, `overflow`, when a row holds what it must not; `too_many_segments`.
            SourceError: When a column is missing or of the wrong type, or the source cannot be read.

        References:
            Welch (1947); Satterthwaite (1946); Fieller (1954) for relative lifts; Fabijan et al. (2019) for
            the sample-ratio test.

        Example:
            >>> import polars as pl
            >>> from labfactory.lab import Experiment, Hypothesis, Mean
            >>> experiment = Experiment(
            ...     "tone",
            ...     hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
            ...     variants=["plain", "warm"],
            ...     metrics={"orders": Mean("orders")},
            ... )
            >>> responses = pl.DataFrame({"variant": ["plain", "warm"] * 40, "orders": [0, 1, 2, 3] * 20})
            >>> experiment.evaluate(responses, control="plain").row("orders", "warm").difference
            1.0
        """
        rules = StopRules.of(sequential)
        rules.check(self.metrics, estimator, variance_factor=variance_factor)
        options = Options(
            control=control,
            variants=self.variants,
            alpha=alpha,
            estimator=estimator,
            rules=rules,
            correction=correction,
            variance_factor=variance_factor,
            looks=max(looks, len(earlier) + 1) if earlier else looks,
            started=started,
            ended=ended,
            segments=tuple(segments),
            weights=self.weights,
            earlier=tuple(earlier),
        )
        check_earlier(earlier, experiment=self.name, control=control, method=options.method)
        columns = ResponseColumns.of(estimator, variant, key, exposed_at, segments)
        found = evaluate(self, prepared(responses, self, columns, options, threads=threads), options)
        return found if preregistration is None else preregistration.recorded(found)

    def aggregate(
        self,
        responses: Any,
        *,
        variant: str = "variant",
        key: str | None = None,
        estimator: Estimator = Welch(),  # noqa: B008 - a frozen value
        segments: Sequence[str] = (),
        exposed_at: str | None = None,
        threads: int = 2,
    ) -> Aggregates:
        """Sum up responses, or a part of them, for a later evaluation.

        Parts that lie in different places are summed there, merged, and evaluated as one; no row leaves.

        Args:
            responses: As in `evaluate`.
            variant: As in `evaluate`.
            key: As in `evaluate`; repeated units are found within a part only.
            estimator: What the evaluation will use; it says which covariates and strata to sum.
            segments: Columns to split by.
            exposed_at: Column with the time of exposure.
            threads: Most threads to use.

        Returns:
            The sums; every part of an experiment has to be summed with the same options.

        Raises:
            UsageError: `needs_rows`, when a metric or the estimator cannot work on sums.
            StatisticsError: As in `evaluate`.
            SourceError: As in `evaluate`.

        Example:
            >>> import polars as pl
            >>> from labfactory.lab import Experiment, Hypothesis, Mean
            >>> experiment = Experiment(
            ...     "tone",
            ...     hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
            ...     variants=["plain", "warm"],
            ...     metrics={"orders": Mean("orders")},
            ... )
            >>> parts = [
            ...     experiment.aggregate(pl.DataFrame({"variant": ["plain", "warm"], "orders": orders}))
            ...     for orders in ([0, 1], [2, 3], [4, 4])
            ... ]
            >>> experiment.evaluate(parts[0].merge(*parts[1:]), control="plain").units
            {'plain': 3, 'warm': 3}
        """
        columns = ResponseColumns.of(estimator, variant, key, exposed_at, segments)
        return aggregated(responses, self, columns, estimator, threads=threads)


def _check_metrics(name: str, metrics: Mapping[str, Metric]) -> None:
    if not any(metric.role == "goal" for metric in metrics.values()):
        found = ", ".join(f"{each} {metric.role}" for each, metric in metrics.items()) or "no metric"
        message = f"expected a goal among the metrics of {name!r}, found {found}"
        raise UsageError(message, code="experiment", hint="the goal is what the hypothesis is about")

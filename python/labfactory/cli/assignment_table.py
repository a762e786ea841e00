"""`[assignment]` of `experiment.toml`: by which hash, in which layer, for which share of customers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labfactory.assignment import GrowthBook, Holdout, Layer, bucketing_named
from labfactory.base.errors import UsageError
from labfactory.base.settings import Settings

if TYPE_CHECKING:
    from labfactory.assignment import Bucketing


class HoldoutTable(Settings):
    """The `[assignment.layer.holdout]` table."""

    name: str
    share: float
    seed: int = 0


class LayerTable(Settings):
    """The `[assignment.layer]` table: the part of each experiment, a share or bounds."""

    name: str
    shares: dict[str, float | tuple[float, float]]
    seed: int = 0
    holdout: HoldoutTable | None = None

    def layer(self) -> Layer:
        """The layer.

        Raises:
            UsageError: `layer`.
        """
        holdout = None if self.holdout is None else Holdout(**self.holdout.model_dump())
        return Layer(self.name, self.shares, seed=self.seed, holdout=holdout)


class NamespaceTable(Settings):
    """The `[assignment.namespace]` table: GrowthBook's, with the hash seed of the experiment there."""

    name: str
    start: float
    end: float


class AssignmentTable(Settings):
    """The `[assignment]` table; what is absent is the default of `Experiment.assign`.

    Attributes:
        hash: The platform whose hash assigns.
        salt: The experiment's seed or key on that platform, where it is not its name here.
        seed: Another seed assigns afresh.
        coverage: Share of customers that take part.
        strata: Columns to balance within.
        layer: The layer that has a part for this experiment.
        namespace: GrowthBook's namespace.
    """

    hash: str | None = None
    salt: str | None = None
    seed: int | None = None
    coverage: float | None = None
    strata: tuple[str, ...] | None = None
    layer: LayerTable | None = None
    namespace: NamespaceTable | None = None

    def options(self, experiment: str) -> dict[str, Any]:
        """What `Experiment.assign` is told.

        Args:
            experiment: Name of the experiment, which is its salt unless the table has another.

        Raises:
            UsageError: `layer`; `bucketing`, for a namespace that is not GrowthBook's.
        """
        options: dict[str, Any] = self.model_dump(include={"hash", "seed", "coverage", "strata"})
        if self.layer is not None:
            options["layer"] = self.layer.layer()
        if self.salt is not None or self.namespace is not None:
            options |= {"hash": self._bucketing(self.salt or experiment), "seed": None}
        return {name: value for name, value in options.items() if value is not None}

    def _bucketing(self, salt: str) -> Bucketing:
        name = self.hash or "labfactory"
        made = bucketing_named(name, experiment=salt, seed=self.seed)
        if self.namespace is None:
            return made
        if not isinstance(made, GrowthBook):
            message = f"expected growthbook_v1 or growthbook_v2 with a namespace, found {name!r}"
            raise UsageError(message, code="bucketing", hint="[assignment.layer] is labfactory's own")
        namespace = (self.namespace.name, self.namespace.start, self.namespace.end)
        return replace(made, namespace=namespace)

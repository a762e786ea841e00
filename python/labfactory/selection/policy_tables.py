"""The tables of selection.toml, as pydantic checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from labfactory.base.settings import Settings
from labfactory.selection.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Sequence


class Table(Settings):
    """A table that knows all its keys, takes no value for another, and no number that is not finite."""

    model_config = ConfigDict(allow_inf_nan=False)


class FeatureTable(Table):
    """An entry of `[[slots.<slot>.features]]`."""

    name: str
    expression: str
    missing: float | Literal["error"] = "error"
    encoding: Literal["number", "one_hot", "hashed"] = "number"
    categories: list[str] = Field(default_factory=list)
    buckets: int = 0


class ComponentTable(Table):
    """A `[slots.<slot>.model.components.<component>]`."""

    bias: float = 0.0
    weights: dict[str, float] = Field(default_factory=dict)


class ModelTable(Table):
    """A `[slots.<slot>.model]`."""

    kind: Literal["linear", "logistic"]
    score: Literal["logit", "probability"] = "logit"
    components: dict[str, ComponentTable] | None = None


class TermsTable(Table):
    """A `[slots.<slot>.arbitration.components.<component>]`."""

    context: float | str | None = None
    value: float | str | None = None
    lever: float | str | None = None


class ArbitrationTable(Table):
    """A `[slots.<slot>.arbitration]`."""

    formula: str = "propensity * context * value * lever"
    components: dict[str, TermsTable] = Field(default_factory=dict)


class ExplorationTable(Table):
    """A `[slots.<slot>.exploration]`."""

    mode: Literal["greedy", "epsilon", "softmax", "squarecb", "ucb", "thompson", "uniform"] = "greedy"
    epsilon: float | None = None
    temperature: float | None = None
    gamma: float | None = None
    width: float | None = None
    floor: float = 0.0


class EligibilityTable(Table):
    """An entry of `eligible`, `applicable` or `suitable`."""

    when: str
    component: str | None = None


class ChoiceTable(Table):
    """An entry of `rules`."""

    component: str
    when: str | None = None
    worth: float | None = None


Conditions = list[str | EligibilityTable]


class SlotTable(Table):
    """A `[slots.<slot>]`."""

    components: list[str] = Field(default_factory=list)
    fills: list[str] = Field(default_factory=list)
    channel: str | None = None
    type: str | None = None
    eligible: Conditions = Field(default_factory=list)
    applicable: Conditions = Field(default_factory=list)
    suitable: Conditions = Field(default_factory=list)
    rules: list[ChoiceTable] = Field(default_factory=list)
    features: list[FeatureTable] = Field(default_factory=list)
    model: ModelTable | None = None
    arbitration: ArbitrationTable | None = None
    beliefs: dict[str, list[float]] = Field(default_factory=dict)
    exploration: ExplorationTable = Field(default_factory=ExplorationTable)


class ScopeTable(Table):
    """What the entries of `[[contact.caps]]` and `[[contact.rests]]` share."""

    channel: str | None = None
    type: str | None = None
    tag: str | None = None
    components: list[str] = Field(default_factory=list)
    slots: list[str] = Field(default_factory=list)


class CapTable(ScopeTable):
    """An entry of `[[contact.caps]]`."""

    at_most: int
    per: str = "message"
    planned: bool = False


class RestTable(ScopeTable):
    """An entry of `[[contact.rests]]`."""

    outcome: str
    times: int = 1
    within: str = "30 days"
    rest: str = "60 days"


class HoldoutTable(Table):
    """An entry of `[[contact.holdouts]]`."""

    name: str
    share: float
    salt: str = ""
    gives: Literal["nothing", "control"] = "nothing"


class QuietTable(Table):
    """`contact.quiet_hours`."""

    start: str
    end: str


class ContactTable(Table):
    """The `[contact]`."""

    consent: list[str] = Field(default_factory=list)
    suppressed: list[str] = Field(default_factory=list)
    zone: str | None = None
    quiet_hours: QuietTable | None = None
    send_hour: str | None = None
    caps: list[CapTable] = Field(default_factory=list)
    rests: list[RestTable] = Field(default_factory=list)
    holdouts: list[HoldoutTable] = Field(default_factory=list)


class LimitTable(Table):
    """A `[limits.<name>]` of a policy, or `[selection.limits.<name>]` of a job."""

    component: str | None = None
    tag: str | None = None
    slot: str | None = None
    channel: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    budget: float | None = None
    costs: dict[str, float] = Field(default_factory=dict)

    def to_limit(self) -> Limit:
        """The limit.

        Raises:
            SelectionError: `limit` when it makes no sense.
        """
        return Limit(**self.model_dump())


class PolicyTable(Table):
    """The file."""

    version: str
    contact: ContactTable = Field(default_factory=ContactTable)
    limits: dict[str, LimitTable] = Field(default_factory=dict)
    slots: dict[str, SlotTable]


_BY_KEY: dict[str, type[Table]] = {
    "contact": ContactTable,
    "caps": CapTable,
    "rests": RestTable,
    "holdouts": HoldoutTable,
    "quiet_hours": QuietTable,
    "features": FeatureTable,
    "model": ModelTable,
    "arbitration": ArbitrationTable,
    "components": ComponentTable,
    "exploration": ExplorationTable,
    "eligible": EligibilityTable,
    "applicable": EligibilityTable,
    "suitable": EligibilityTable,
    "rules": ChoiceTable,
}


def known_keys(path: Sequence[str | int]) -> list[str]:
    """The keys of the table at a path."""
    if "arbitration" in path and path[-1] != "arbitration":
        return list(TermsTable.model_fields)
    if path[:1] == ("limits",):
        return list(LimitTable.model_fields)
    for step in reversed(path if path[:1] == ("contact",) else path[2:]):
        if step in _BY_KEY:
            return list(_BY_KEY[str(step)].model_fields)
    return list((SlotTable if path else PolicyTable).model_fields)

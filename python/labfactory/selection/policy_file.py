"""The files of a selection policy, `selection.toml` and `model.safetensors`: strict in, canonical out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy
from pydantic import ValidationError

from labfactory.base.errors import SelectionError, nearest
from labfactory.base.toml import TomlFault, parse_toml, value_faults
from labfactory.selection.arbitration import Arbitration
from labfactory.selection.contact import Cap, ContactRules, HoldoutRule, QuietHours, Rest
from labfactory.selection.exploration import Exploration
from labfactory.selection.limits import Limit
from labfactory.selection.model import Feature, LinearModel
from labfactory.selection.policy_tables import (
    ArbitrationTable,
    ContactTable,
    EligibilityTable,
    PolicyTable,
    SlotTable,
    known_keys,
)
from labfactory.selection.rules import ChoiceRule, EligibilityRule
from labfactory.selection.slot_policy import SlotPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from pydantic import BaseModel

    from labfactory.selection.policy_text import PolicyText

    Tensors = Mapping[str, npt.NDArray[np.float32]]

POLICY_FILE = "selection.toml"
MODEL_FILE = "model.safetensors"


Parts = tuple[str, dict[str, SlotPolicy], ContactRules, dict[str, Limit]]


def read_policy(text: PolicyText, model: bytes | None) -> Parts:
    """Reads the version, the slots, the contact rules and the limits of a policy.

    Args:
        text: The text of selection.toml.
        model: The bytes of model.safetensors, if there are any.

    Returns:
        The version, the slots, the contact rules and the limits.

    Raises:
        SelectionError: `policy_syntax` where it is not TOML, `policy_field` for an unknown, missing or
            wrong key, `model_file` for tensors that are unreadable, missing or unknown, and what the slots
            raise; with the place.
    """
    table = _read_table(text)
    tensors = {} if model is None else _read_tensors(model)
    _check_tensors(table, tensors)
    slots = {name: _read_slot(name, slot, tensors, text) for name, slot in table.slots.items()}
    limits = {}
    for name, limit in table.limits.items():
        with text.at("limits", name):
            limits[name] = limit.to_limit()
    return table.version, slots, _read_contact(table.contact, text), limits


def _read_table(text: PolicyText) -> PolicyTable:
    values = parse_toml(text.text)
    if isinstance(values, TomlFault):
        raise values.error(SelectionError, code="policy_syntax", template=text.name, source=text.text)
    try:
        return PolicyTable.model_validate(values)
    except ValidationError as error:
        first = next(value_faults(error, text.text, known_keys))
    raise first.error(SelectionError, code="policy_field", template=text.name, source=text.text)


def _read_tensors(model: bytes) -> dict[str, npt.NDArray[np.float32]]:
    try:
        tensors = safetensors.numpy.load(model)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        message = f"expected {MODEL_FILE} in the safetensors format, found {error}"
        raise SelectionError(message, code="model_file", template=MODEL_FILE) from None
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            message = f"expected tensor {name!r} of float32, found {tensor.dtype}"
            raise SelectionError(message, code="model_file", template=MODEL_FILE)
    return tensors


def _check_tensors(table: PolicyTable, tensors: Tensors) -> None:
    read = [
        f"{name}.{part}"
        for name, slot in table.slots.items()
        if slot.model is not None and slot.model.components is None
        for part in ("weights", "bias", "uncertainty")
    ]
    for name in tensors:
        if name not in read:
            message = f"found the tensor {name!r}, which no slot's model reads"
            raise SelectionError(message, code="model_file", template=MODEL_FILE, hint=nearest(name, read))


def _tensor(name: str, tensors: Tensors) -> npt.NDArray[np.float32]:
    if name not in tensors:
        message = f"expected the tensor {name!r} in {MODEL_FILE}, found none"
        raise SelectionError(message, code="model_file", hint=nearest(name, tensors))
    return tensors[name]


def _read_slot(name: str, table: SlotTable, tensors: Tensors, text: PolicyText) -> SlotPolicy:
    path = ("slots", name)
    with text.at(*path, "exploration"):
        exploration = Exploration(**table.exploration.model_dump())
    with text.at(*path, "model"):
        model = _read_model(name, table, tensors)
    features = []
    for number, feature in enumerate(table.features):
        with text.at(*path, "features", number, "missing"):
            features.append(Feature(**_fields(feature)))
    with text.at(*path, "arbitration", "formula"):
        arbitration = _arbitration(table.arbitration)
    beliefs = {}
    for component, numbers in table.beliefs.items():
        with text.at(*path, "beliefs", component):
            beliefs[component] = _belief(component, numbers)
    with text.at(*path):
        return SlotPolicy(
            components=tuple(table.components),
            eligible=tuple(_condition(rule) for rule in table.eligible),
            applicable=tuple(_condition(rule) for rule in table.applicable),
            suitable=tuple(_condition(rule) for rule in table.suitable),
            rules=tuple(ChoiceRule(**_fields(rule)) for rule in table.rules),
            features=tuple(features),
            model=model,
            arbitration=arbitration,
            beliefs=beliefs,
            exploration=exploration,
            channel=table.channel,
            type=table.type,
            fills=tuple(table.fills),
        )


def _fields(table: BaseModel) -> dict[str, Any]:
    """A table's values, lists as tuples."""
    values = table.model_dump()
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _condition(rule: str | EligibilityTable) -> EligibilityRule:
    return EligibilityRule(when=rule) if isinstance(rule, str) else EligibilityRule(**_fields(rule))


def _arbitration(table: ArbitrationTable | None) -> Arbitration | None:
    if table is None:
        return None
    terms = {name: given.model_dump(exclude_none=True) for name, given in table.components.items()}
    return Arbitration(formula=table.formula, terms=terms)


def _belief(name: str, numbers: Sequence[float]) -> tuple[float, float]:
    if len(numbers) != 2:
        message = f"expected a belief of two numbers of {name!r}, found {len(numbers)}"
        raise SelectionError(message, code="model_value")
    return numbers[0], numbers[1]


def _read_contact(table: ContactTable, text: PolicyText) -> ContactRules:
    def each(key: str, kind: Any) -> tuple[Any, ...]:
        made = []
        for number, entry in enumerate(getattr(table, key)):
            with text.at("contact", key, number):
                made.append(kind(**_fields(entry)))
        return tuple(made)

    with text.at("contact", "quiet_hours"):
        quiet = None if table.quiet_hours is None else QuietHours(**_fields(table.quiet_hours))
    return ContactRules(
        consent=tuple(table.consent),
        suppressed=tuple(table.suppressed),
        zone=table.zone,
        quiet_hours=quiet,
        send_hour=table.send_hour,
        caps=each("caps", Cap),
        rests=each("rests", Rest),
        holdouts=each("holdouts", HoldoutRule),
    )


def _read_model(name: str, table: SlotTable, tensors: Tensors) -> LinearModel | None:
    if table.model is None:
        return None
    kind, score, inline = table.model.kind, table.model.score, table.model.components
    if inline is None:
        tensor, bias = _tensor(f"{name}.weights", tensors), _tensor(f"{name}.bias", tensors)
        spread = tensors.get(f"{name}.uncertainty")
        return LinearModel.of_arrays(tensor, bias, kind=kind, score=score, uncertainty=spread)
    _expect_names(inline, table.components, "component of the slot")
    features = [column for one in table.features for column in Feature(**_fields(one)).columns]
    for component in table.components:
        _expect_names(inline[component].weights, features, f"weight of {component!r}")
    rows = [[inline[component].weights[feature] for feature in features] for component in table.components]
    weights = np.array(rows, dtype=np.float64).reshape(len(rows), len(features))
    biases = [inline[component].bias for component in table.components]
    return LinearModel.of_arrays(weights, biases, kind=kind, score=score, is_inline=True)


def _expect_names(found: Mapping[str, object], expected: Sequence[str], what: str) -> None:
    for name in expected:
        if name not in found:
            message = f"expected a {what} for {name!r}, found none"
            raise SelectionError(message, code="model_shape", hint=nearest(name, found))
    for name in found:
        if name not in expected:
            message = f"unknown {what}: {name!r}"
            raise SelectionError(message, code="model_shape", hint=nearest(name, expected))

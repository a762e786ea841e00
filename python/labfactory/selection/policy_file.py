"""The files of a selection policy, `selection.toml` and `model.safetensors`: strict in, canonical out."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Literal

import numpy as np
import safetensors
import safetensors.numpy
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labfactory.base.errors import SelectionError, nearest
from labfactory.selection.exploration import Exploration
from labfactory.selection.model import Feature, LinearModel
from labfactory.selection.rules import ChoiceRule, EligibilityRule
from labfactory.selection.slot_policy import SlotPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from labfactory.selection.policy_text import PolicyText

    Tensors = Mapping[str, npt.NDArray[np.float32]]

POLICY_FILE = "selection.toml"
MODEL_FILE = "model.safetensors"
_PLACE_OF_SYNTAX_ERROR = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _FeatureTable(_Table):
    name: str
    expression: str
    missing: float | Literal["error"] = "error"


class _ComponentTable(_Table):
    bias: float = 0.0
    weights: dict[str, float] = Field(default_factory=dict)


class _ModelTable(_Table):
    kind: Literal["linear", "logistic"]
    score: Literal["logit", "probability"] = "logit"
    components: dict[str, _ComponentTable] | None = None


class _ExplorationTable(_Table):
    mode: Literal["greedy", "epsilon", "softmax", "uniform"] = "greedy"
    epsilon: float | None = None
    temperature: float | None = None
    floor: float = 0.0


class _EligibilityTable(_Table):
    when: str
    component: str | None = None


class _ChoiceTable(_Table):
    component: str
    when: str | None = None


class _SlotTable(_Table):
    components: list[str] = Field(default_factory=list)
    eligible: list[str | _EligibilityTable] = Field(default_factory=list)
    rules: list[_ChoiceTable] = Field(default_factory=list)
    features: list[_FeatureTable] = Field(default_factory=list)
    model: _ModelTable | None = None
    exploration: _ExplorationTable = Field(default_factory=_ExplorationTable)


class _PolicyTable(_Table):
    version: str
    slots: dict[str, _SlotTable]


def needs_model_file(slots: Mapping[str, SlotPolicy]) -> bool:
    """Whether some slot's numbers lie outside selection.toml."""
    return any(slot.model is not None and not slot.model.is_inline for slot in slots.values())


def read_policy(text: PolicyText, model: bytes | None) -> tuple[str, dict[str, SlotPolicy]]:
    """Reads the version and the slots of a policy.

    Args:
        text: The text of selection.toml.
        model: The bytes of model.safetensors, if there are any.

    Returns:
        The version and the slots.

    Raises:
        SelectionError: `policy_syntax` where it is not TOML, `policy_field` for an unknown, missing or
            wrong key, `model_file` for tensors that are unreadable, missing or unknown, and what the slots
            raise; with the place.
    """
    table = _read_table(text)
    tensors = {} if model is None else _read_tensors(model)
    _check_tensors(table, tensors)
    return table.version, {name: _read_slot(name, slot, tensors, text) for name, slot in table.slots.items()}


def write_policy(version: str, slots: Mapping[str, SlotPolicy]) -> dict[str, bytes]:
    """The files of a policy: equal bytes for equal policies."""
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for name, slot in slots.items():
        if slot.model is not None and not slot.model.is_inline:
            tensors[f"{name}.weights"] = np.ascontiguousarray(slot.model.weights)
            tensors[f"{name}.bias"] = np.ascontiguousarray(slot.model.bias)
    lines = [f"version = {_literal(version)}"]
    for name, slot in slots.items():
        lines += _slot_lines(name, slot)
    files = {POLICY_FILE: ("\n".join(lines) + "\n").encode()}
    if needs_model_file(slots):
        files[MODEL_FILE] = bytes(safetensors.numpy.save(tensors))
    return files


def _read_table(text: PolicyText) -> _PolicyTable:
    try:
        values = tomllib.loads(text.text)
    except (ValueError, RecursionError) as error:  # beside its own error, digits or nesting without end
        place = _PLACE_OF_SYNTAX_ERROR.search(str(error))
        reason = _PLACE_OF_SYNTAX_ERROR.sub("", str(error))
        message = f"expected TOML, found {reason[:1].lower()}{reason[1:]}"
        line = int(place[1]) if place and place[1] else len(text.text.splitlines())
        column = int(place[2]) if place and place[2] else None
        raise SelectionError(
            message, code="policy_syntax", template=text.name, line=line, column=column, source=text.text
        ) from None
    try:
        return _PolicyTable.model_validate(values)
    except ValidationError as error:
        raise _field_error(error, text) from None


def _field_error(error: ValidationError, text: PolicyText) -> SelectionError:
    detail = error.errors(include_url=False)[0]
    path = detail["loc"]
    name = ".".join(str(step) for step in path)
    hint = None
    if detail["type"] == "extra_forbidden":
        message = f"unknown key {name!r}"
        hint = nearest(str(path[-1]), _known_keys(path[:-1]))
    elif detail["type"] == "missing":
        message = f"expected the key {name!r}, found none"
    else:
        message = f"{name}: {detail['msg'][:1].lower()}{detail['msg'][1:]}, found {detail['input']!r}"
    found = SelectionError(message, code="policy_field", hint=hint)
    text.place(found, *path)
    return found


def _known_keys(path: Sequence[str | int]) -> list[str]:
    tables: dict[str, type[_Table]] = {
        "features": _FeatureTable,
        "model": _ModelTable,
        "components": _ComponentTable,
        "exploration": _ExplorationTable,
        "eligible": _EligibilityTable,
        "rules": _ChoiceTable,
    }
    for step in reversed(path[2:]):
        if step in tables:
            return list(tables[str(step)].model_fields)
    return list((_SlotTable if path else _PolicyTable).model_fields)


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


def _check_tensors(table: _PolicyTable, tensors: Tensors) -> None:
    read = [
        f"{name}.{part}"
        for name, slot in table.slots.items()
        if slot.model is not None and slot.model.components is None
        for part in ("weights", "bias")
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


def _read_slot(name: str, table: _SlotTable, tensors: Tensors, text: PolicyText) -> SlotPolicy:
    path = ("slots", name)
    with text.at(*path, "exploration"):
        exploration = Exploration(**table.exploration.model_dump())
    with text.at(*path, "model"):
        model = _read_model(name, table, tensors)
    features = []
    for number, feature in enumerate(table.features):
        with text.at(*path, "features", number, "missing"):
            features.append(Feature(**feature.model_dump()))
    with text.at(*path):
        return SlotPolicy(
            components=tuple(table.components),
            eligible=tuple(_eligibility(rule) for rule in table.eligible),
            rules=tuple(ChoiceRule(**rule.model_dump()) for rule in table.rules),
            features=tuple(features),
            model=model,
            exploration=exploration,
        )


def _eligibility(rule: str | _EligibilityTable) -> EligibilityRule:
    return EligibilityRule(when=rule) if isinstance(rule, str) else EligibilityRule(**rule.model_dump())


def _read_model(name: str, table: _SlotTable, tensors: Tensors) -> LinearModel | None:
    if table.model is None:
        return None
    kind, score, inline = table.model.kind, table.model.score, table.model.components
    if inline is None:
        tensor, bias = _tensor(f"{name}.weights", tensors), _tensor(f"{name}.bias", tensors)
        return LinearModel.of_arrays(tensor, bias, kind=kind, score=score)
    _expect_names(inline, table.components, "component of the slot")
    features = [feature.name for feature in table.features]
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


def _slot_lines(name: str, slot: SlotPolicy) -> Iterator[str]:
    yield from ("", f"[slots.{name}]")
    if slot.components:
        yield f"components = {_literal(slot.components)}"
    yield from _rule_lines("eligible", [_rule(rule.when, rule.component) for rule in slot.eligible])
    yield from _rule_lines("rules", [_rule(rule.when, rule.component) for rule in slot.rules])
    for feature in slot.features:
        yield from ("", f"[[slots.{name}.features]]", f"name = {_literal(feature.name)}")
        yield f"expression = {_literal(feature.expression)}"
        yield f"missing = {_literal(feature.missing)}"
    if slot.model is not None:
        yield from ("", f"[slots.{name}.model]", f"kind = {_literal(slot.model.kind)}")
        yield f"score = {_literal(slot.model.score)}"
        if slot.model.is_inline:
            yield from _inline_lines(name, slot, slot.model)
    yield from ("", f"[slots.{name}.exploration]", f"mode = {_literal(slot.exploration.mode)}")
    for key in ("epsilon", "temperature", "floor"):
        if (value := getattr(slot.exploration, key)) is not None:
            yield f"{key} = {_literal(value)}"


def _inline_lines(name: str, slot: SlotPolicy, model: LinearModel) -> Iterator[str]:
    for component, weights, bias in zip(slot.components, model.weights, model.bias, strict=True):
        yield from ("", f"[slots.{name}.model.components.{_key(component)}]", f"bias = {_literal(bias)}")
        for feature, weight in zip(slot.features, weights, strict=True):
            yield f"weights.{_key(feature.name)} = {_literal(weight)}"


def _rule(when: str | None, component: str | None) -> str:
    parts = {"when": when, "component": component}
    return (
        "{ "
        + ", ".join(f"{key} = {_literal(value)}" for key, value in parts.items() if value is not None)
        + " }"
    )


def _rule_lines(key: str, rules: Sequence[str]) -> Iterator[str]:
    if rules:
        yield f"{key} = ["
        yield from (f"    {rule}," for rule in rules)
        yield "]"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _literal(name)


def _literal(value: object) -> str:
    if isinstance(value, str):
        # TOML 1.0, basic strings: quotation mark, backslash and control characters must be escaped.
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04X}", escaped) + '"'
    if isinstance(value, np.float32):
        return str(value)
    if isinstance(value, (int, float)):
        return repr(float(value))
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    message = f"expected text, a number or a sequence of them, found {type(value).__name__}"
    raise TypeError(message)

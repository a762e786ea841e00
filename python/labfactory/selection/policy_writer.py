"""The files of a selection policy, written canonically."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import safetensors.numpy

from labfactory.selection.arbitration import TERMS
from labfactory.selection.policy_file import MODEL_FILE, POLICY_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from labfactory.selection.arbitration import Arbitration
    from labfactory.selection.contact import ContactRules
    from labfactory.selection.limits import Limit
    from labfactory.selection.model import LinearModel
    from labfactory.selection.rules import ChoiceRule, EligibilityRule
    from labfactory.selection.slot_policy import SlotPolicy


def write_policy(
    version: str, slots: Mapping[str, SlotPolicy], contact: ContactRules, limits: Mapping[str, Limit]
) -> dict[str, bytes]:
    """The files of a policy: equal bytes for equal policies.

    Args:
        version: The policy's version.
        slots: The policies of its slots.
        contact: What holds for all of them.
        limits: What holds for all customers together, by name.

    Returns:
        selection.toml and, where numbers lie outside of it, model.safetensors.
    """
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for name, slot in slots.items():
        if slot.model is not None and not slot.model.is_inline:
            tensors[f"{name}.weights"] = np.ascontiguousarray(slot.model.weights)
            tensors[f"{name}.bias"] = np.ascontiguousarray(slot.model.bias)
            if slot.model.uncertainty is not None:
                tensors[f"{name}.uncertainty"] = np.ascontiguousarray(slot.model.uncertainty)
    lines = [f"version = {_literal(version)}", *_contact_lines(contact), *_limit_lines(limits)]
    for name, slot in slots.items():
        lines += _slot_lines(name, slot)
    files = {POLICY_FILE: ("\n".join(lines) + "\n").encode()}
    if tensors:
        files[MODEL_FILE] = bytes(safetensors.numpy.save(tensors))
    return files


def _slot_lines(name: str, slot: SlotPolicy) -> Iterator[str]:
    yield from ("", f"[slots.{name}]")
    if slot.components:
        yield f"components = {_literal(slot.components)}"
    yield from _given(slot, ("fills", "channel", "type"))
    for key in ("eligible", "applicable", "suitable", "rules"):
        yield from _rule_lines(key, [_rule(rule) for rule in getattr(slot, key)])
    for feature in slot.features:
        yield from ("", f"[[slots.{name}.features]]", f"name = {_literal(feature.name)}")
        yield f"expression = {_literal(feature.expression)}"
        yield f"missing = {_literal(feature.missing)}"
        if feature.encoding != "number":
            yield f"encoding = {_literal(feature.encoding)}"
        yield from _given(feature, ("categories", "buckets"))
    if slot.model is not None:
        yield from ("", f"[slots.{name}.model]", f"kind = {_literal(slot.model.kind)}")
        yield f"score = {_literal(slot.model.score)}"
        if slot.model.is_inline:
            yield from _inline_lines(name, slot, slot.model)
    if slot.arbitration is not None:
        yield from _arbitration_lines(name, slot.arbitration)
    if slot.beliefs:
        yield from ("", f"[slots.{name}.beliefs]")
        yield from (f"{_key(one)} = {_literal(slot.beliefs[one])}" for one in slot.components)
    yield from ("", f"[slots.{name}.exploration]", f"mode = {_literal(slot.exploration.mode)}")
    for key in ("epsilon", "temperature", "gamma", "width", "floor"):
        if (value := getattr(slot.exploration, key)) is not None:
            yield f"{key} = {_literal(value)}"


def _arbitration_lines(name: str, arbitration: Arbitration) -> Iterator[str]:
    path = f"slots.{name}.arbitration"
    yield from ("", f"[{path}]", f"formula = {_literal(arbitration.formula)}")
    for component, terms in sorted(arbitration.terms.items()):
        yield from ("", f"[{path}.components.{_key(component)}]")
        yield from (f"{term} = {_literal(terms[term])}" for term in TERMS if term in terms)


def _contact_lines(contact: ContactRules) -> Iterator[str]:
    own = list(_given(contact, ("consent", "suppressed", "zone", "send_hour")))
    if contact.quiet_hours is not None:
        quiet = contact.quiet_hours
        own.append(f"quiet_hours = {{ start = {_literal(quiet.start)}, end = {_literal(quiet.end)} }}")
    if own:
        yield from ("", "[contact]", *own)
    for key in ("caps", "rests", "holdouts"):
        for rule in getattr(contact, key):
            yield from ("", f"[[contact.{key}]]")
            yield from _given(rule, tuple(sorted(field.name for field in fields(rule))))


def _limit_lines(limits: Mapping[str, Limit]) -> Iterator[str]:
    for name, limit in limits.items():
        yield from ("", f"[limits.{_key(name)}]")
        for key in ("component", "tag", "slot", "channel", "minimum", "maximum", "budget"):
            if (value := getattr(limit, key)) is not None:
                yield f"{key} = {_literal(float(value) if key == 'budget' else value)}"
        if limit.costs:
            costs = ", ".join(f"{_key(one)} = {_literal(float(cost))}" for one, cost in limit.costs.items())
            yield f"costs = {{ {costs} }}"


def _given(thing: object, keys: Sequence[str]) -> Iterator[str]:
    """The keys that are not empty."""
    for key in keys:
        value = getattr(thing, key)
        if value or (isinstance(value, (int, float)) and key in ("at_most", "share")):
            yield f"{key} = {_literal(value)}"


def _inline_lines(name: str, slot: SlotPolicy, model: LinearModel) -> Iterator[str]:
    for component, weights, bias in zip(slot.components, model.weights, model.bias, strict=True):
        yield from ("", f"[slots.{name}.model.components.{_key(component)}]", f"bias = {_literal(bias)}")
        for column, weight in zip(slot.inputs, weights, strict=True):
            yield f"weights.{_key(column)} = {_literal(weight)}"


def _rule(rule: EligibilityRule | ChoiceRule) -> str:
    worth = getattr(rule, "worth", None)
    parts: dict[str, object] = {"when": rule.when, "component": rule.component}
    parts["worth"] = None if worth is None else float(worth)
    given = [f"{key} = {_literal(value)}" for key, value in parts.items() if value is not None]
    return "{ " + ", ".join(given) + " }"


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
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    message = f"expected text, a number or a sequence of them, found {type(value).__name__}"
    raise TypeError(message)

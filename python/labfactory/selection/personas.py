"""Personas: named example customers, with what a policy must decide for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labfactory.base.errors import SelectionError, nearest
from labfactory.selection.decision import REASONS
from labfactory.selection.explanation import explain
from labfactory.selection.history import History
from labfactory.selection.persona_file import read_personas
from labfactory.selection.planned import Planned
from labfactory.selection.policy_text import PolicyText

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from os import PathLike

    import polars as pl

    from labfactory.selection.bound_slot import BoundSlot
    from labfactory.selection.one import Decision
    from labfactory.selection.selector import Selector

# Outcomes that draws have shown are all there are when their probabilities sum to 1, up to rounding.
_ROUNDING = 1e-12
_GIVING = ("chosen", "explored", "control")
_CONTACT = pa.schema(
    [
        ("key", pa.utf8()),
        ("at", pa.timestamp("us", "UTC")),
        *[(name, pa.utf8()) for name in ("channel", "type", "component", "slot", "outcome")],
        ("tags", pa.list_(pa.utf8())),
    ]
)


@dataclass(frozen=True)
class Expectation:
    """What a slot must hold for a persona.

    Args:
        components: The only components that can be chosen, one of which always is; empty for a reason.
        reason: Why nothing is chosen; empty for components.
    """

    components: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        return self.reason or " or ".join(self.components)

    @classmethod
    def of(cls, value: object) -> Expectation:
        """Takes a component, a list of components, or a table with a reason.

        Raises:
            SelectionError: `policy_field`.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls((value,))
        if isinstance(value, (list, tuple)) and value and all(isinstance(one, str) for one in value):
            return cls(tuple(value))
        reasons = [reason for reason in REASONS if reason and reason not in _GIVING]
        reason = value.get("reason") if isinstance(value, Mapping) and len(value) == 1 else None
        if reason in reasons:
            return cls(reason=str(reason))
        message = f"expected a component, a list of components or a reason for none, found {value!r}"
        hint = f'a reason is written {{ reason = "{reasons[0]}" }}, and is one of {", ".join(reasons)}'
        raise SelectionError(message, code="policy_field", hint=hint)


@dataclass(frozen=True, kw_only=True)
class Persona:
    """An example customer, with what must be decided for it.

    Args:
        name: What a failure tells it by.
        row: The customer's value of each column that the policy reads; None for a null. Others are ignored.
        expect: By slot the component that is always chosen, a list with all that can be chosen, or
            `{"reason": ...}` with one of `REASONS` that gives nothing.
        key: The customer's key, which holdouts go by; the name, when None.
        now: The moment, with a zone; for rules that need it.
        history: Contacts, each with `at` and what the rules read of `channel`, `type`, `component`, `slot`,
            `outcome` and `tags`.
        planned: What is to come, likewise; with `worth` where other choices may take its room.

    Raises:
        SelectionError: `policy_field` for an expectation that is none; `history` for a contact
            without a time.
    """

    name: str
    row: Mapping[str, object]
    expect: Mapping[str, Any]
    key: str | int | None = None
    now: datetime | None = None
    history: tuple[Mapping[str, Any], ...] = ()
    planned: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        expected = {slot: Expectation.of(value) for slot, value in self.expect.items()}
        object.__setattr__(self, "expect", expected)
        if self.key is None:
            object.__setattr__(self, "key", self.name)
        for contact in (*self.history, *self.planned):
            if (at := contact.get("at")) is None or at.tzinfo is None:
                message = f"expected the time of a contact with a zone, found {at}"
                raise SelectionError(message, code="history")

    @property
    def contacts(self) -> History:
        """Its contact history."""
        return History(self._table(self.history, _CONTACT))

    @property
    def ahead(self) -> Planned:
        """What is planned for it."""
        return Planned.of(self._table(self.planned, _CONTACT.append(pa.field("worth", pa.float64()))))

    def _table(self, contacts: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
        return pa.Table.from_pylist(
            [{**contact, "key": str(self.key)} for contact in contacts], schema=schema
        )


@dataclass(frozen=True)
class Personas:
    """The personas of a policy.

    Args:
        personas: Each by a name of its own.
        text: The file that they are from.

    Raises:
        SelectionError: `policy_field` when two have one name.
    """

    personas: tuple[Persona, ...]
    text: PolicyText = field(default_factory=lambda: PolicyText(name="personas.toml"), repr=False)

    def __post_init__(self) -> None:
        names = [persona.name for persona in self.personas]
        for number, name in enumerate(names):
            with self.text.at("personas", number, "name"):
                if name in names[:number]:
                    message = f"expected a name for each persona, found {name!r} again"
                    raise SelectionError(message, code="policy_field")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Personas:
        """Reads personas.toml.

        Args:
            path: The file. Its `row` and `now` are those of every persona, as far as a persona says nothing
                else; `nulls` lists a persona's columns that are null.

        Raises:
            SelectionError: `policy_unreadable`, `policy_syntax`, `policy_field` and what `Persona` raises,
                with the place.
        """
        table, text = read_personas(path)
        personas = []
        for number, one in enumerate(table.personas):
            expected = {}
            for slot, value in one.expect.items():
                with text.at("personas", number, "expect", slot):
                    expected[slot] = Expectation.of(value)
            with text.at("personas", number, "history"):
                personas.append(
                    Persona(
                        name=one.name,
                        row={**table.row, **one.row, **dict.fromkeys(one.nulls)},
                        expect=expected,
                        key=one.key,
                        now=one.now or table.now,
                        history=tuple(contact.model_dump() for contact in one.history),
                        planned=tuple(contact.model_dump() for contact in one.planned),
                    )
                )
        return cls(tuple(personas), text)


@dataclass(frozen=True)
class PersonaResult:
    """What a policy does for a persona in a slot.

    Args:
        persona: The persona's name.
        slot: The slot.
        passed: Whether it is what was expected.
        expected: What was.
        found: The components that can be chosen, in the slot's order; empty when nothing can.
        reason: The reason of the decision, one of `REASONS`.
        why: What speaks against the expectation: for a component that cannot be chosen the tier and the
            first rule that it fails; empty when it passed.
    """

    persona: str
    slot: str
    passed: bool
    expected: Expectation
    found: tuple[str, ...]
    reason: str
    why: str


@dataclass(frozen=True, repr=False)
class PersonaReport:
    """What a policy does for personas: a result for each expectation, in their order."""

    results: tuple[PersonaResult, ...]

    @property
    def failed(self) -> tuple[PersonaResult, ...]:
        """The results that are not what was expected."""
        return tuple(one for one in self.results if not one.passed)

    def __repr__(self) -> str:
        held = len(self.results) - len(self.failed)
        cells = [("", "persona", "slot", "expected", "found", "why")]
        cells += [
            (
                "ok" if one.passed else "failed",
                one.persona,
                one.slot,
                str(one.expected),
                " or ".join(one.found) or one.reason,
                one.why,
            )
            for one in self.results
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join([f"Personas: {held} of {len(self.results)} expectations hold", *lines])


def check_personas(
    selector: Selector, personas: Personas | Sequence[Persona], *, draws: int = 256
) -> PersonaReport:
    """Compares what a policy decides for personas with what it must.

    What must hold is what can be chosen, not what one seed draws: an expected component has propensity 1, and
    of a list all components with a positive probability are members. The customer is decided under the seeds
    0, 1, …; once the probabilities of the different outcomes sum to 1, no other one exists. Where they do not
    after so many draws, or are estimates, every component that the customer may have counts as one that can
    be chosen, so that a list that leaves one out fails.

    Args:
        selector: The policy, bound to components and columns.
        personas: Example customers.
        draws: Under how many seeds at most a customer is decided.

    Returns:
        A result for each persona and slot that it expects something of.

    Raises:
        SelectionError: `unknown_slot`, `unknown_component` for expectations that no decision can meet;
            `decision_input` where a rule needs the moment and there is none.
        SourceError: `missing_column`, `column_type`.

    Example:
        >>> from labfactory.selection import EligibilityRule, SelectionPolicy, SlotPolicy
        >>> @dataclass(frozen=True)
        ... class Block:
        ...     name: str
        ...     eligible: str | None = None
        >>> adults = (EligibilityRule(when="age >= 18"),)
        >>> policy = SelectionPolicy.build("1", hero=SlotPolicy(eligible=adults))
        >>> selector = policy.bind({"hero": [Block("wine"), Block("tea")]}, pa.schema([("age", pa.int64())]))
        >>> child = Persona(name="a child", row={"age": 12}, expect={"hero": "tea"})
        >>> check_personas(selector, [child])
        Personas: 0 of 1 expectations hold
                persona  slot  expected  found         why
        failed  a child  hero  tea       no_candidate  tea: eligible (age >= 18)
    """
    listed = personas if isinstance(personas, Personas) else Personas(tuple(personas))
    results: list[PersonaResult] = []
    for number, persona in enumerate(listed.personas):
        for slot, expected in persona.expect.items():
            with listed.text.at("personas", number, "expect", slot):
                _check_names(selector, slot, expected)
        with listed.text.at("personas", number):
            results.extend(_results(selector, persona, draws))
    return PersonaReport(tuple(results))


def _check_names(selector: Selector, slot: str, expected: Expectation) -> None:
    if slot not in selector.candidates:
        message = f"expected one of the slots {list(selector.candidates)}, found {slot!r}"
        raise SelectionError(message, code="unknown_slot", hint=nearest(slot, selector.candidates))
    candidates = selector.candidates[slot]
    for component in expected.components:
        if component not in candidates:
            message = f"slot {slot!r} has no component {component!r} to choose"
            raise SelectionError(message, code="unknown_component", hint=nearest(component, candidates))


def _results(selector: Selector, persona: Persona, draws: int) -> Iterator[PersonaResult]:
    frozen = selector.at(now=persona.now, history=persona.contacts, planned=persona.ahead)
    batch, keys = frozen.row(persona.row), pa.array([str(persona.key)])
    drawn = _drawn(frozen, persona, draws)
    may = frozen.values(batch, keys=keys, seed=0)
    told = explain(frozen, batch, keys=keys, seed=0)
    for slot in frozen.bound:
        if slot.name not in persona.expect:
            continue
        expected = persona.expect[slot.name]
        outcomes = drawn.outcomes(slot, may[slot.name][0])
        found = tuple(name for name in slot.candidates if name in outcomes)
        nothing = sorted({one.reason for one in drawn.decisions(slot.name) if one.component is None})
        against = list(_against(expected, found, nothing, told.filter(slot=slot.name)))
        reason = nothing[0] if nothing else drawn.decisions(slot.name)[0].reason
        yield PersonaResult(persona.name, slot.name, not against, expected, found, reason, "; ".join(against))


def _against(
    expected: Expectation, found: Sequence[str], nothing: Sequence[str], told: pl.DataFrame
) -> Iterator[str]:
    """What speaks against an expectation."""
    others = [name for name in found if name not in expected.components]
    if others:
        yield f"{', '.join(others)} can be chosen"
    if expected.reason:
        if not found and list(nothing) != [expected.reason]:
            yield f"the reason is {', '.join(nothing)}"
        return
    if nothing and found:
        yield f"nothing can be chosen: {', '.join(nothing)}"
    if not set(expected.components) & set(found):
        for component, reason, rule in told.select("component", "reason", "rule").iter_rows():
            if component in expected.components:
                yield f"{component}: {reason}" + (f" ({rule})" if rule else "")


@dataclass(frozen=True)
class _Drawn:
    """A customer's decisions under some seeds.

    Args:
        every: The decisions of each draw.
        shares: Groups of slots that are drawn independently of each other, each with the probabilities of
            the different outcomes that were seen; 0 for an estimate.
    """

    every: list[dict[str, Decision]]
    shares: dict[tuple[str, ...], dict[tuple[str | None, ...], float]]

    def add(self, made: dict[str, Decision]) -> None:
        """Adds a draw."""
        self.every.append(made)
        for slots, share in self.shares.items():
            own = [made[name] for name in slots]
            exact = [1.0 if one.propensity is None else one.propensity for one in own]
            is_exact = not any(one.is_estimate for one in own)
            share[tuple(one.component for one in own)] = float(np.prod(exact)) if is_exact else 0.0

    def is_settled(self, slot: str) -> bool:
        """Whether all outcomes of a slot have been seen."""
        return any(slot in slots and sum(one.values()) >= 1 - _ROUNDING for slots, one in self.shares.items())

    def decisions(self, slot: str) -> list[Decision]:
        """Those of a slot."""
        return [made[slot] for made in self.every]

    def outcomes(self, slot: BoundSlot, values: Any) -> set[str]:
        """The components that can be chosen; `values` are NaN for those that the customer may not have."""
        seen = {one.component for one in self.decisions(slot.name) if one.component is not None}
        if self.is_settled(slot.name):
            return seen
        return seen | {name for name, value in zip(slot.candidates, values, strict=True) if value == value}


def _drawn(selector: Selector, persona: Persona, draws: int) -> _Drawn:
    names = tuple(slot.name for slot in selector.bound)
    # Slots that share limits are one draw: the propensity of each is that given the choices before.
    groups = [names] if selector.gate.limits else [(name,) for name in names]
    drawn = _Drawn([], {group: {} for group in groups})
    for seed in range(max(draws, 1)):
        drawn.add(selector.decide_one(persona.row, key=persona.key, seed=seed))
        if all(map(drawn.is_settled, names)):
            break
    return drawn

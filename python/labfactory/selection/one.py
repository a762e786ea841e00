"""One customer from a mapping: the expressions of a policy without columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import numpy as np
import pyarrow as pa
from jinja2.runtime import Context

from labfactory._core import base
from labfactory._core import select as core
from labfactory.base.errors import SourceError, nearest
from labfactory.selection.whole_numbers import LARGEST, stay_within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labfactory.selection.bound_expression import BoundExpression
    from labfactory.selection.bound_slot import BoundSlot
    from labfactory.selection.contact_gate import Gate

    Take = Callable[[Mapping[str, object]], Sequence[object]]
    Evaluate = Callable[[dict[str, Any]], Any]

# Combinations of types that are remembered as right: nulls come and go, the rest hardly differs.
_MOST_KNOWN = 256
_JINJA = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)  # noqa: S701


@dataclass(frozen=True, slots=True)
class Decision:
    """One customer's decision for a slot; docs/selection.md says what the fields mean.

    Args:
        component: The component; None when none was chosen.
        index: Its position among the slot's components.
        score: Its score.
        propensity: The probability with which this customer gets this component.
        reason: One of `REASONS`.
        is_estimate: Whether the propensity is an estimate.
    """

    component: str | None
    index: int | None
    score: float | None
    propensity: float | None
    reason: str
    is_estimate: bool


def is_plain(kind: pa.DataType) -> bool:
    """Whether a Python value of a column's type needs no array to be read as the column's cell is."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    is_number = pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind)
    return bool(is_text or is_number or pa.types.is_boolean(kind))


@dataclass(frozen=True)
class PlainTypes:
    """Whether a mapping's values are of their columns' types, so that no array is needed to read them.

    Args:
        fields: The columns.
    """

    fields: tuple[pa.Field, ...]
    known: set[tuple[type, ...]] = field(init=False, repr=False, compare=False, default_factory=set)
    take: Take = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "take", _getter([one.name for one in self.fields]))

    def hold(self, customer: Mapping[str, object]) -> bool:
        """Whether they are, as far as the mapping has them."""
        try:
            types = tuple(map(type, self.take(customer)))
        except KeyError:
            return True
        if types in self.known:
            return True
        hold = all(_fits(column.type, one) for column, one in zip(self.fields, types, strict=True))
        if hold and len(self.known) < _MOST_KNOWN:
            self.known.add(types)
        return hold


def _fits(kind: pa.DataType, value: type) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if value is type(None):
        return True
    if pa.types.is_boolean(kind):
        return issubclass(value, bool | np.bool_)
    if issubclass(value, bool | np.bool_):
        return False
    if pa.types.is_integer(kind):
        return issubclass(value, int | np.integer)
    if pa.types.is_floating(kind):
        return issubclass(value, int | float | np.integer | np.floating)
    return issubclass(value, str)


@dataclass(frozen=True)
class OneCustomer:
    """Expressions as Jinja2 evaluates them: what the core's columns would hold for one row.

    Args:
        sources: The expressions; of a slot the features', then the terms', then the conditions'.
        bare: For each whether it is a column as it stands, which the mapping gives.
        columns: The columns that the others read; of floats what makes a value one of theirs, else None.
        constants: Values that names stand for.
    """

    sources: tuple[str, ...]
    bare: tuple[bool, ...]
    columns: Mapping[str, Callable[[Any], float] | None]
    constants: Mapping[str, object]
    take: Take = field(init=False, repr=False, compare=False)
    places: tuple[int, ...] = field(init=False, repr=False, compare=False)
    compiled: tuple[Evaluate, ...] = field(init=False, repr=False, compare=False)

    @classmethod
    def of(
        cls, expressions: Sequence[BoundExpression], constants: Mapping[str, object]
    ) -> OneCustomer | None:
        """For expressions whose columns are plain; None for others, which go through a batch.

        So do those whose whole numbers could leave 64 bits.
        """
        kinds = {field.name: field.type for one in expressions for field in one.fields}
        if not all(is_plain(kind) for kind in kinds.values()):
            return None
        made = [one.source for one in expressions if one.column is None]
        if not all(stay_within(source, kinds, constants, _JINJA) for source in made):
            return None
        read = {name for one in expressions if one.column is None for name in one.plan.columns}
        columns = {name: _float_of(kinds[name]) for name in sorted(read)}
        sources = tuple(one.source for one in expressions)
        bare = tuple(one.column is not None for one in expressions)
        return cls(sources, bare, columns, dict(constants))

    def __post_init__(self) -> None:
        made = [one for one, is_bare in zip(self.sources, self.bare, strict=True) if not is_bare]
        # One expression for all: a call costs more than most of them.
        whole = "[" + ", ".join(f"({source})" for source in made) + "]"
        object.__setattr__(self, "compiled", tuple(_compiled(one) for one in (whole, *made)))
        plain = [one for one, is_bare in zip(self.sources, self.bare, strict=True) if is_bare]
        object.__setattr__(self, "take", _getter(plain))
        places = tuple(place for place, is_bare in enumerate(self.bare) if not is_bare)
        object.__setattr__(self, "places", places)

    def evaluate(self, customer: Mapping[str, object]) -> list[Any]:
        """The values of all expressions; None where one fails.

        Raises:
            SourceError: `missing_column`.
            OverflowError: For a whole number so large that an expression could leave 64 bits.
        """
        try:
            values = list(self.take(customer))
            if self.places:
                for place, value in zip(self.places, self._made(customer), strict=True):
                    values.insert(place, value)
        except KeyError as error:
            message = f"missing column {error.args[0]!r}"
            hint = nearest(error.args[0], list(customer))
            raise SourceError(message, code="missing_column", hint=hint) from None
        return values

    def _made(self, customer: Mapping[str, object]) -> list[Any]:
        values = {**_JINJA.globals, **self.constants}
        for name, float_of in self.columns.items():
            value: Any = customer[name]
            if float_of is not None:
                values[name] = None if value is None else float_of(value)
                continue
            if isinstance(value, np.generic):
                value = value.item()  # NumPy's operators have other bounds
            if type(value) is int and not -LARGEST <= value <= LARGEST:
                raise OverflowError(value)
            values[name] = value
        whole, *each = self.compiled
        try:
            return list(whole(values))
        except Exception:  # a value that an operator cannot take may raise anything
            return [_value_of(one, values) for one in each]


def _float_of(kind: pa.DataType) -> Callable[[Any], float] | None:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_float32(kind):
        return lambda value: float(np.float32(value))
    return float if pa.types.is_float64(kind) else None


class Draw(NamedTuple):
    """What every slot draws by.

    Args:
        key: The hash of the customer's key; None where there is none.
        seed: The run's.
        version: The policy's.
        gate: Position in `REASONS` of why the contact rules stop the customer, or 0.
    """

    key: int | None
    seed: int
    version: str
    gate: int


def decide_slot(slot: BoundSlot, customer: Mapping[str, object], draw: Draw) -> Decision:
    """The decision of one slot.

    Raises:
        SourceError: `missing_column`.
    """
    features, terms, conditions = _columns(slot, customer)
    made = slot.core.decide_one(
        draw.key,
        features=features,
        terms=terms,
        conditions=conditions,
        seed=draw.seed,
        version=draw.version,
        prices=slot.prices,
        gate=draw.gate,
    )
    return _decision(slot, made)


def decide_slots(
    slots: Sequence[BoundSlot],
    gate: Gate,
    customer: Mapping[str, object],
    draw: Draw,
    left: list[int],
    bars: list[list[float]],
) -> list[Decision]:
    """The decisions of slots that share limits, of which each leaves so many, and more than its bars.

    Raises:
        SourceError: `missing_column`.
    """
    assert gate.allowances is not None, "the gate has limits"
    features, terms, conditions = zip(*(_columns(slot, customer) for slot in slots), strict=True)
    made = core.decide_one_together(
        gate.allowances,
        draw.key,
        features=features,
        terms=terms,
        conditions=conditions,
        left=left,
        bars=bars,
        gate=draw.gate,
        prices=[slot.prices for slot in slots],
        seed=draw.seed,
        version=draw.version,
    )
    return [_decision(slot, one) for slot, one in zip(slots, made, strict=True)]


def key_hash(key: object) -> int | None:
    """The hash of a customer's key, as that of a column's row."""
    return None if key is None else base.hash64(str(key).encode())


def _columns(
    slot: BoundSlot, customer: Mapping[str, object]
) -> tuple[Sequence[float | None], list[float | None], list[bool]]:
    """Features, terms and conditions."""
    assert slot.one is not None, "slots of other columns go through a batch"
    values = slot.one.evaluate(customer)
    terms, last = len(slot.features), len(slot.features) + len(slot.terms)
    return (
        _features(slot, values),
        [_number(value) for value in values[terms:last]],
        [value is True or value is np.True_ for value in values[last:]],
    )


def _decision(slot: BoundSlot, made: tuple[int, float, float, int, bool]) -> Decision:
    index, score, propensity, reason, is_estimate = made
    if index < 0:
        return Decision(None, None, None, None, core.REASONS[reason], is_estimate=False)
    return Decision(slot.components[index], index, score, propensity, core.REASONS[reason], is_estimate)


def _compiled(source: str) -> Evaluate:
    """An expression as a function of names; Jinja2's own wrapper spends most of its time on the context."""
    wrapper = _JINJA.compile_expression(source, undefined_to_none=False)
    render = wrapper._template.root_render_func

    def evaluate(values: dict[str, Any]) -> Any:
        context = Context(_JINJA, values, None, {})
        for _ in render(context):
            pass
        return context.vars["result"]

    return evaluate


def _getter(names: Sequence[str]) -> Take:
    """What takes some values out of a mapping at once."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda customer: [customer[name] for name in names]


def _features(slot: BoundSlot, values: Sequence[Any]) -> Sequence[float | None]:
    if slot.has_numbers_alone:
        return values[: len(slot.features)]
    numbers: list[float | None] = []
    for bound, value in zip(slot.features, values, strict=False):
        feature = bound.feature
        if feature.encoding == "number":
            numbers.append(_number(value))
            continue
        if value is None:
            place = None
        elif feature.encoding == "hashed":
            place = base.hash64(str(value).encode()) % feature.buckets
        else:
            place = feature.categories.index(str(value)) if str(value) in feature.categories else None
        numbers.extend(None if place is None else float(place == at) for at in range(len(feature.columns)))
    return numbers


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _value_of(expression: Evaluate, values: dict[str, Any]) -> Any:
    try:
        return expression(values)
    except Exception:  # as above; the row failed, which is null
        return None

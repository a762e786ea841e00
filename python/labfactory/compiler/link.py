"""Linking: the templates of a creative's parts and the components of its slots become one plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from labfactory.base.errors import CompileError, UsageError
from labfactory.base.sources import schema_of
from labfactory.compiler.catalogues import Locales, make_locales
from labfactory.compiler.code import Code
from labfactory.compiler.columns import ColumnTable
from labfactory.compiler.functions import Functions
from labfactory.compiler.lower import Component, Linker, finish_template, program, skip_missing
from labfactory.compiler.plan import LONE_PART, Plan
from labfactory.compiler.positions import Span
from labfactory.compiler.review import Review, Reviewer, observe
from labfactory.compiler.scope import Options
from labfactory.compiler.syntax import Reader
from labfactory.compiler.tables import make_tables
from labfactory.compiler.types import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from labfactory.compiler.environment import Environment
    from labfactory.compiler.tables import Table

_TOO_DEEP = "nested too deeply, expected at most a few hundred levels"


def compile_creative(
    parts: Mapping[str, str],
    *,
    environments: Mapping[str, Environment],
    slots: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]],
    schema: Any,
    optional: Iterable[str] = (),
    functions: Functions | None = None,
    constants: Mapping[str, object] | None = None,
    tables: Mapping[str, Table | tuple[Any, str]] | None = None,
    translations: object = None,
    locale: str | None = None,
    name: str = "<creative>",
) -> Plan:
    """Compiles the parts of a creative and the components of its slots to one plan.

    Args:
        parts: Templates by part, in the order in which they run.
        environments: How the templates of each part are read.
        slots: Components of each slot, in the order of its decision column, each with its templates by part.
        schema: A schema, or a frame, table or reader that has one; no row is read.
        optional: Columns that may be absent.
        functions: Functions that templates may call.
        constants: Values that names stand for.
        tables: Catalogues by the names that templates know them by: `lf.Table`, or a frame and its key
            column.
        translations: Translations of all rows, or translations by locale; see `Template.compile`.
        locale: The column of each row's locale.
        name: The creative's name; its templates are `name.part` in errors.

    Returns:
        The plan. For each slot that a template calls it reads an int32 column `slot:<name>`.

    Raises:
        CompileError: A template cannot run natively on this schema; the error says where and why.
    """
    return compile_parts(
        dict(parts),
        environments=dict(environments),
        names={part: f"{name}.{part}" for part in parts},
        slots=slots,
        schema=schema,
        optional=optional,
        functions=functions,
        constants=constants,
        tables=tables,
        translations=translations,
        locale=locale,
    )


def compile_parts(
    parts: Mapping[Any, str],
    *,
    environments: Mapping[Any, Environment],
    names: Mapping[Any, str],
    slots: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]],
    schema: Any,
    optional: Iterable[str] = (),
    functions: Functions | None = None,
    constants: Mapping[str, object] | None = None,
    tables: Mapping[str, Table | tuple[Any, str]] | None = None,
    translations: object = None,
    locale: str | None = None,
) -> Plan:
    """Compiles parts to one plan; a lone template is the part None."""
    known = read_schema(schema)
    seen, joined = make_tables(known, tables)
    undefined = _undefined_mode(environments, parts)
    options = make_options(seen, optional, constants, undefined, functions)
    locales = make_locales(translations, locale)
    lowered = _lower(parts, environments, names, slots, options, joined, locales)
    code, table = lowered.code, lowered.table
    part_names = [part for part in parts if part is not None]
    return Plan(
        program=program(code, table, parts=part_names, undefined=undefined),
        schema=read_columns(known, table, joined),
        parts=tuple(part_names),
        slots=lowered.slots,
        optional=options.optional,
        constants=options.constants,
        environments=environments,
        templates={part: (names[part], source) for part, source in parts.items()},
        components=slots,
        sources=lowered.sources,
        widths=_widths(code),
        functions=code.functions,
        locales=locales,
        tables={name: joined[name].only(table.fields(name)) for name in table.roots() if name in joined},
    )


def review_parts(
    parts: Mapping[Any, str],
    data: Any,
    *,
    environments: Mapping[Any, Environment],
    names: Mapping[Any, str],
    slots: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]],
    optional: Iterable[str] = (),
    functions: Functions | None = None,
    constants: Mapping[str, object] | None = None,
    tables: Mapping[str, Table | tuple[Any, str]] | None = None,
    translations: object = None,
    locale: str | None = None,
) -> Review:
    """Looks at parts as `compile_parts` would compile them, and goes on behind what it finds."""
    observed = observe(data)
    seen, joined = make_tables(read_schema(observed.schema), tables)
    reviewer = Reviewer()
    options = make_options(seen, optional, constants, _undefined_mode(environments, parts), functions)
    options = replace(options, review=reviewer, longest=observed.longest)
    locales = make_locales(translations, locale)
    code = _lower(parts, environments, names, slots, options, joined, locales).code
    code.finish()
    sizes = (None if size == inf else int(size) for size in code.most_bytes())
    called = (LONE_PART if part is None else str(part) for part in parts)
    return Review(tuple(reviewer.remarks), dict(zip(called, sizes, strict=True)))


class _Lowered(NamedTuple):
    code: Code
    table: ColumnTable
    slots: dict[str, tuple[str, ...]]
    sources: dict[str, str]


def _lower(
    parts: Mapping[Any, str],
    environments: Mapping[Any, Environment],
    names: Mapping[Any, str],
    slots: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]],
    options: Options,
    tables: Mapping[str, Table],
    locales: Locales,
) -> _Lowered:
    code = Code()
    table = ColumnTable(options.columns, trusts_schema=options.review is not None)
    used: dict[str, tuple[str, ...]] = {}
    sources: dict[str, str] = {}
    skip_missing(code, table, tables, next(iter(names.values()), "<template>"))
    for at, (part, source) in enumerate(parts.items()):
        environment = environments[part]
        components = {slot: _components(slot, part, entries) for slot, entries in slots.items()}
        spoken = locales if environment.has_messages else None
        reader = Reader(environment)
        linker = Linker(code, table, options, environment, reader, components, used, sources, spoken)
        tree = reader.template(source, names[part])
        sources[tree.name] = source
        sources.update(
            (c.template, c.source) for cs in components.values() for c in cs if c.source is not None
        )
        if part is not None:
            code.emit("part", at, span=code.span(code.template(tree.name), Span(1, 1, 1)))
        try:
            linker.template(tree)
        except RecursionError:
            raise CompileError(_TOO_DEEP, code="too_deep", template=tree.name) from None
    finish_template(code)
    return _Lowered(code, table, used, sources)


def review_creative(
    parts: Mapping[str, str],
    data: Any,
    *,
    environments: Mapping[str, Environment],
    slots: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]],
    optional: Iterable[str] = (),
    functions: Functions | None = None,
    constants: Mapping[str, object] | None = None,
    tables: Mapping[str, Table | tuple[Any, str]] | None = None,
    translations: object = None,
    locale: str | None = None,
    name: str = "<creative>",
) -> Review:
    """Looks at a creative as `compile_creative` would compile it, and goes on behind what it finds.

    Args:
        parts: As for `compile_creative`.
        data: A schema, or a frame, table, batch, reader or file.
        environments: As for `compile_creative`.
        slots: As for `compile_creative`.
        optional: As for `compile_creative`.
        functions: As for `compile_creative`.
        constants: As for `compile_creative`.
        tables: As for `compile_creative`.
        translations: As for `compile_creative`.
        locale: As for `compile_creative`.
        name: As for `compile_creative`.

    Returns:
        The remarks, and the longest text of each part.

    Raises:
        CompileError: A template uses what is not covered; the error says where and why.
    """
    return review_parts(
        dict(parts),
        data,
        environments=dict(environments),
        names={part: f"{name}.{part}" for part in parts},
        slots=slots,
        optional=optional,
        functions=functions,
        constants=constants,
        tables=tables,
        translations=translations,
        locale=locale,
    )


def read_schema(schema: Any) -> pa.Schema:
    """The schema to compile against.

    Raises:
        CompileError: `duplicate_name` when two columns share a name.
    """
    known = schema_of(schema)
    twice = sorted(name for name, count in Counter(known.names).items() if count > 1)
    if twice:
        message = f"expected columns of different names, found {twice[0]!r} twice"
        raise CompileError(message, code="duplicate_name")
    return known


def make_options(
    schema: pa.Schema,
    optional: Iterable[str],
    constants: Mapping[str, object] | None,
    undefined: str,
    functions: Functions | None = None,
) -> Options:
    """What expressions know beside their template.

    Raises:
        CompileError: `duplicate_name` when a constant or function has the name of a column.
    """
    if isinstance(optional, str):
        message = f"expected the names of optional columns, found the text {optional!r}"
        raise UsageError(message, code="optional", hint=f"write [{optional!r}].")
    columns = columns_of(schema)
    values = dict(constants or {})
    functions = functions or Functions()
    for what, given in (("constants", values), ("functions", functions)):
        for name in given:
            if name in columns or (what == "functions" and name in values):
                message = f"expected {what} beside the columns, found {name!r} as both"
                raise CompileError(message, code="duplicate_name")
    return Options(columns, frozenset(optional), values, undefined, functions)


def read_columns(
    schema: pa.Schema, table: ColumnTable, tables: Mapping[str, Table] | None = None
) -> pa.Schema:
    """The fields of the columns that a plan reads: decision columns and keys of tables included."""
    fields: dict[str, pa.Field] = {}
    for root in table.roots():
        name = tables[root].on if tables and root in tables else root
        index = schema.get_field_index(name)
        fields[name] = pa.field(name, pa.int32()) if index < 0 else schema.field(index)
    return pa.schema(list(fields.values()))


def _widths(code: Code) -> dict[tuple[str, int, int], int]:
    """The width of the widest construct that starts at each place."""
    widths: dict[tuple[str, int, int], int] = {}
    for template, line, column, width in code.spans:
        place = (code.templates[template], line, column)
        widths[place] = max(width, widths.get(place, 1))
    return widths


def _undefined_mode(environments: Mapping[Any, Environment], parts: Mapping[Any, str]) -> str:
    modes = sorted({environments[part].undefined for part in parts})
    if len(modes) > 1:
        message = f"expected one undefined mode for all parts, found {' and '.join(modes)}"
        raise UsageError(message, code="environment")
    return modes[0] if modes else "error"


def _components(
    slot: str, part: Any, entries: Sequence[tuple[str, Mapping[str, str]]]
) -> tuple[Component, ...]:
    return tuple(
        Component(component, f"{slot}/{component}.{part}", sources.get(part))
        for component, sources in entries
    )

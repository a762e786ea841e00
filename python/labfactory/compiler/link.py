"""Linking: the templates of a creative's parts and the components of its slots become one plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from labfactory.base.errors import CompileError, UsageError
from labfactory.base.sources import schema_of
from labfactory.compiler.catalogues import Locales, make_locales
from labfactory.compiler.code import Code
from labfactory.compiler.columns import ColumnTable
from labfactory.compiler.functions import Functions
from labfactory.compiler.given import Given
from labfactory.compiler.lower import Component, Linker, finish_template, program, skip_missing
from labfactory.compiler.plan import Plan
from labfactory.compiler.positions import Span
from labfactory.compiler.preview import LONE_PART
from labfactory.compiler.review import Review, Reviewer, observe
from labfactory.compiler.scope import Options
from labfactory.compiler.syntax import Reader
from labfactory.compiler.tables import make_tables
from labfactory.compiler.types import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from labfactory.compiler.environment import Environment
    from labfactory.compiler.given import CompileOptions
    from labfactory.compiler.tables import Table

_TOO_DEEP = "nested too deeply, expected at most a few hundred levels"


@dataclass(frozen=True, slots=True)
class Sources:
    """Templates by part, how each is read, and the components of their slots.

    Args:
        parts: Templates by part, in the order in which they run; a lone template is the part None.
        environments: How the templates of each part are read.
        names: What errors call each part's template.
        slots: Components of each slot, in the order of its decision column, each with its templates by part.
    """

    parts: Mapping[Any, str]
    environments: Mapping[Any, Environment]
    names: Mapping[Any, str]
    slots: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]] = field(default_factory=dict)

    @classmethod
    def lone(cls, source: str, environment: Environment, name: str) -> Sources:
        """Those of a template that is no part of a creative."""
        return cls({None: source}, {None: environment}, {None: name})

    @property
    def undefined(self) -> str:
        """The undefined mode of all parts.

        Raises:
            UsageError: `environment` when they have several.
        """
        modes = sorted({self.environments[part].undefined for part in self.parts})
        if len(modes) > 1:
            message = f"expected one undefined mode for all parts, found {' and '.join(modes)}"
            raise UsageError(message, code="environment")
        return modes[0] if modes else "error"

    def components(self, part: Any) -> dict[str, tuple[Component, ...]]:
        """The components of each slot, as one part sees them."""
        return {
            slot: tuple(
                Component(name, f"{slot}/{name}.{part}", templates.get(part)) for name, templates in entries
            )
            for slot, entries in self.slots.items()
        }


def compile_creative(
    parts: Mapping[str, str],
    *,
    environments: Mapping[str, Environment],
    slots: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]],
    schema: Any,
    name: str = "<creative>",
    **given: Unpack[CompileOptions],
) -> Plan:
    """Compiles the parts of a creative and the components of its slots to one plan.

    Args:
        parts: Templates by part, in the order in which they run.
        environments: How the templates of each part are read.
        slots: Components of each slot, in the order of its decision column, each with its templates by part.
        schema: A schema, or a frame, table or reader that has one; no row is read.
        name: The creative's name; its templates are `name.part` in errors.
        given: As `Given` takes it.

    Returns:
        The plan. For each slot that a template calls it reads an int32 column `slot:<name>`.

    Raises:
        CompileError: A template cannot run natively on this schema; the error says where and why.
    """
    return compile_sources(_of_creative(parts, environments, slots, name), schema, Given(**given))


def review_creative(
    parts: Mapping[str, str],
    data: Any,
    *,
    environments: Mapping[str, Environment],
    slots: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]],
    name: str = "<creative>",
    **given: Unpack[CompileOptions],
) -> Review:
    """Looks at a creative as `compile_creative` would compile it, and goes on behind what it finds.

    Args:
        parts: As for `compile_creative`.
        data: A schema, or a frame, table, batch, reader or file.
        environments: As for `compile_creative`.
        slots: As for `compile_creative`.
        name: As for `compile_creative`.
        given: As for `compile_creative`.

    Returns:
        The remarks, and the longest text of each part.

    Raises:
        CompileError: A template uses what is not covered; the error says where and why.
    """
    return review_sources(_of_creative(parts, environments, slots, name), data, Given(**given))


def _of_creative(
    parts: Mapping[str, str],
    environments: Mapping[str, Environment],
    slots: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]],
    name: str,
) -> Sources:
    names = {part: f"{name}.{part}" for part in parts}
    return Sources(dict(parts), dict(environments), names, slots)


def compile_sources(sources: Sources, schema: Any, given: Given) -> Plan:
    """Compiles templates to one plan."""
    known = read_schema(schema)
    seen, joined = make_tables(known, given.tables)
    options = make_options(seen, given, sources.undefined)
    locales = make_locales(given.translations, given.locale)
    lowered = _lower(sources, options, joined, locales)
    code, table = lowered.code, lowered.table
    part_names = [part for part in sources.parts if part is not None]
    return Plan(
        program=program(code, table, parts=part_names, undefined=options.undefined),
        schema=read_columns(known, table, joined),
        parts=tuple(part_names),
        slots=lowered.slots,
        optional=options.optional,
        constants=options.constants,
        environments=sources.environments,
        templates={part: (sources.names[part], source) for part, source in sources.parts.items()},
        components=sources.slots,
        sources=lowered.sources,
        names=code.templates,
        spans=list(code.spans),
        functions=code.functions,
        locales=locales,
        paths=table.paths(),
        tables={name: joined[name].only(table.fields(name)) for name in table.roots() if name in joined},
    )


def review_sources(sources: Sources, data: Any, given: Given) -> Review:
    """Looks at templates as `compile_sources` would compile them, and goes on behind what it finds."""
    observed = observe(data)
    seen, joined = make_tables(read_schema(observed.schema), given.tables)
    reviewer = Reviewer()
    options = make_options(seen, given, sources.undefined)
    options = replace(options, review=reviewer, longest=observed.longest)
    code = _lower(sources, options, joined, make_locales(given.translations, given.locale)).code
    code.finish()
    sizes = (None if size == inf else int(size) for size in code.most_bytes())
    called = (LONE_PART if part is None else str(part) for part in sources.parts)
    return Review(tuple(reviewer.remarks), dict(zip(called, sizes, strict=True)))


class _Lowered(NamedTuple):
    code: Code
    table: ColumnTable
    slots: dict[str, tuple[str, ...]]
    sources: dict[str, str]


def _lower(sources: Sources, options: Options, tables: Mapping[str, Table], locales: Locales) -> _Lowered:
    code = Code()
    table = ColumnTable(options.columns, trusts_schema=options.review is not None)
    used: dict[str, tuple[str, ...]] = {}
    read: dict[str, str] = {}
    skip_missing(code, table, tables, next(iter(sources.names.values()), "<template>"))
    for at, (part, source) in enumerate(sources.parts.items()):
        environment, components = sources.environments[part], sources.components(part)
        spoken = locales if environment.has_messages else None
        reader = Reader(environment)
        linker = Linker(code, table, options, environment, reader, components, used, read, spoken)
        tree = reader.template(source, sources.names[part])
        read[tree.name] = source
        read.update((c.template, c.source) for cs in components.values() for c in cs if c.source is not None)
        if part is not None:
            code.emit("part", at, span=code.span(code.template(tree.name), Span(1, 1, 1)))
        try:
            linker.template(tree)
        except RecursionError:
            raise CompileError(_TOO_DEEP, code="too_deep", template=tree.name) from None
    finish_template(code)
    return _Lowered(code, table, used, read)


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


def make_options(schema: pa.Schema, given: Given, undefined: str) -> Options:
    """What expressions know beside their template.

    Raises:
        CompileError: `duplicate_name` when a constant or function has the name of a column.
    """
    if isinstance(given.optional, str):
        message = f"expected the names of optional columns, found the text {given.optional!r}"
        raise UsageError(message, code="optional", hint=f"write [{given.optional!r}].")
    columns = columns_of(schema)
    values = dict(given.constants or {})
    functions = given.functions or Functions()
    for what, named in (("constants", values), ("functions", functions)):
        for name in named:
            if name in columns or (what == "functions" and name in values):
                message = f"expected {what} beside the columns, found {name!r} as both"
                raise CompileError(message, code="duplicate_name")
    return Options(columns, frozenset(given.optional), values, undefined, functions)


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

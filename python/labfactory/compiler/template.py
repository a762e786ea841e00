"""Templates: a source and its environment, compiled against a schema to a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labfactory.compiler.environment import Environment
from labfactory.compiler.given import Given
from labfactory.compiler.link import Sources, compile_sources, review_sources
from labfactory.compiler.syntax import parse_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from labfactory.compiler.functions import Functions
    from labfactory.compiler.plan import Plan
    from labfactory.compiler.review import Review
    from labfactory.compiler.tables import Table


class Template:
    """A Jinja2 template that can be compiled against a schema.

    Args:
        source: The template.
        name: Its name, as errors print it.
        options: The environment's options, as `lf.Environment` takes them.

    Raises:
        CompileError: `syntax` where Jinja2 would refuse the source.

    Example:
        >>> import pyarrow as pa
        >>> plan = Template("Hi {{ name }}").compile(pa.schema({"name": pa.string()}))
        >>> plan.assemble_one({"name": "Ann"})
        'Hi Ann'
    """

    def __init__(self, source: str, *, name: str = "<template>", **options: Any) -> None:
        self._set(Environment(**options), source, name)

    @classmethod
    def _in(cls, environment: Environment, source: str, name: str) -> Template:
        template = cls.__new__(cls)
        template._set(environment, source, name)
        return template

    def _set(self, environment: Environment, source: str, name: str) -> None:
        self.environment = environment
        self.source = source
        self.name = name
        parse_template(source, name, environment)

    def __repr__(self) -> str:
        return f"Template({self.name!r}, {len(self.source)} characters)"

    def compile(
        self,
        schema: Any,
        *,
        optional: Iterable[str] = (),
        functions: Functions | None = None,
        constants: Mapping[str, object] | None = None,
        tables: Mapping[str, Table | tuple[Any, str]] | None = None,
        translations: object = None,
        locale: str | None = None,
    ) -> Plan:
        """Compiles the template against a schema.

        Args:
            schema: A schema, or a frame, table or reader that has one; no row is read.
            optional: Columns that may be absent; they are undefined then.
            functions: What the template may call.
            constants: Values that names stand for: none, booleans, numbers, text, and lists of them.
            tables: Catalogues by the names that the template knows them by: `lf.Table`, or a frame and its
                key column.
            translations: What `{% trans %}` and gettext's functions say, where the environment has
                `jinja2.ext.i18n`: `gettext.GNUTranslations` or the like for all rows, or a mapping of such by
                locale; that of None serves the locales that have none. Without it messages stay as they are.
            locale: The column of each row's locale, where translations are by locale. Rows of a locale that
                has no translations are skipped.

        Returns:
            The plan.

        Raises:
            CompileError: The template cannot run natively on this schema; the error says where and why.
        """
        given = Given(
            optional=optional,
            functions=functions,
            constants=constants,
            tables=tables,
            translations=translations,
            locale=locale,
        )
        return compile_sources(self._sources(), schema, given)

    def check(
        self,
        data: Any,
        *,
        optional: Iterable[str] = (),
        functions: Functions | None = None,
        constants: Mapping[str, object] | None = None,
        tables: Mapping[str, Table | tuple[Any, str]] | None = None,
        translations: object = None,
        locale: str | None = None,
    ) -> Review:
        """Looks for what its author may not have meant, without compiling.

        Args:
            data: A schema, or a frame, table, batch, reader or file, of which the first 65,536 rows say which
                columns hold nulls and how long texts are.
            optional: As for `compile`.
            functions: As for `compile`.
            constants: As for `compile`.
            tables: As for `compile`.
            translations: As for `compile`.
            locale: As for `compile`.

        Returns:
            Unknown columns and fields, all of them; what prints None; tests that are always true or false;
            products of integers that may leave 64 bits; and how long an asset may become.

        Raises:
            CompileError: The template uses what is not covered; the error says where and why.

        Example:
            >>> import polars as pl
            >>> print(Template("Hi {{ nme }}, {{ points }}").check(pl.DataFrame({"points": [1, None]})))
            <template>:1:7: unknown_column: unknown column 'nme'
            <template>:1:18: prints_none: prints None where the value is null
            asset: at most 25 bytes
        """
        given = Given(
            optional=optional,
            functions=functions,
            constants=constants,
            tables=tables,
            translations=translations,
            locale=locale,
        )
        return review_sources(self._sources(), data, given)

    def _sources(self) -> Sources:
        return Sources.lone(self.source, self.environment, self.name)

"""What compile is given beside templates and a schema: functions, constants, tables, translations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from labfactory.compiler.functions import Functions
    from labfactory.compiler.tables import Table


class CreativeOptions(TypedDict, total=False):
    """The keywords of `Creative.compile` and `Creative.check` that are a `Given`'s."""

    functions: Functions | None
    constants: Mapping[str, object] | None
    tables: Mapping[str, Table | tuple[Any, str]] | None
    translations: object
    locale: str | None


class CompileOptions(CreativeOptions, total=False):
    """The keywords of `compile_creative` and `review_creative`: all that a `Given` holds."""

    optional: Iterable[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What compile is given beside templates and a schema.

    Args:
        optional: Columns that may be absent; they are undefined then.
        functions: Functions that templates may call.
        constants: Values that names stand for: none, booleans, numbers, text, and lists of them.
        tables: Catalogues by the names that templates know them by: `lf.Table`, or a frame and its key
            column.
        translations: What messages are for all rows, or by locale; see `Template.compile`.
        locale: The column of each row's locale, where translations are by locale.
    """

    optional: Iterable[str] = ()
    functions: Functions | None = None
    constants: Mapping[str, object] | None = None
    tables: Mapping[str, Table | tuple[Any, str]] | None = None
    translations: object = None
    locale: str | None = None

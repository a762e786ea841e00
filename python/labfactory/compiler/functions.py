"""Functions: what templates call beside Jinja2's own: an engineer's, and those of a locale."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from markupsafe import Markup

from labfactory.base.errors import UsageError
from labfactory.compiler.rows import to_python
from labfactory.compiler.types import Type, type_of

if TYPE_CHECKING:
    from collections.abc import Callable

_FIXED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Function:
    """A pure function that templates may call; `lf.function` makes one.

    Args:
        name: What templates call it.
        call: The function itself.
        returns: Arrow type of its results: a scalar type or a list of one.
        types: Arrow type of each parameter, by name; empty for a scalar function.
        is_scalar: Whether it takes and gives one Python value; else one Arrow array for each parameter.
        is_markup: Whether its text is safe where the channel escapes.
    """

    name: str
    call: Callable[..., Any]
    returns: pa.DataType
    types: tuple[tuple[str, pa.DataType], ...] = ()
    is_scalar: bool = False
    is_markup: bool = False

    @property
    def signature(self) -> inspect.Signature:
        """Its parameters."""
        return inspect.signature(self.call)

    @property
    def result(self) -> Type:
        """The logical type of its results."""
        return type_of(self.returns)

    def results(self, calls: Sequence[tuple[Any, ...]], keywords: tuple[str, ...]) -> list[Any]:
        """What it gives for some calls.

        Args:
            calls: The arguments of each call; the last of them belong to the keywords.
            keywords: Names of the last arguments.

        Returns:
            A value for each call, or the exception that it raised.
        """
        if self.is_scalar:
            return [self._scalar(call, keywords) for call in calls]
        try:
            return self._vector(calls, keywords)
        except Exception as error:
            # One bad call must not fail the others; a function that raises is data, whatever it raises.
            return [error] if len(calls) == 1 else [self.results([call], keywords)[0] for call in calls]

    def one(self, *positional: Any, **keyword: Any) -> Any:
        """What it gives for one call, as a template rendered by Jinja2 calls it."""
        keywords = tuple(keyword)
        (result,) = self.results([(*positional, *keyword.values())], keywords)
        if isinstance(result, Exception):
            raise result
        return result

    def _scalar(self, call: tuple[Any, ...], keywords: tuple[str, ...]) -> Any:
        try:
            return self._values([self._bound(call, keywords)])[0]
        except Exception as error:
            return error

    def _bound(self, values: Sequence[Any], keywords: tuple[str, ...]) -> Any:
        first = len(values) - len(keywords)
        return self.call(*values[:first], **dict(zip(keywords, values[first:], strict=True)))

    def _vector(self, calls: Sequence[tuple[Any, ...]], keywords: tuple[str, ...]) -> list[Any]:
        names = self.parameter_names(len(calls[0]) - len(keywords), keywords)
        types = dict(self.types)
        columns = [
            pa.array(values, types[name])
            for name, values in zip(names, zip(*calls, strict=True), strict=True)
        ]
        made = self._values(self._bound(columns, keywords))
        if len(made) != len(calls):
            message = f"expected {len(calls)} results of {self.name}, found {len(made)}"
            raise ValueError(message)
        return made

    def parameter_names(self, positional: int, keywords: tuple[str, ...]) -> list[str]:
        """Names of the parameters that a call gives, in its order."""
        return [*list(self.signature.parameters)[:positional], *keywords]

    def _values(self, made: Any) -> list[Any]:
        if hasattr(made, "__arrow_c_stream__") and not isinstance(made, pa.ChunkedArray):
            made = pa.chunked_array(made)
        array = made.cast(self.returns) if hasattr(made, "cast") else pa.array(made, self.returns)
        values = [row["value"] for row in to_python(pa.table({"value": array}))]
        if not self.is_markup:
            return values
        return [Markup(value) if isinstance(value, str) else value for value in values]  # noqa: S704 - declared safe


# The functions that a plan calls by number, each with the keywords of its last arguments.
Calls = Sequence[tuple[Function, tuple[str, ...]]]


def resolve_calls(called: Calls, index: int, calls: list[tuple[Any, ...]]) -> list[Any]:
    """What a plan's function gives for the calls that its rows wait for.

    Args:
        called: The functions by number.
        index: Which of them.
        calls: The arguments of each call.

    Returns:
        A value for each call, or the exception that it raised.
    """
    function, keywords = called[index]
    return function.results(calls, keywords)


class Functions(Mapping[str, Function]):
    """Functions by the names that templates call them; a value given to compile, never a global registry.

    Args:
        functions: The functions; their names differ.

    Raises:
        UsageError: `duplicate_name` when two share a name.

    Example:
        >>> import pyarrow as pa, pyarrow.compute as pc
        >>> @function({"points": pa.int64()}, returns=pa.string())
        ... def tier(points):
        ...     return pc.if_else(pc.greater(points, 1000), "gold", "silver")
        >>> from labfactory.compiler.template import Template
        >>> plan = Template("{{ tier(points)|upper }}").compile(
        ...     pa.schema({"points": pa.int64()}), functions=Functions(tier)
        ... )
        >>> plan.assemble_one({"points": 1200})
        'GOLD'
    """

    def __init__(self, *functions: Function) -> None:
        self._functions = {found.name: found for found in functions}
        if len(self._functions) < len(functions):
            message = "expected functions of different names"
            raise UsageError(message, code="duplicate_name")

    @classmethod
    def standard(cls, *, locale: str, currency: str | None = None, zone: str = "UTC") -> Functions:
        """Money, numbers, dates and plurals as a locale writes them, and links.

        Args:
            locale: The locale, as "de_DE" (Unicode's CLDR, through Babel: the extra `i18n`).
            currency: ISO 4217 code of the currency that `money` writes unless it is told another.
            zone: The zone that `time` and `datetime` tell moments in, as "Europe/Berlin".

        Returns:
            `money`, `number`, `percent`, `date`, `time`, `datetime`, `plural` and `url`.

        Raises:
            UsageError: `missing_extra` without Babel; `locale` for a locale or zone that is not known.
        """
        from labfactory.compiler.locale_functions import standard_functions

        return cls(*standard_functions(locale, currency, zone))

    def __or__(self, other: Functions) -> Functions:
        return Functions(*self.values(), *other.values())

    def __getitem__(self, name: str) -> Function:
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def __repr__(self) -> str:
        return f"Functions({', '.join(self)})"


def function(
    types: Mapping[str, pa.DataType] | None = None,
    *,
    returns: pa.DataType,
    name: str | None = None,
    scalar: bool = False,
    markup: bool = False,
) -> Callable[[Callable[..., Any]], Function]:
    """Makes a pure function one that templates may call.

    The engine calls it with the arguments that rows need, each once, and keeps what it gives; so it must
    give the same for the same arguments, and change nothing.

    Args:
        types: The Arrow type of each parameter, by name; a scalar function needs none.
        returns: Arrow type of its results: a scalar type or a list of one.
        name: What templates call it; the function's own name otherwise.
        scalar: It takes Python values and gives one, instead of Arrow arrays.
        markup: Its text is safe where the channel escapes.

    Returns:
        A decorator that gives the `Function`.

    Raises:
        UsageError: `function` when types and parameters do not match.
    """

    def made(call: Callable[..., Any]) -> Function:
        found = Function(name or call.__name__, call, returns, tuple((types or {}).items()), scalar, markup)
        _check(found)
        return found

    return made


def _check(found: Function) -> None:
    parameters = found.signature.parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind in _FIXED]
    typed = [name for name, _ in found.types]
    if not found.is_scalar and (len(names) < len(parameters) or sorted(names) != sorted(typed)):
        message = (
            f"expected a type for each parameter of {found.name} ({', '.join(names)}), "
            f"found types for {', '.join(typed) or 'none'}"
        )
        raise UsageError(message, code="function", hint="or make it scalar=True.")
    inner: Type | None = found.result
    inner = inner.item if inner is not None and inner.kind == "list" else inner
    if inner is None or not inner.is_scalar:
        message = f"expected {found.name} to return a scalar type or a list of one, found {found.returns}"
        raise UsageError(message, code="function")

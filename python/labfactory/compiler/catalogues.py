"""Catalogues: what messages are in a locale, and which of their forms a number takes."""

from __future__ import annotations

import gettext
import io
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jinja2
from jinja2 import nodes

from labfactory.base.errors import UsageError

_CONTEXT = "\x04"
_TOKENS = re.compile(r"\s*(&&|\|\||[!=<>]=|[-+*/%<>!?:()]|n\b|\d+)")
_PYTHON = {"&&": "and", "||": "or", "/": "//"}


class Translations(Protocol):
    """What gives translations: `gettext.GNUTranslations`, Babel's, or anything with these."""

    def gettext(self, message: str, /) -> str:
        """The translation of a message."""

    def ngettext(self, singular: str, plural: str, n: int, /) -> str:
        """The translation of a message in the form that a number takes."""


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of a message.

    Args:
        texts: The text of each form.
        rule: The number of the form as an expression of `n`; None where 1 takes the first and all else the
            second.
    """

    texts: tuple[str, ...]
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The messages of one locale."""

    translations: Translations

    def text(self, message: str, context: str | None = None) -> str:
        """What a message is in this locale."""
        if context is None:
            return str(self.translations.gettext(message))
        found: Any = getattr(self.translations, "pgettext", None)
        return message if found is None else str(found(context, message))

    def forms(self, singular: str, plural: str, context: str | None = None) -> Forms | None:
        """The forms of a message; None where the translations do not say how they choose among them."""
        return _forms(self.translations, singular, plural, context)


@dataclass(frozen=True, slots=True)
class Locales:
    """The catalogues of a plan and the column that chooses one for each row.

    Args:
        catalogues: By locale; that of None is for rows of all other locales.
        column: The column that holds a row's locale; None where one catalogue serves all rows.
    """

    catalogues: Mapping[str | None, Catalogue]
    column: str | None = None

    def of(self, row: Mapping[str, object]) -> Catalogue | None:
        """The catalogue of a row; None for a locale that has none."""
        named = None if self.column is None else row.get(self.column)
        return self.catalogues.get(named if isinstance(named, str) else None) or self.catalogues.get(None)


def make_locales(translations: object, locale: str | None) -> Locales:
    """The catalogues that compile was given.

    Raises:
        UsageError: `catalogue` where translations and locale do not belong together.
    """
    if translations is None:
        translations = gettext.NullTranslations()
    by_locale: dict[Any, Any] = (
        dict(translations) if isinstance(translations, Mapping) else {None: translations}
    )
    if (locale is None) is not (set(by_locale) == {None}):
        message = "expected one catalogue for all rows, or catalogues by locale and a locale column"
        hint = "write translations={'de': …, 'en': …}, locale='locale'."
        raise UsageError(message, code="catalogue", hint=hint)
    for given in by_locale.values():
        if not callable(getattr(given, "gettext", None)) or not callable(getattr(given, "ngettext", None)):
            message = f"expected translations with gettext and ngettext, found {type(given).__name__}"
            raise UsageError(message, code="catalogue")
    return Locales({name: Catalogue(given) for name, given in by_locale.items()}, locale)


def _forms(translations: object, singular: str, plural: str, context: str | None) -> Forms | None:
    if isinstance(translations, gettext.GNUTranslations):
        known: Mapping[Any, str] = translations._catalog  # type: ignore[attr-defined]
        key = singular if context is None else f"{context}{_CONTEXT}{singular}"
        texts = [known[key, at] for at in range(len(known)) if (key, at) in known]
        if texts:
            header = str(translations.info().get("plural-forms", ""))
            return Forms(tuple(texts), _rule(header))
    elif not isinstance(translations, gettext.NullTranslations):
        return None
    fallback = translations._fallback  # type: ignore[attr-defined]
    return Forms((singular, plural)) if fallback is None else _forms(fallback, singular, plural, context)


def _rule(header: str) -> str | None:
    found = re.search(r"plural\s*=\s*([^;]+)", header)
    return "n != 1" if found is None else python_rule(found.group(1))


def python_rule(rule: str) -> str:
    """A plural rule of C as an expression of Python's and Jinja2's.

    Raises:
        UsageError: `catalogue` where the rule is none.

    Example:
        >>> python_rule("n%10==1 && n!=11 ? 0 : n ? 1 : 2")
        '(0 if n % 10 == 1 and n != 11 else (1 if n else 2))'
    """
    tokens = _TOKENS.findall(rule)
    if "".join(tokens) != re.sub(r"\s", "", rule):
        message = f"expected a plural rule such as n != 1, found {rule!r}"
        raise UsageError(message, code="catalogue")
    return _choice([_PYTHON.get(token, token) for token in tokens])


def _choice(tokens: list[str]) -> str:
    """`a ? b : c` outside brackets is what binds least."""
    depth, start, open_choices = 0, -1, 0
    for at, sign in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth:
            continue
        if sign == "?":
            start = at if start < 0 else start
            open_choices += 1
        elif sign == ":":
            open_choices -= 1
            if open_choices == 0:
                parts = (tokens[:start], tokens[start + 1 : at], tokens[at + 1 :])
                test, first, other = map(_choice, parts)
                return f"({first} if {test} else {other})"
    return _plain(tokens)


def _plain(tokens: list[str]) -> str:
    """An expression without a choice outside its brackets."""
    out: list[str] = []
    at = 0
    while at < len(tokens):
        if tokens[at] == "(":
            depth, end = 1, at + 1
            while end < len(tokens) and depth:
                depth += {"(": 1, ")": -1}.get(tokens[end], 0)
                end += 1
            out.append(f"({_choice(tokens[at + 1 : end - 1])})")
            at = end
        else:
            out.append("not" if tokens[at] == "!" else tokens[at])
            at += 1
    return " ".join(out)


def rule_nodes(rule: str, number: nodes.Expr, line: int) -> nodes.Expr:
    """A plural rule as Jinja2's nodes, over the node that is its number."""
    parser = jinja2.parser.Parser(jinja2.Environment(autoescape=False), rule, state="variable")  # noqa: S701 - no output
    parsed: nodes.Expr = _over(parser.parse_expression(), number)
    parsed.set_lineno(line, override=True)
    return parsed


def _over(node: Any, number: nodes.Expr) -> Any:
    if isinstance(node, nodes.Name):
        return number
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(node, name, _over(value, number))
        elif isinstance(value, list):
            setattr(node, name, [_over(entry, number) for entry in value])
    return node


def read_translations(folder: Path | str, domain: str = "messages") -> dict[str, gettext.NullTranslations]:
    """The catalogues of a folder, as gettext lays them out: `<locale>/LC_MESSAGES/<domain>.mo`.

    Args:
        folder: The folder of locales.
        domain: Name of the files; a `.po` file is read where there is no `.mo`, with Babel (extra `[i18n]`).

    Returns:
        Translations by locale, for `compile(translations=…)`.

    Raises:
        UsageError: `catalogue` where the folder has none; `missing_extra` where a `.po` needs Babel.
    """
    found: dict[str, gettext.NullTranslations] = {}
    for place in sorted(Path(folder).glob("*/LC_MESSAGES")):
        there = [path for end in (".mo", ".po") if (path := place / f"{domain}{end}").is_file()]
        if there:
            found[place.parent.name] = parse_catalogue(there[0].read_bytes(), there[0].name)
    if not found:
        message = f"expected <locale>/LC_MESSAGES/{domain}.mo or .po in {str(folder)!r}, found none"
        raise UsageError(message, code="catalogue")
    return found


def parse_catalogue(content: bytes, name: str) -> gettext.GNUTranslations:
    """The translations of one file.

    Args:
        content: The file's bytes.
        name: Its name, which ends in `.mo`, or in `.po` to be read with Babel (extra `[i18n]`).

    Raises:
        UsageError: `catalogue` where it is no such file; `missing_extra` where a `.po` needs Babel.
    """
    try:
        compiled = content if name.endswith(".mo") else _compiled(content, name)
        return gettext.GNUTranslations(io.BytesIO(compiled))
    except (OSError, ValueError, struct.error) as error:
        message = f"expected a catalogue of gettext, found a fault in {name}: {error}"
        raise UsageError(message, code="catalogue") from None


def _compiled(content: bytes, name: str) -> bytes:
    """A `.po` as a `.mo`."""
    try:
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import PoFileError, read_po
    except ImportError:
        message = f"expected Babel to read {name!r}, found none"
        raise UsageError(message, code="missing_extra", hint="pip install labfactory[i18n].") from None
    compiled = io.BytesIO()
    try:
        write_mo(compiled, read_po(io.BytesIO(content), abort_invalid=True))
    except PoFileError as error:
        raise ValueError(str(error)) from None
    return compiled.getvalue()

"""Translations of a library: the messages of its creatives in a locale, as a file of gettext."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from labfactory.base.errors import ContentError, LabfactoryError
from labfactory.compiler import parse_catalogue
from labfactory.content.segment import is_segment

if TYPE_CHECKING:
    import gettext
    from collections.abc import Iterator

# Beside creatives and components; so it is the name of no concept.
TRANSLATIONS_FOLDER = "translations"
_SUFFIXES = (".mo", ".po")


@dataclass(frozen=True)
class Translation:
    r"""A catalogue of gettext in a library.

    Args:
        name: The file's name, such as `pl.po`.
        content: Its bytes.

    Example:
        >>> Translation("polish.po", b'msgid ""\nmsgstr "Language: pl\\n"\n').locale
        'pl'
    """

    name: str
    content: bytes

    @cached_property
    def catalogue(self) -> gettext.GNUTranslations:
        """The translations.

        Raises:
            UsageError: `catalogue`; `missing_extra` where a `.po` needs Babel.
        """
        return parse_catalogue(self.content, self.name)

    @property
    def locale(self) -> str:
        """The `Language` that its header names; else the file's name without its end."""
        return self.catalogue.info().get("language") or self.name.rpartition(".")[0]

    @property
    def path(self) -> str:
        """The path of its file in a library."""
        return f"{TRANSLATIONS_FOLDER}/{self.name}"

    def problems(self) -> Iterator[LabfactoryError]:
        """What is wrong with it: `unknown_file` for another kind of file, `catalogue`, `missing_extra`."""
        if not is_segment(self.name) or not self.name.endswith(_SUFFIXES):
            message = f"expected <locale>.po or .mo of a-z, 0-9, '.', '_' and '-', found {self.name!r}"
            yield ContentError(message, code="unknown_file", template=self.path)
            return
        try:
            _ = self.catalogue
        except LabfactoryError as problem:
            problem.template = self.path
            yield problem

    def __repr__(self) -> str:
        return f"Translation({self.name}, {len(self.content)} bytes)"

"""Files of settings: TOML or JSON text read into a strict model, all faults at once."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from labfactory.base.canonical import MAX_JSON_BYTES, canonical_json, parse_json
from labfactory.base.errors import UsageError, nearest
from labfactory.base.instants import instant_text
from labfactory.base.toml import TomlFault, parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

__all__ = ["Settings", "read_bounded", "settings_from"]


class Settings(BaseModel):
    """A part of a settings file: frozen, strictly typed, no key but those declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def to_json(self) -> bytes:
        """The settings as canonical JSON, without what is not set."""
        return canonical_json(_plain(self.model_dump(exclude_none=True)))


Model = TypeVar("Model", bound=Settings)


def read_bounded(path: Path | str, *, max_bytes: int = MAX_JSON_BYTES) -> bytes:
    """Read a whole file of at most `max_bytes`.

    Raises:
        UsageError: `file_unreadable` when it is absent, cannot be read, or is larger.
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        message = f"expected a readable file at {place}, found: {error.strerror}"
        raise UsageError(message, code="file_unreadable") from None
    if len(data) > max_bytes:
        message = f"expected at most {max_bytes} bytes in {place}, found more"
        raise UsageError(message, code="file_unreadable")
    return data


def settings_from(model: type[Model], source: bytes, *, name: str) -> Model:
    """Read settings from TOML, or from JSON: a file whose name ends in `.json`, or that begins with a brace.

    Args:
        model: What the file must hold.
        source: The bytes of the file.
        name: The file's name, for errors.

    Returns:
        The checked model.

    Raises:
        UsageError: `settings` lists every fault with its place.

    Example:
        >>> class Limit(Settings):
        ...     bytes: int
        >>> settings_from(Limit, b"bytes = 5", name="limit.toml")
        Limit(bytes=5)
    """
    if name.endswith(".json") or source.startswith(b"{"):  # no TOML begins so
        value = parse_json(source)
    else:
        value = _toml_values(source, name)
    try:
        # By way of JSON, where pydantic's strict mode means one thing: moments are text, tuples are arrays.
        return model.model_validate_json(canonical_json(_plain(value)))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        message = "; ".join(_fault(fault) for fault in faults)
        raise UsageError(message, code="settings", template=name, hint=_hint(model, faults)) from None


def _toml_values(source: bytes, name: str) -> dict[str, Any]:
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError as error:
        message = (
            f"expected TOML in UTF-8, found the byte 0x{source[error.start]:02x} at offset {error.start}"
        )
        raise UsageError(message, code="settings", template=name) from None
    values = parse_toml(text)
    if isinstance(values, TomlFault):
        raise values.error(UsageError, code="settings", template=name, source=text)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return instant_text(value) if isinstance(value, datetime) else value


def _fault(fault: ErrorDetails) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "the file"
    text = fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{place}: {text}"


def _hint(model: type[Settings], faults: list[ErrorDetails]) -> str | None:
    """Candidates for a misspelt key of the file's top level."""
    fields: Mapping[str, object] = model.model_fields
    for fault in faults:
        if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
            return nearest(str(fault["loc"][0]), fields)
    return None

"""Samples: a made-up shop with customers, a catalogue, a concept and responses, to try everything on."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from labfactory.samples.catalogue import catalogue, categories
from labfactory.samples.customers import BadRows, Customers, customers
from labfactory.samples.pictures import pictures
from labfactory.samples.responses import TRUE_EFFECTS, Effect, responses

__all__ = [
    "TRUE_EFFECTS",
    "BadRows",
    "Customers",
    "Effect",
    "catalogue",
    "categories",
    "customers",
    "folder",
    "pictures",
    "responses",
]


def folder() -> Path:
    """The folder of the sample concept: `library/`, `selection.toml`, `graduation.toml` and `playbook.md`.

    Example:
        >>> (folder() / "library").is_dir()
        True
    """
    return Path(str(files(__package__) / "concept"))

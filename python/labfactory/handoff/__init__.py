"""The handoff: signed packages, whom to believe, and the registry of a Factory."""

from __future__ import annotations

from labfactory.handoff.container import pack, unpack
from labfactory.handoff.draft import Draft
from labfactory.handoff.envelope import Envelope, pae
from labfactory.handoff.manifest import FileEntry, Header, Input, Manifest, merkle_root
from labfactory.handoff.needs import FunctionNeed, TableNeed, check_host
from labfactory.handoff.package import Package
from labfactory.handoff.registry import Ingested, Registry
from labfactory.handoff.renderer import golden_renderer
from labfactory.handoff.tooling import Selectors, Tooling
from labfactory.handoff.trust import Key, Person, Signer, Trust

__all__ = [
    "Draft",
    "Envelope",
    "FileEntry",
    "FunctionNeed",
    "Header",
    "Ingested",
    "Input",
    "Key",
    "Manifest",
    "Package",
    "Person",
    "Registry",
    "Selectors",
    "Signer",
    "TableNeed",
    "Tooling",
    "Trust",
    "check_host",
    "golden_renderer",
    "merkle_root",
    "pack",
    "pae",
    "unpack",
]

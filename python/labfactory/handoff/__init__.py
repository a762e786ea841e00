"""The handoff: signed packages, whom to believe, and the registry of a Factory."""

from __future__ import annotations

from labfactory.handoff.container import pack, unpack
from labfactory.handoff.envelope import Envelope, pae
from labfactory.handoff.manifest import FileEntry, Header, Input, Manifest, merkle_root
from labfactory.handoff.package import Draft, Package
from labfactory.handoff.registry import Ingested, Registry
from labfactory.handoff.trust import Key, Person, Signer, Trust

__all__ = [
    "Draft",
    "Envelope",
    "FileEntry",
    "Header",
    "Ingested",
    "Input",
    "Key",
    "Manifest",
    "Package",
    "Person",
    "Registry",
    "Signer",
    "Trust",
    "merkle_root",
    "pack",
    "pae",
    "unpack",
]

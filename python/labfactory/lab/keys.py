"""Units that are not one row each, found by their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base as core_base
from labfactory.assignment import key_texts
from labfactory.base.columns import cast_values
from labfactory.lab.aggregates import KeyFaults

if TYPE_CHECKING:
    from collections.abc import Sequence


class KeyLog:
    """Hash and arm of every keyed row."""

    def __init__(self) -> None:
        self._hashes: list[np.ndarray[Any, np.dtype[np.uint64]]] = []
        self._arms: list[np.ndarray[Any, np.dtype[np.int16]]] = []
        self._missing = 0

    def add(self, keys: pa.Array, arms: pa.Array, variants: Sequence[str]) -> None:
        """Remember the keys of a batch and their arms."""
        hashes = pa.array(core_base.hash_keys(key_texts(keys)))
        self._missing += hashes.null_count
        known = hashes.is_valid()
        names = cast_values(arms, pa.string()).filter(known)
        codes = pc.index_in(names, pa.array(variants, pa.string())).fill_null(-1)
        self._hashes.append(hashes.filter(known).to_numpy(zero_copy_only=False))
        self._arms.append(codes.to_numpy(zero_copy_only=False).astype(np.int16))

    def faults(self) -> KeyFaults:
        """What the keys say together."""
        if not self._hashes:
            return KeyFaults()
        hashes, arms = np.concatenate(self._hashes), np.concatenate(self._arms)
        order = np.lexsort((arms, hashes))
        hashes, arms = hashes[order], arms[order]
        is_repeat = hashes[1:] == hashes[:-1]
        changes_arm = is_repeat & (arms[1:] != arms[:-1]) & (arms[:-1] >= 0)
        exposed_twice = len(np.unique(hashes[1:][changes_arm]))
        return KeyFaults(self._missing, int(is_repeat.sum()), exposed_twice)

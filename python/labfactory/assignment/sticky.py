"""Sticky assignment: customers who have an arm keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.assignment.bucketing import Native
from labfactory.base.columns import cast_values
from labfactory.base.errors import UsageError
from labfactory.base.sources import batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

# Keys are compared by their 64-bit hashes, under a salt that no experiment has.
_IDENTITY = Native("sticky\x1fidentity")


@dataclass(frozen=True, slots=True)
class Sticky:
    """Arms that customers were given before.

    Args:
        hashes: Hashes of the known keys, ascending.
        arms: The arm of each, a position among the variants.
    """

    hashes: npt.NDArray[np.uint64]
    arms: npt.NDArray[np.int32]

    @staticmethod
    def read(table: Any, variants: Sequence[str], *, leave_retired: bool = False) -> Sticky:
        """Read a table of earlier assignments, such as `Experiment.assign` made.

        Args:
            table: Anything Arrow with the columns `key` and `variant`; rows where either is null are unknown.
            variants: Names of the experiment's variants.
            leave_retired: Whether customers of variants that the experiment no longer has are assigned anew;
                else such variants are an error.

        Returns:
            The arms.

        Raises:
            UsageError: `sticky_variant`, naming the variants that are gone and their customers;
                `sticky_conflict`, when a key has several variants.
            SourceError: When the table cannot be read, or its keys have no text.
        """
        hashes: list[npt.NDArray[np.uint64]] = []
        names: list[pa.Array] = []
        for batch in batches(table, columns=["key", "variant"]):
            found = _IDENTITY.hashes(batch.column(0))
            variant = cast_values(batch.column(1), pa.string())
            known = pc.and_(found.is_valid(), variant.is_valid())
            hashes.append(found.filter(known).to_numpy())
            names.append(variant.filter(known))
        every = pa.chunked_array(names, pa.string())
        codes = pc.index_in(every, pa.array(variants, pa.string())).fill_null(-1)
        arms = codes.to_numpy().astype(np.int32)
        if not leave_retired:
            _check_variants(every.filter(pc.equal(codes, -1)), variants)
        return _unique(np.concatenate(hashes)[arms >= 0], arms[arms >= 0])

    def arms_for(self, keys: pa.Array) -> npt.NDArray[np.int32]:
        """The arm that each key was given before, or -1."""
        hashes = _IDENTITY.hashes(keys).fill_null(0).to_numpy()
        if not len(self.hashes):
            return np.full(len(hashes), -1, np.int32)
        places = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[places] == hashes, self.arms[places], np.int32(-1))


def _check_variants(gone: pa.ChunkedArray, variants: Sequence[str]) -> None:
    if not len(gone):
        return
    counts = sorted((found["values"], found["counts"]) for found in gone.value_counts().to_pylist())
    told = ", ".join(f"{name!r} with {count:,} customers" for name, count in counts[:5])
    message = f"expected earlier assignments to {', '.join(variants)}, found {told}"
    hint = "retired='reassign' gives these customers a variant anew"
    raise UsageError(message, code="sticky_variant", hint=hint)


def _unique(hashes: npt.NDArray[np.uint64], arms: npt.NDArray[np.int32]) -> Sticky:
    order = np.lexsort((arms, hashes))
    hashes, arms = hashes[order], arms[order]
    is_repeat = hashes[1:] == hashes[:-1]
    torn = int((is_repeat & (arms[1:] != arms[:-1])).sum())
    if torn:
        message = f"expected one earlier variant for each key, found {torn:,} keys with several"
        raise UsageError(message, code="sticky_conflict", hint="keep the first exposure of each customer")
    first = np.concatenate([[True], ~is_repeat]) if len(hashes) else np.zeros(0, bool)
    return Sticky(hashes[first], arms[first])

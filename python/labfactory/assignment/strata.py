"""Stratified assignment: within each stratum every arm has its share of customers, to within one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.assignment.bucketing import Native, arms_of
from labfactory.base.columns import cast_values
from labfactory.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

# Between the values of several columns, and for a value that is null.
_APART, _MISSING = "\x1f", "\x1e"


def stratified_arms(
    keys: pa.Array,
    strata: Sequence[pa.Array],
    *,
    bucketing: Native,
    weights: Sequence[float],
    coverage: float = 1.0,
    among: npt.NDArray[np.bool_] | None = None,
) -> pa.Int32Array:
    """The arm of each key, balanced within strata.

    Within a stratum customers are put in the order of their buckets, which is random and belongs to the
    experiment. The customer at place i of n (from 0) gets the point (i + u) / n, where u is the stratum's own
    bucket, and the arm whose range holds the point. So an arm of weight w has n * w customers, rounded up or
    down, in every stratum. The order of rows and batches does not matter. The set of customers does: those
    who join later are assigned with their own set, and `sticky` keeps those who were there.

    Args:
        keys: As `key_texts` takes them, none null; a key may occur in several rows.
        strata: Columns as long as `keys`, whose values together name a row's stratum; null is a value.
        bucketing: The experiment's bucketing.
        weights: Share of each arm, 0 or more, summing to 1.
        coverage: Share of each stratum that takes part.
        among: The rows that are assigned, all of a key's or none; all when None.

    Returns:
        Positions in `weights`, as long as `keys`; null for those who take no part.

    Raises:
        UsageError: `strata`, when rows of one key lie in several strata.

    Example:
        >>> import pyarrow as pa
        >>> import pyarrow.compute as pc
        >>> keys = pa.array(range(10))
        >>> country = pa.array(["DE", "AT"] * 5)
        >>> arms = stratified_arms(keys, [country], bucketing=Native("tone"), weights=[0.4, 0.6])
        >>> [arms.filter(pc.equal(country, name)).to_pylist().count(1) for name in ("DE", "AT")]
        [3, 3]
    """
    names, codes = _strata(strata)
    hashes = bucketing.hashes(keys).to_numpy()
    _check_one_stratum(hashes, codes, keys)
    rows = np.arange(len(keys)) if among is None else np.flatnonzero(among)
    buckets = bucketing.buckets(keys).to_numpy()[rows]
    order = rows[np.lexsort((hashes[rows], buckets, codes[rows]))]
    group = codes[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (hashes[order][1:] != hashes[order][:-1]) | (group[1:] != group[:-1])
    counts = np.bincount(group[is_new], minlength=len(names))
    place = np.cumsum(is_new) - 1 - (np.cumsum(counts) - counts)[group]
    turns = Native(f"strata{_APART}{bucketing.experiment}", bucketing.seed).buckets(names).to_numpy()
    arms = np.full(len(keys), -1, np.int32)
    arms[order] = arms_of((place + turns[group]) / counts[group], bucketing.ranges(weights, coverage))
    return pa.array(arms, mask=arms < 0)


def _strata(columns: Sequence[pa.Array]) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    texts = [pc.fill_null(cast_values(column, pa.string()), _MISSING) for column in columns]
    joined = pc.binary_join_element_wise(*texts, _APART)
    encoded = joined.dictionary_encode()
    codes: npt.NDArray[np.int64] = encoded.indices.to_numpy().astype(np.int64)
    return encoded.dictionary, codes


def _check_one_stratum(hashes: npt.NDArray[np.uint64], codes: npt.NDArray[np.int64], keys: pa.Array) -> None:
    order = np.lexsort((codes, hashes))
    is_torn = (hashes[order][1:] == hashes[order][:-1]) & (codes[order][1:] != codes[order][:-1])
    if not is_torn.any():
        return
    row = int(order[int(np.argmax(is_torn)) + 1])
    message = f"expected one stratum for each key, found several for {keys[row].as_py()!r}"
    raise UsageError(message, code="strata", hint="strata are what was known of a customer before the test")

"""Many tests at once: adjusted p-values, within one family or several.

An adjusted p-value is compared with alpha itself: after the correction a test is significant when its
adjusted p-value is at most alpha.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import pyarrow as pa

from labfactory.base.errors import StatisticsError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

Correction = Literal["bonferroni", "sidak", "holm", "hochberg", "bh", "by"]


def adjust(
    p_values: Sequence[float | None], method: Correction, *, families: Sequence[Hashable] | None = None
) -> tuple[float | None, ...]:
    """Adjust p-values for being several.

    `bonferroni`, `holm` and `by` hold whatever the dependence between the tests; `sidak` needs independence
    or two-sided normal tests, `hochberg` and `bh` positive dependence. `bh` and `by` bound the expected share
    of false ones among the positives, the others the chance of any false positive.

    Args:
        p_values: From 0 to 1. None or NaN is a test that was planned but has no p-value: it counts in its
            family as a test that found nothing, and stays without one.
        method: The correction.
        families: The family of each p-value, such as its metric; each family is adjusted by itself. One
            family when None.

    Returns:
        Adjusted p-values in the same order, at most 1, each at least the p-value it came from; None where
        there was none.

    Raises:
        UsageError: `correction`, for an unknown method; `families`, when there is not one for each p-value.
        StatisticsError: `p_value`, when one is not from 0 to 1.

    References:
        Holm (1979), "A simple sequentially rejective multiple test procedure". Hochberg (1988), "A sharper
        Bonferroni procedure for multiple tests of significance". Benjamini and Hochberg (1995), "Controlling
        the false discovery rate". Benjamini and Yekutieli (2001), "The control of the false discovery rate in
        multiple testing under dependency".

    Example:
        >>> adjust([0.01, 0.04, 0.03, None], "holm")
        (0.04, 0.09, 0.09, None)
        >>> adjust([0.01, 0.04, 0.03, 0.5], "bonferroni", families=["orders", "visits", "orders", "visits"])
        (0.02, 0.08, 0.06, 1.0)
    """
    if method not in _METHODS:
        message = f"expected a correction of {', '.join(get_args(Correction))}, found {method!r}"
        raise UsageError(message, code="correction", hint=nearest(str(method), _METHODS))
    if families is not None and len(families) != len(p_values):
        message = f"expected a family for each of {len(p_values)} p-values, found {len(families)}"
        raise UsageError(message, code="families")
    values = numbers_of(p_values, what="p-values", code="p_value")
    outside = next((p for p in values if p < 0 or p > 1), None)
    if outside is not None:
        message = f"expected p-values from 0 to 1, found {outside}"
        raise StatisticsError(message, code="p_value")
    adjusted: list[float | None] = [None] * len(values)
    for members in _families(families, len(values)):
        family = np.array([values[index] for index in members])
        for index, p in zip(members, _within(family, _METHODS[method]), strict=True):
            adjusted[index] = p
    return tuple(adjusted)


def numbers_of(values: Any, *, what: str, code: str) -> list[float]:
    """Numbers of a list, an array or a column; NaN for None.

    Raises:
        StatisticsError: `code`, for what is no number.
    """
    listed = values.to_pylist() if isinstance(values, pa.Array | pa.ChunkedArray) else list(values)
    try:
        return [math.nan if value is None else float(value) for value in listed]
    except (TypeError, ValueError) as error:
        message = f"expected {what} as numbers, found another value"
        raise StatisticsError(message, code=code) from error


def adjust_rows(p_values: NDArray[np.float64], method: Correction) -> NDArray[np.float64]:
    """Adjust p-values of many families of one size, as `adjust` does with each.

    Args:
        p_values: Families by tests, from 0 to 1; NaN is a test without a p-value.
        method: The correction.

    Returns:
        Adjusted p-values; NaN stays.

    Example:
        >>> import numpy as np
        >>> adjust_rows(np.array([[0.01, 0.04], [0.5, 0.2]]), "holm").tolist()
        [[0.02, 0.04], [0.5, 0.4]]
    """
    is_missing = np.isnan(p_values)
    whole = np.where(is_missing, 1.0, p_values)
    order = np.argsort(whole, axis=1, kind="stable")
    adjusted = np.empty_like(whole)
    # Tests first: a correction sees one family as a vector, many as the columns of a matrix.
    ascending = _METHODS[method](np.take_along_axis(whole, order, axis=1).T).T
    np.put_along_axis(adjusted, order, np.minimum(1.0, ascending), axis=1)
    return np.where(is_missing, np.nan, adjusted)


def _families(families: Sequence[Hashable] | None, count: int) -> list[list[int]]:
    if families is None:
        return [list(range(count))]
    members: dict[Hashable, list[int]] = {}
    for index, family in enumerate(families):
        members.setdefault(family, []).append(index)
    return list(members.values())


def _within(family: NDArray[np.float64], method: _Method) -> list[float | None]:
    is_missing = np.isnan(family)
    ascending = np.argsort(np.where(is_missing, 1.0, family), kind="stable")
    adjusted = np.empty_like(family)
    adjusted[ascending] = np.minimum(1.0, method(np.where(is_missing, 1.0, family)[ascending]))
    return [None if missing else float(p) for p, missing in zip(adjusted, is_missing, strict=True)]


# Each takes the p-values of one family in ascending order.
def _bonferroni(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return len(p) * p


def _sidak(p: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):  # a p-value of 1 stays 1
        # 1 - (1 - p)^m, without losing small p-values to the 1.
        return np.asarray(-np.expm1(len(p) * np.log1p(-p)))


def _holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum.accumulate((np.arange(len(p), 0, -1) * p.T).T)


def _hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return _from_the_largest((np.arange(len(p), 0, -1) * p.T).T)


def _benjamini_hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return _from_the_largest((len(p) / np.arange(1, len(p) + 1) * p.T).T)


def _benjamini_yekutieli(p: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = np.sum(1.0 / np.arange(1, len(p) + 1)) * len(p) / np.arange(1, len(p) + 1)
    return _from_the_largest((scale * p.T).T)


def _from_the_largest(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each the least of itself and all that stand behind it."""
    return np.minimum.accumulate(p[::-1])[::-1]


if TYPE_CHECKING:
    _Method = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_METHODS: Final[dict[str, _Method]] = {
    "bonferroni": _bonferroni,
    "sidak": _sidak,
    "holm": _holm,
    "hochberg": _hochberg,
    "bh": _benjamini_hochberg,
    "by": _benjamini_yekutieli,
}

"""The arms of an experiment: their names and planned shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from labfactory.base.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


class Named(Protocol):
    """Anything with a name, such as a variant of a library."""

    @property
    def name(self) -> str:
        """The name."""
        ...


def variant_names(variants: Sequence[str | Named], *, experiment: str) -> tuple[str, ...]:
    """The names of variants.

    Raises:
        UsageError: `experiment`, when the experiment or a variant has no name, or names are few or repeated.
    """
    names = tuple(variant if isinstance(variant, str) else variant.name for variant in variants)
    if not experiment:
        message = "expected a name for the experiment, found an empty text"
        raise UsageError(message, code="experiment")
    if len(names) < 2 or len(set(names)) < len(names) or not all(names):
        found = ", ".join(names) or "none"
        message = f"expected two or more variants of different names in {experiment!r}, found {found}"
        raise UsageError(message, code="experiment")
    return names


def planned_shares(
    allocation: Mapping[str, float] | Sequence[float] | None, variants: tuple[str, ...]
) -> tuple[float, ...]:
    """The planned share of each variant, in their order; equal shares when None.

    Raises:
        UsageError: `weights`, `unknown_variant`.
    """
    if allocation is None:
        return (1.0 / len(variants),) * len(variants)
    if isinstance(allocation, Mapping):
        unknown = [name for name in allocation if name not in variants]
        if unknown:
            message = f"expected shares of the variants, found one of {unknown[0]!r}"
            raise UsageError(message, code="unknown_variant", hint=nearest(unknown[0], variants))
        allocation = [allocation.get(name, 0.0) for name in variants]
    shares = tuple(map(float, allocation))
    # A billionth covers the rounding of shares such as 1/3 written out.
    is_whole = abs(sum(shares) - 1.0) <= 1e-9
    if len(shares) != len(variants) or not is_whole or min(shares) < 0:
        found = ", ".join(map(str, shares))
        message = f"expected {len(variants)} shares of 0 or more, summing to 1, found {found}"
        raise UsageError(message, code="weights")
    return shares

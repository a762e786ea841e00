"""Who takes part in an experiment, and in which arm: bucketing, coverage, layer and earlier assignments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from labfactory.assignment.bucketing import Native
from labfactory.assignment.strata import stratified_arms
from labfactory.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from labfactory.assignment.bucketing import Bucketing
    from labfactory.assignment.layer import Layer
    from labfactory.assignment.sticky import Sticky

# What became of a customer: the order is that of the codes below.
STATUSES: Final = ("assigned", "sticky", "holdout", "layer", "coverage")
_ASSIGNED, _STICKY, _HOLDOUT, _LAYER, _COVERAGE = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigner:
    """Assigns the customers of one experiment.

    A customer who has an arm keeps it, whatever changed since. Of the others those are left out whom the
    layer's holdout holds, then those whom the layer gives to other experiments, then those beyond coverage.

    Args:
        experiment: Name of the experiment.
        bucketing: How keys become arms.
        weights: Share of each arm.
        coverage: Share of customers that take part.
        layer: The layer that the experiment lies in.
        sticky: Earlier assignments.
    """

    experiment: str
    bucketing: Bucketing
    weights: Sequence[float]
    coverage: float = 1.0
    layer: Layer | None = None
    sticky: Sticky | None = None

    @property
    def may_leave_out(self) -> bool:
        """Whether customers can be without an arm, or have one for another reason than their bucket."""
        is_plain = self.coverage == 1.0 and self.layer is None and self.sticky is None
        return not (is_plain and isinstance(self.bucketing, Native))

    def assign(self, keys: pa.Array, strata: Sequence[pa.Array] = ()) -> tuple[pa.Int32Array, pa.Int8Array]:
        """The arm of each key, and what became of it.

        Args:
            keys: As `key_texts` takes them, none null.
            strata: Columns to balance within; none for independent draws.

        Returns:
            Positions in `weights`, null for customers who take no part; positions in `STATUSES`.

        Raises:
            UsageError: `weights`, `coverage`, `layer`, `strata`.
            SourceError: `key_type`.
        """
        status = np.full(len(keys), _ASSIGNED, np.int8)
        known = np.full(len(keys), -1, np.int32)
        if self.sticky is not None:
            known = self.sticky.arms_for(keys)
            status[known >= 0] = _STICKY
        if self.layer is not None:
            self._leave_to_layer(keys, status)
        arms = self._arms(keys, strata, status == _ASSIGNED)
        status[(status == _ASSIGNED) & (arms < 0)] = _COVERAGE
        made = np.where(known >= 0, known, np.where(status == _ASSIGNED, arms, -1)).astype(np.int32)
        return pa.array(made, mask=made < 0), pa.array(status)

    def _leave_to_layer(self, keys: pa.Array, status: npt.NDArray[np.int8]) -> None:
        assert self.layer is not None
        members = _flags(self.layer.members(keys, self.experiment))
        status[(status == _ASSIGNED) & ~members] = _LAYER
        if self.layer.holdout is not None:
            status[(status == _LAYER) & _flags(self.layer.holdout.holds(keys))] = _HOLDOUT

    def _arms(
        self, keys: pa.Array, strata: Sequence[pa.Array], is_open: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int32]:
        """The arm of each open key, -1 beyond coverage; strata are balanced over the open keys alone."""
        if not strata:
            return _codes(self.bucketing.arms(keys, weights=self.weights, coverage=self.coverage))
        if not isinstance(self.bucketing, Native):
            message = f"expected labfactory's own hash with strata, found {self.bucketing!r}"
            raise UsageError(message, code="strata", hint="an SDK sees one customer and cannot balance")
        arms = stratified_arms(
            keys,
            strata,
            bucketing=self.bucketing,
            weights=self.weights,
            coverage=self.coverage,
            among=is_open,
        )
        return _codes(arms)


def _codes(arms: pa.Int32Array) -> npt.NDArray[np.int32]:
    codes: npt.NDArray[np.int32] = arms.fill_null(-1).to_numpy()
    return codes


def _flags(values: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    flags: npt.NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
    return flags

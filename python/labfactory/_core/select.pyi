"""One component for every customer and slot."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labfactory._core.arrow import Array

REASONS: tuple[str, ...]

class Slot:
    """The candidates of one slot, and how one of them is chosen."""

    def __init__(
        self,
        *,
        name: str,
        components: Sequence[str],
        candidates: Sequence[int],
        needed: Sequence[Sequence[int]],
        rules: Sequence[tuple[int, int]] | None,
        missing: Sequence[float | None],
        weights: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        scale: str,
        temperature: float | None,
        epsilon: float,
        floor: float,
    ) -> None: ...
    def decide(
        self,
        columns: object,
        *,
        seed: int,
        version: str,
        threads: int,
        prices: npt.NDArray[np.float32] | None = None,
    ) -> Array: ...

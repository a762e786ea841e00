"""Co-moments of numbers by cell."""

import numpy as np
from numpy.typing import NDArray

class CellSummary:
    """Sums of a stream of batches: a variant column, groups if there are any, then numbers."""

    def __init__(
        self,
        arms: list[str],
        columns: list[tuple[str, float, float]],
        sets: list[tuple[list[int], int]],
        grouped: bool,
    ) -> None: ...
    def add(self, batch: object, threads: int) -> None: ...
    def totals(self) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]: ...

class Resampling:
    """Bootstrap replicates of a stream of batches: variants, then numbers."""

    def __init__(
        self,
        arms: list[str],
        columns: list[tuple[str, float, float]],
        sets: list[tuple[list[int], int]],
        replicates: int,
        seed: int,
    ) -> None: ...
    def add(self, batch: object, threads: int) -> None: ...
    def totals(self, threads: int) -> NDArray[np.float64]: ...

def collapse(
    columns: list[tuple[str, float, float]],
    sets: list[tuple[list[int], int]],
    target: NDArray[np.int32],
    targets: int,
    counts: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]: ...

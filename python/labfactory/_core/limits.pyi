"""Prices of options under limits, and their settlement."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

def demand(
    values: npt.NDArray[np.float32], prices: npt.NDArray[np.float64], smoothing: float, threads: int
) -> tuple[float, npt.NDArray[np.float64]]: ...
def shortlist(
    values: npt.NDArray[np.float32],
    prices: npt.NDArray[np.float64],
    best: int,
    groups: Sequence[Sequence[int]],
    threads: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]: ...
def settle(
    keys: npt.NDArray[np.uint64],
    options: npt.NDArray[np.int32],
    values: npt.NDArray[np.float32],
    chosen: npt.NDArray[np.int32],
    prices: npt.NDArray[np.float64],
    limits: Sequence[tuple[Sequence[int], int, bool]],
    paid: float,
    listed: Sequence[int],
    caps: Sequence[tuple[Sequence[int], int, int]],
    left: npt.NDArray[np.int32],
) -> dict[str, Any]: ...
def demand_together(
    keys: npt.NDArray[np.uint64],
    options: npt.NDArray[np.int32],
    values: npt.NDArray[np.float32],
    prices: npt.NDArray[np.float64],
    listed: Sequence[int],
    caps: Sequence[tuple[Sequence[int], int, int]],
    left: npt.NDArray[np.int32],
    threads: int,
) -> tuple[float, npt.NDArray[np.float64]]: ...

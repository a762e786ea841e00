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
        base: str = "best",
        strength: float = 0.0,
        epsilon: float = 0.0,
        floor: float = 0.0,
        arbitration: tuple[Sequence[tuple[str, float]], Sequence[tuple[float, int]]] | None = None,
        uncertainty: npt.NDArray[np.float32] | None = None,
        beliefs: Sequence[tuple[float, float]] = (),
        is_screened: bool = True,
    ) -> None: ...
    def decide(
        self,
        columns: object,
        *,
        seed: int,
        version: str,
        threads: int,
        prices: npt.NDArray[np.float32] | None = None,
        shared: object | None = None,
        estimates: bool = True,
    ) -> Array: ...
    def decide_one(
        self,
        key: int | None,
        *,
        features: Sequence[float | None],
        terms: Sequence[float | None],
        conditions: Sequence[bool],
        seed: int,
        version: str,
        prices: npt.NDArray[np.float32] | None = None,
        gate: int = 0,
    ) -> tuple[int, float, float, int, bool]: ...
    def values(
        self, columns: object, *, threads: int, shared: object | None = None
    ) -> npt.NDArray[np.float32]: ...

class Allowances:
    """Limits that slots share, as pairs of slot and candidate for each."""

    def __init__(self, slots: Sequence[Slot], members: Sequence[Sequence[tuple[int, int]]]) -> None: ...

def decide_one_together(
    limits: Allowances,
    key: int | None,
    *,
    features: Sequence[Sequence[float | None]],
    terms: Sequence[Sequence[float | None]],
    conditions: Sequence[Sequence[bool]],
    left: Sequence[int],
    bars: Sequence[Sequence[float]],
    gate: int,
    prices: Sequence[npt.NDArray[np.float32] | None],
    seed: int,
    version: str,
) -> list[tuple[int, float, float, int, bool]]: ...
def decide_together(
    slots: Sequence[Slot],
    columns: Sequence[object],
    *,
    shared: object,
    limits: Sequence[tuple[int, int, Sequence[tuple[int, int]], Sequence[int]]],
    prices: Sequence[npt.NDArray[np.float32] | None],
    seed: int,
    version: str,
    threads: int,
    estimates: bool = True,
) -> list[Array]: ...

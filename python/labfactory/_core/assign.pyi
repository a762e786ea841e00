"""Experiment bucketing."""

from labfactory._core.arrow import Array

class Bucketing:
    def __init__(
        self,
        *,
        hasher: str,
        prefix: str,
        suffix: str,
        seed: int,
        scale: str,
        count: int,
        offset: float,
        divisor: float,
    ) -> None: ...
    def hashes(self, keys: object, threads: int) -> Array: ...
    def buckets(self, keys: object, threads: int) -> Array: ...
    def arms(
        self, keys: object, lower: list[float], upper: list[float], skip_falsy: bool, threads: int
    ) -> Array: ...

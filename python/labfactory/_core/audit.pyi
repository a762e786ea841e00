"""Rules over assembled text."""

from collections.abc import Sequence

from labfactory._core.arrow import Array

class Auditor:
    """Rules as (kind, part, text, ignore_case, limit, schemes, allow_relative)."""

    def __init__(self, rules: Sequence[tuple[str, str, str, bool, int, Sequence[str], bool]]) -> None: ...
    def audit(self, batch: object, threads: int) -> tuple[Array, list[int], int]: ...

def sms_sizes(batch: object) -> tuple[Array, Array, Array]:
    """(int8 array: 0 for GSM 7-bit and 1 for UCS-2, units, segments) of the column `text`."""

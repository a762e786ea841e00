"""Memory does not grow with the number of customers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("child_memory.py")


def peak_kib(folder: Path, rows: int) -> int:
    """The least of three runs: how many pieces are in hand at once is the threads' luck, up to a tenth of a peak."""
    peaks = []
    for number in range(3):
        place = folder / str(number)
        place.mkdir(parents=True)
        command = [sys.executable, str(CHILD), str(place), str(rows)]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return min(peaks)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_peak_memory_at_ten_times_the_customers_is_within_5_percent(tmp_path: Path) -> None:
    few, many = peak_kib(tmp_path / "few", 200_000), peak_kib(tmp_path / "many", 2_000_000)
    assert many <= 1.05 * few, f"{few:,} KiB at 200,000 customers, {many:,} KiB at 2,000,000"

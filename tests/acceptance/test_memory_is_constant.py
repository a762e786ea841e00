"""`labfactory demo` needs as much memory for many customers as for few."""

from __future__ import annotations

from pathlib import Path

import pytest
from acceptance_command import labfactory

# What holds for 2,000,000 shows at these: the run's memory is full after its first shards.
FEW, MANY = 200_000, 800_000
STATUS = Path("/proc/self/status")
# Not ru_maxrss: that begins with what the parent held when it started the process.
TELLS_ITS_PEAK = f"""
import atexit, pathlib, sys

def tell():
    lines = pathlib.Path({str(STATUS)!r}).read_text().splitlines()
    print(next(line for line in lines if line.startswith("VmHWM:")), file=sys.stderr)

atexit.register(tell)
"""


def peak_mib(customers: int, folder: Path) -> float:
    done = labfactory(
        "demo", "--customers", str(customers), "--out", str(folder), "--json", before=TELLS_ITS_PEAK
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="reads the peak from Linux's /proc")
def test_four_times_the_customers_take_no_more_memory(tmp_path: Path) -> None:
    few, many = peak_mib(FEW, tmp_path / "few"), peak_mib(MANY, tmp_path / "many")
    assert many <= 1.05 * few, f"{few:.0f} MiB at {FEW:,} customers, {many:.0f} MiB at {MANY:,}"

"""C sources of the benchmarks, compiled where they are needed."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path


def library(name: str) -> ctypes.CDLL:
    """Compiles `name`.c and loads it; calls release the GIL."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise SystemExit(f"benchmarks/{name}.c needs a C compiler: expected cc, gcc or clang, found none")
    source = Path(__file__).with_name(f"{name}.c")
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / f"{name}.so"
        command = [compiler, "-O3", "-shared", "-fPIC", "-o", str(made), str(source)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise SystemExit(f"benchmarks/{name}.c does not compile:\n{run.stderr}")
        return ctypes.CDLL(str(made))

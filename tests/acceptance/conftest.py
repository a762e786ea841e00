"""Makes the modules beside this file importable, and the demo's Factory one for the whole session."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from acceptance_command import labfactory


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `labfactory demo --customers 3000 --json` filled; its summary is in `summary.json`."""
    out = tmp_path_factory.mktemp("acceptance") / "demo"
    done = labfactory("demo", "--customers", "3000", "--json", "--out", str(out))
    assert done.returncode == 0, done.stderr
    (out.parent / "summary.json").write_text(done.stdout, encoding="utf-8")
    return out

"""Components to choose from, and every dispatch level that this machine has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from labfactory._core import base
from labfactory.selection import SelectionPolicy, Selector, SlotPolicy

if TYPE_CHECKING:
    import pyarrow as pa

LEVELS = ("baseline", "avx2", "avx512")


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None


Bind = Callable[..., Selector]


@pytest.fixture
def bind() -> Bind:
    """Binds one slot's policy to components given by name, or by name and condition."""

    def bind_slot(
        slot: SlotPolicy,
        batch: pa.RecordBatch,
        components: Sequence[str | tuple[str, str]],
        version: str = "1",
    ) -> Selector:
        blocks = [Block(entry) if isinstance(entry, str) else Block(*entry) for entry in components]
        return SelectionPolicy.build(version, hero=slot).bind({"hero": blocks}, batch.schema)

    return bind_slot


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set; those that the machine lacks fall back to what it has."""
    base.limit_dispatch(request.param)
    yield request.param
    base.limit_dispatch("avx512")

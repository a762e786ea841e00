"""Programs: what templates and expressions compile to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt

from labfactory._core.arrow import Array, Stream

OPCODES: dict[str, int]
FILTERS: dict[str, int]
TESTS: dict[str, int]
METHODS: dict[str, int]
LOOP_ATTRIBUTES: dict[str, int]
OUTCOMES: dict[str, int]

def format_arguments(format: str) -> int:
    """How many arguments a printf format takes; CompileError `format` where it cannot be run."""

@final
class Memo:
    """What functions gave, kept from batch to batch; for one thread at a time."""

    def __init__(self) -> None: ...

@final
class TextStream(Stream):
    """The texts of a batch's assets, chunk by chunk; read once."""

    def notes(self) -> Array | None:
        """What stands beside the text of the chunk that came last; None where all its rows are done."""

@final
class Program:
    """A verified program; immutable, shared by any number of threads."""

    def __init__(
        self,
        *,
        columns: Sequence[tuple[str, int, str, str]],
        constants: list[Any],
        literals: Sequence[str],
        formats: Sequence[str],
        registers: int,
        loops: int,
        tables: Sequence[Sequence[int]],
        functions: Sequence[str],
        parts: Sequence[str],
        code: npt.NDArray[np.int32],
        spans: Sequence[tuple[int, int, int, int]],
        templates: Sequence[str],
        undefined: str,
        work_limit: int,
        asset_limit_bytes: int,
        zones: Mapping[str, bytes] = {},
    ) -> None: ...
    def assemble(
        self,
        batch: Any,
        *,
        threads: int = 1,
        batch_bytes: int = 67108864,
        memo: Memo | None = None,
        resolve: Callable[[int, list[tuple[Any, ...]]], list[Any]] | None = None,
    ) -> list[Array]:
        """Assembles a record batch into chunks of status, reason, code, template, line, column and text."""

    def stream(self, batch: Any, *, threads: int = 1, batch_bytes: int = 67108864) -> TextStream:
        """The texts of a batch, chunk by chunk, those to come made meanwhile; not of functions."""

    def silent_notes(self, rows: int) -> Array:
        """Status, reason, code, template, line and column of so many rows that are all done."""

    def evaluate(
        self,
        batch: Any,
        type: str,
        *,
        machine: Literal["block", "row"] = "block",
        memo: Memo | None = None,
        resolve: Callable[[int, list[tuple[Any, ...]]], list[Any]] | None = None,
    ) -> tuple[Array, Array]:
        """Evaluates an expression over a record batch: its values, and a code where a row failed."""

    @property
    def is_expression(self) -> bool: ...
    def explain(self) -> str:
        """A stable listing."""

@final
class RowAssembler:
    """Assembles single rows of Python values, without arrays of one; shared by any number of threads."""

    def __init__(self, program: Program, schema: Any) -> None: ...
    def assemble(
        self, row: dict[str, object], resolve: Callable[[int, list[tuple[Any, ...]]], list[Any]] | None = None
    ) -> str | dict[str, str] | tuple[str, str | None, str | None, str, int, int] | None:
        """The asset or its parts; what became of a row without one; None where pyarrow must read a value."""

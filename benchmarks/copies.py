"""Plain copies of finished text: into memory that is used again, and into memory that is fresh."""

from __future__ import annotations

import ctypes
import mmap
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.native import library

# As large as the batches that plans stream here.
BLOCK = 2 << 20
# Source of a copy into recycled memory: as assembly reads its literals, it is read from cache.
SOURCE = 1 << 20


@cache
def _copying() -> ctypes.CDLL:
    made = library("copying")
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    made.copy_rows.argtypes = [pointer, pointer, number, number, pointer, number]
    made.copy_rows.restype = None
    return made


class RecycledCopy:
    """Copies texts of the same sizes, one by one, into 2 MiB that each thread uses again.

    Args:
        text: Finished texts; those of the first MiB are copied again and again, so that they come from cache.
        rows: Texts to copy in one call.
        threads: Threads that share them.
    """

    def __init__(self, text: pa.Array, *, rows: int, threads: int = 2) -> None:
        if pa.types.is_large_string(text.type):
            text = text.cast(pa.string())
        self._offsets = np.frombuffer(text.buffers()[1], np.int32)[text.offset : text.offset + len(text) + 1]
        self._text = text.buffers()[2]
        self._count = max(1, int(np.searchsorted(self._offsets - self._offsets[0], SOURCE)) - 1)
        self._rows = rows // threads
        self._blocks = [np.zeros(BLOCK, np.uint8) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads)
        # The first call compiles, which is not to be timed.
        _copying()

    def _share(self, block: npt.NDArray[np.uint8]) -> None:
        _copying().copy_rows(
            self._text.address, self._offsets.ctypes.data, self._count, self._rows, block.ctypes.data, BLOCK
        )

    def __call__(self) -> None:
        list(self._pool.map(self._share, self._blocks))


class FreshCopy:
    """Writes finished chunks into fresh memory with huge pages, and keeps it: memory that was just given back is at
    hand without being asked for from the system, and from its host.
    """

    def __init__(self, text: pa.ChunkedArray, *, threads: int = 2) -> None:
        self._sources = [
            np.frombuffer(chunk.buffers()[2], np.uint8) for chunk in text.chunks if chunk.buffers()[2]
        ]
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)
        self._kept: list[mmap.mmap] = []

    def __call__(self) -> None:
        for source in self._sources:
            # Python's own default is shared memory, which takes no advice about huge pages.
            fresh = mmap.mmap(-1, max(1, len(source)), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                fresh.madvise(mmap.MADV_HUGEPAGE)
            self._kept.append(fresh)
            target = np.frombuffer(fresh, np.uint8)
            edges = np.linspace(0, len(source), self._threads + 1).astype(int)
            list(
                self._pool.map(
                    lambda a, b, t=target, s=source: np.copyto(t[a:b], s[a:b]), edges[:-1], edges[1:]
                )
            )

"""A shelf: what a run keeps between two attempts, beside its output; each thing whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labfactory.factory.commit import load, publish, put, storage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt


@dataclass(frozen=True)
class Shelf:
    """A folder of records, and of arrays that they name.

    Args:
        folder: Of this run alone.
    """

    folder: Path

    @classmethod
    def of_run(cls, folder: Path, run: str) -> Shelf:
        """The shelf of one run; what other runs left in the folder is removed.

        Args:
            folder: Where runs keep things.
            run: The run's id.
        """
        with storage(folder):
            folder.mkdir(exist_ok=True)
            for left in folder.iterdir():
                if left.name != run:
                    shutil.rmtree(left)
            (folder / run).mkdir(exist_ok=True)
        return cls(folder / run)

    def record(self, name: str) -> dict[str, Any] | None:
        """What was put under a name; None when nothing was, or a file that it names is gone."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            return None
        found = load(path)
        file = found.get("file")
        if file is not None:
            target = self.folder.parent / file["name"]
            if not target.exists() or target.stat().st_size != file["size_bytes"]:
                return None
        return found

    def put(
        self, name: str, record: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> None:
        """Put a record, with a file of arrays if there are any.

        Raises:
            RunError: `disk_full`, `storage_failed`.
        """
        with storage(self.folder):
            made = dict(record)
            if arrays is not None:
                temporary = self.folder / f"{name}.npz"
                with temporary.open("wb") as stream:
                    np.savez(stream, allow_pickle=False, **arrays)
                made["file"] = publish(temporary, self.folder, name).to_dict()
            put(self.folder, f"{name}.json", made, self.folder / f"{name}.tmp")

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """The arrays that were put under a name."""
        found = self.record(name)
        assert found is not None, "arrays are put before they are read"
        with np.load(self.folder.parent / found["file"]["name"], allow_pickle=False) as file:
            return {array: file[array] for array in file.files}

    def mapped(
        self, name: str, shape: tuple[int, ...], kind: type[np.generic]
    ) -> np.memmap[tuple[int, ...], np.dtype[Any]]:
        """An array that lies in a file, to be written; it holds zeros."""
        with storage(self.folder):
            return np.lib.format.open_memmap(self.folder / f"{name}.npy", "w+", kind, shape)

    def reopened(self, name: str) -> npt.NDArray[Any]:
        """An array that `mapped` made, to be read."""
        found: npt.NDArray[Any] = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return found

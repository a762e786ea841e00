"""The workloads by name, and how many rows each takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks import assembly, dictionaries, filters, growth, one_row, product_mail, threads, whole_table
from benchmarks.figures import Figure


class Workload(NamedTuple):
    """What measures, and its share of the rows that are asked for: larger assets, fewer rows."""

    measure: Callable[[int, int], list[Figure]]
    share: float

    def figures(self, rows: int, repeats: int) -> list[Figure]:
        return self.measure(max(1, int(rows * self.share)), repeats)


WORKLOADS = {
    "sms": Workload(assembly.sms, 1.0),
    "email": Workload(assembly.email, 0.2),
    "products": Workload(product_mail.measure, 0.02),
    # Ten tables of 2.4 KB a row and as many copies are alive at the end: 4.8 GB of a million rows' share.
    "whole": Workload(whole_table.measure, 0.1),
    "filters": Workload(filters.measure, 1.0),
    "dictionary": Workload(dictionaries.measure, 1.0),
    "one": Workload(one_row.measure, 1.0),
    "threads": Workload(threads.measure, 1.0),
    "growth": Workload(growth.measure, 0.2),
}

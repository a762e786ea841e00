"""Limits: prices, shortlists and settlement of a million customers x 50 options with tight inventory.

python -m benchmarks.limits [customers]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from labfactory.selection import Limit, Option, price_limits

OPTIONS = 50
SAMPLE = 100_000


def main(customers: int) -> None:
    random = np.random.default_rng(0)
    values = random.random((customers, OPTIONS), np.float32)
    values *= random.gamma(2.0, 0.5, OPTIONS).astype(np.float32) * random.random((customers, 1), np.float32)
    values[random.random(values.shape, np.float32) < 0.1] = np.nan
    stock = random.dirichlet(np.full(OPTIONS, 3.0)) * customers * 0.5
    limits = {str(i): Limit(component=str(i), maximum=int(stock[i])) for i in range(OPTIONS)}
    options = [Option(component=str(i)) for i in range(OPTIONS)]
    began = time.perf_counter()
    priced = price_limits(values[:SAMPLE], limits, options, customers=customers)
    learned = time.perf_counter()
    shortlists = priced.shortlists(values, np.arange(customers, dtype=np.uint64))
    listed = time.perf_counter()
    allocation = priced.settle(shortlists)
    settled = time.perf_counter()
    over = max(allocation.used[name] - allocation.bounds[name] for name in allocation.bounds)
    print(f"{customers:,} customers x {OPTIONS} options, inventory for half of them")
    print(
        f"prices {learned - began:.1f} s, shortlists {listed - learned:.1f} s, settlement {settled - listed:.1f} s"
    )
    print(
        f"gap at most {100 * allocation.gap:.4f} %, {allocation.repaired:,} repaired, most used over a limit {over:g}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

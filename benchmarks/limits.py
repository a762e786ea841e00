"""Limits: prices, shortlists and settlement, with tight inventory, and HiGHS beside it.

python -m benchmarks.limits [customers]   prices from 100,000 of them, 50 options
python -m benchmarks.limits highs         10,000 customers x 50 options, tight and loose, beside HiGHS: minutes
"""

from __future__ import annotations

import sys
import time

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linprog

from labfactory.selection import Limit, Option, allocate, price_limits
from labfactory.selection.limits import bounds_of

OPTIONS = [Option(component=str(option)) for option in range(50)]
SAMPLE = 100_000


def instance(customers: int, tightness: float) -> tuple[npt.NDArray[np.float32], dict[str, Limit]]:
    """Values of customers of unlike interest, a tenth not allowed, inventory for a share of the customers."""
    random = np.random.default_rng(0)
    values = random.random((customers, len(OPTIONS)), np.float32)
    values *= random.gamma(2.0, 0.5, len(OPTIONS)).astype(np.float32) * random.random(
        (customers, 1), np.float32
    )
    values[random.random(values.shape, np.float32) < 0.1] = np.nan
    stock = random.dirichlet(np.full(len(OPTIONS), 3.0)) * customers * tightness
    return values, {
        option.component: Limit(component=option.component, maximum=int(amount))
        for option, amount in zip(OPTIONS, stock, strict=True)
    }


def at_scale(customers: int) -> None:
    values, limits = instance(customers, 0.5)
    began = time.perf_counter()
    priced = price_limits(values[:SAMPLE], limits, OPTIONS, customers=customers)
    learned = time.perf_counter()
    shortlists = priced.shortlists(values, np.arange(customers, dtype=np.uint64))
    listed = time.perf_counter()
    allocation = priced.settle(shortlists)
    settled = time.perf_counter()
    over = max(allocation.used[name] - allocation.bounds[name] for name in allocation.bounds)
    print(f"{customers:,} customers x {len(OPTIONS)} options, inventory for half of them")
    print(
        f"prices {learned - began:.1f} s, shortlists {listed - learned:.1f} s, settlement {settled - listed:.1f} s"
    )
    print(
        f"gap at most {100 * allocation.gap:.4f} %, {allocation.repaired:,} repaired, most used over a limit {over:g}"
    )


def beside_highs(customers: int, tightness: float) -> None:
    values, limits = instance(customers, tightness)
    allocation = allocate(values, limits)
    bounds = bounds_of(limits, OPTIONS)
    cells = np.argwhere(~np.isnan(values))
    columns = np.arange(len(cells))
    one_each = sparse.csr_matrix((np.ones(len(cells)), (cells[:, 0], columns)))
    each_limit = sparse.csr_matrix(np.array([bound.weights[cells[:, 1]] for bound in bounds]))
    began = time.perf_counter()
    found = linprog(
        -values[cells[:, 0], cells[:, 1]].astype(np.float64),
        A_ub=sparse.vstack([one_each, each_limit]).tocsr(),
        b_ub=np.concatenate([np.ones(customers), [bound.amount for bound in bounds]]),
        method="highs-ipm",
    )
    taken = time.perf_counter() - began
    print(f"{customers:,} customers x {len(OPTIONS)} options, inventory for {tightness:.0%} of them")
    print(
        f"value {allocation.value:.6f} <= HiGHS {-found.fun:.6f} ({taken:.0f} s) <= bound {allocation.bound:.6f}"
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["highs"]:
        for share in (0.4, 1.2):
            beside_highs(10_000, share)
    else:
        at_scale(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

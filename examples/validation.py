"""What the Lab's tests promise, counted: false positives under peeking, coverage, published figures.

    python examples/validation.py [--runs 20000] [--seed 1]

Each simulated experiment is looked at by a schedule and by every rule. A rule errs when any look is
significant though the arms are equal, or when an interval ever leaves out the true lift.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import labfactory as lf
from labfactory.lab.sequential import mixtures
from labfactory.lab.sequential.look import effective_units, steady_variances
from labfactory.lab.sequential.spending import (
    Spending,
    SpendingFunction,
    crossing_chance,
    spending_bounds,
    wang_tsiatis_bounds,
    wang_tsiatis_constant,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    # Sums and sums of squares of the outcomes of so many units, for a ratio of means.
    Draw = Callable[[np.random.Generator, NDArray[np.int64], float], tuple[Numbers, Numbers]]
    # Whether a rule says, at each look of each run, that the lift is not this one.
    Test = Callable[["Paths", float], NDArray[np.bool_]]

ALPHA = 0.05
UNITS = 20_000
# Units of both arms that have come at each look.
SCHEDULES = {
    "5 looks": np.arange(1, 6) * (UNITS // 5),
    "50 looks": np.arange(1, 51) * (UNITS // 50),
    "every 100 units": np.arange(1, UNITS // 100 + 1) * 100,
    "doubling": 100 * 2 ** np.arange(8),
    "early and late": np.array([200, 400, 600, 800, 1000, 10_000, 19_000, 19_500, 20_000]),
    "one in ten": np.arange(1, 51) * (UNITS // 50),
    "ramp": np.arange(1, 51) * (UNITS // 50),
}
# Planned share of the treatment where it is not a half; the ramp goes from one in a hundred to a half.
SHARES: dict[str, Any] = {"one in ten": 0.1, "ramp": np.where(np.arange(1, 51) <= 25, 0.01, 0.5)}
# Amounts of orders are capped here, so that the exact rule has a bound.
CAP = 150.0


@dataclass(frozen=True)
class Arm:
    """Counts, sums and sums of squares, runs by looks."""

    count: Numbers
    total: Numbers
    squares: Numbers

    @property
    def mean(self) -> Numbers:
        return self.total / np.maximum(self.count, 1)

    @property
    def variance(self) -> Numbers:
        squares = np.maximum(self.squares - self.count * self.mean**2, 0)
        return squares / np.maximum(self.count - 1, 1)


@dataclass(frozen=True)
class Paths:
    """Simulated experiments."""

    control: Arm
    treatment: Arm
    share: Any

    def z(self, lift: float, *, is_steadied: bool = True) -> Numbers:
        """The statistic of mean_T - (1 + lift) mean_C = 0; 0 where nothing varies."""
        control, treatment, ratio = self.control, self.treatment, 1 + lift
        counts = np.maximum(control.count, 1), np.maximum(treatment.count, 1)
        variances = control.variance, treatment.variance
        if is_steadied:
            variances = steady_variances(counts[0], variances[0], counts[1], variances[1])
        error = np.sqrt(variances[1] / counts[1] + ratio**2 * variances[0] / counts[0])
        is_known = (error > 0) & (control.count > 1) & (treatment.count > 1)
        return np.divide(
            treatment.mean - ratio * control.mean, error, out=np.zeros_like(error), where=is_known
        )

    @property
    def units(self) -> Numbers:
        """Effective units."""
        counts = np.maximum(self.control.count, 1), np.maximum(self.treatment.count, 1)
        return np.asarray(effective_units(*counts))


def conversions(rate: float) -> Draw:
    """Zeros and ones."""

    def draw(random: np.random.Generator, units: NDArray[np.int64], ratio: float) -> tuple[Numbers, Numbers]:
        counts = random.binomial(units, rate * ratio).astype(np.float64)
        return counts, counts

    return draw


def amounts(random: np.random.Generator, units: NDArray[np.int64], ratio: float) -> tuple[Numbers, Numbers]:
    """Orders by 2 percent of the units, of skewed amounts up to a cap; the lift is one of orders."""
    orders = random.binomial(units, 0.02 * ratio)
    spent = np.minimum(random.lognormal(3.0, 1.0, orders.sum()), CAP)
    cell = np.repeat(np.arange(orders.size), orders.ravel())
    sums = [np.bincount(cell, power, orders.size).reshape(orders.shape) for power in (spent, spent**2)]
    return sums[0], sums[1]


def normal(random: np.random.Generator, units: NDArray[np.int64], ratio: float) -> tuple[Numbers, Numbers]:
    """Normal outcomes of mean 1 and standard deviation 2."""
    means = ratio + 2 * random.standard_normal(units.shape) / np.sqrt(np.maximum(units, 1))
    spread = 4 * random.chisquare(np.maximum(units - 1, 1e-9))
    return units * means, units * means**2 + np.where(units > 1, spread, 0.0)


OUTCOMES: dict[str, Draw] = {
    "conversions .005": conversions(0.005),
    "conversions .1": conversions(0.1),
    "amounts": amounts,
    "normal": normal,
}


def simulate(
    draw: Draw, looks: NDArray[np.int64], *, runs: int, seed: int, lift: float = 0.0, share: Any = 0.5
) -> Paths:
    """Experiments whose units come by lot to the treatment with this share."""
    random = np.random.default_rng(seed)
    came = np.diff(looks, prepend=0)
    treated = random.binomial(came, share, (runs, len(looks)))
    arms = []
    for units, ratio in ((came - treated, 1.0), (treated, 1.0 + lift)):
        total, squares = draw(random, units, ratio)
        arms.append(Arm(*(np.cumsum(part, axis=1, dtype=np.float64) for part in (units, total, squares))))
    return Paths(arms[0], arms[1], share)


def peeking(paths: Paths, lift: float) -> NDArray[np.bool_]:
    """The fixed test at every look: what nobody should do."""
    return np.abs(paths.z(lift, is_steadied=False)) >= 1.959964


def unsteadied(paths: Paths, lift: float) -> NDArray[np.bool_]:
    """The confidence sequence with each arm's own variance, as it is usually computed."""
    z = paths.z(lift, is_steadied=False)
    return lf.AlwaysValid().log_p(z, paths.units, alpha=ALPHA) <= math.log(ALPHA)


def delta_method(paths: Paths, lift: float) -> NDArray[np.bool_]:
    """The confidence sequence of the lift by the delta method, as it is usually computed."""
    control, treatment = paths.control, paths.treatment
    before, after = (arm.variance / np.maximum(arm.count, 1) for arm in (control, treatment))
    ratio = np.divide(treatment.mean, control.mean, out=np.ones_like(before), where=control.mean > 0)
    error = np.sqrt(after + ratio**2 * before)
    z = np.divide((ratio - 1 - lift) * control.mean, error, out=np.zeros_like(error), where=error > 0)
    return lf.AlwaysValid().log_p(z, paths.units, alpha=ALPHA) <= math.log(ALPHA)


def always_valid(rule: lf.AlwaysValid) -> Test:
    return lambda paths, lift: rule.log_p(paths.z(lift), paths.units, alpha=ALPHA) <= math.log(ALPHA)


def group_sequential(spending: Spending, shape: float | None = None) -> Test:
    """Bounds for the units that are planned at each look."""

    def test(paths: Paths, lift: float) -> NDArray[np.bool_]:
        planned = tuple(paths.units.mean(axis=0).tolist())
        shares = tuple(came / planned[-1] for came in planned)
        bounds = spending_bounds(SpendingFunction(spending, shape), planned, shares, ALPHA, "two_sided")
        return np.abs(paths.z(lift)) >= np.array(bounds)

    return test


def beta_binomial(paths: Paths, lift: float) -> NDArray[np.bool_]:
    sums = paths.treatment.total, paths.control.total
    return lf.BetaBinomial().log_p(*sums, alpha=ALPHA, share=paths.share, lift=lift) <= math.log(ALPHA)


def betting(bound: float) -> Test:
    def test(paths: Paths, lift: float) -> NDArray[np.bool_]:
        sums = [
            part / bound**power
            for arm in (paths.treatment, paths.control)
            for power, part in ((1, arm.total), (2, arm.squares))
        ]
        log_p = lf.Betting(bound).log_p(*sums, alpha=ALPHA, share=paths.share, lift=lift)
        return log_p <= math.log(ALPHA)

    return test


# What errs more often than alpha, for comparison.
WRONG: dict[str, Test] = {"peeking": peeking, "unsteadied": unsteadied, "delta method": delta_method}
RULES: dict[str, Test] = {
    "always_valid 5000": always_valid(lf.AlwaysValid(5000)),
    "always_valid 10000": always_valid(lf.AlwaysValid(10_000)),
    "obrien_fleming": group_sequential("obrien_fleming"),
    "pocock": group_sequential("pocock"),
    "power 2": group_sequential("power", 2.0),
    "hwang_shih_decani -4": group_sequential("hwang_shih_decani", -4.0),
}
EXACT: dict[str, dict[str, Test]] = {
    "conversions .005": {"beta_binomial": beta_binomial, "betting": betting(1.0)},
    "conversions .1": {"beta_binomial": beta_binomial, "betting": betting(1.0)},
    "amounts": {"betting": betting(CAP)},
    "normal": {},
}


def errors(outcome: str, schedule: str, *, runs: int, seed: int, lift: float = 0.0) -> dict[str, float]:
    """The share of experiments in which a rule, at any look, says that the true lift is not it."""
    share = SHARES.get(schedule, 0.5)
    paths = simulate(OUTCOMES[outcome], SCHEDULES[schedule], runs=runs, seed=seed, lift=lift, share=share)
    # The exact rules rest on one planned share.
    exact = EXACT[outcome] if np.ndim(share) == 0 else {}
    rules = {**WRONG, **RULES, **exact}
    return {name: float(test(paths, lift).any(axis=1).mean()) for name, test in rules.items()}


def cost_of_always_validity(
    *, runs: int, seed: int, effect: float, units: int = 12_559, horizon: float
) -> tuple[float, float, float]:
    """Power of the fixed test and of a sequence read after every pair of units; its median stop."""
    random = np.random.default_rng(seed)
    pairs = np.arange(1, units // 2 + 1)
    critical = np.array(
        [math.sqrt(pair / 2) * lf.AlwaysValid(horizon).critical(2.0 * pair, alpha=ALPHA) for pair in pairs]
    )
    fixed, stops = 0, []
    for _ in range(runs):
        # Sums of differences of two units, in units of sqrt(2) standard deviations.
        path = np.cumsum(random.standard_normal(len(pairs)) + effect / math.sqrt(2))
        fixed += abs(path[-1]) >= 1.959964 * math.sqrt(len(pairs))
        is_out = np.abs(path) >= critical * math.sqrt(2)
        stops.append(2 * (int(is_out.argmax()) + 1) if is_out.any() else math.inf)
    return fixed / runs, float(np.isfinite(stops).mean()), float(np.median(stops))


def goldens() -> Iterator[tuple[str, float, float]]:
    """Published figures: what it is, as published, as computed here."""
    for looks, chance in (
        (1, 0.05),
        (2, 0.0831),
        (3, 0.1073),
        (4, 0.1262),
        (5, 0.1417),
        (10, 0.1934),
        (20, 0.2479),
        (50, 0.3204),
    ):
        yield f"peeking at 1.96, {looks} looks", chance, crossing_chance(range(1, looks + 1), [1.96] * looks)
    for looks, pocock, fleming in (
        (2, 2.178, 1.977),
        (3, 2.289, 2.004),
        (4, 2.361, 2.024),
        (5, 2.413, 2.040),
        (10, 2.555, 2.087),
    ):
        yield f"Pocock's constant, {looks} looks", pocock, wang_tsiatis_constant(looks)
        yield f"O'Brien and Fleming's constant, {looks} looks", fleming, wang_tsiatis_constant(looks, shape=0)
    fifth = wang_tsiatis_bounds(5, constant=wang_tsiatis_constant(5, shape=0), shape=0)
    for look, (published, bound) in enumerate(zip((4.56, 3.23, 2.63, 2.28, 2.04), fifth, strict=True), 1):
        yield f"O'Brien and Fleming, bound {look} of 5", published, bound
    bounds = lf.GroupSequential(spending="power", shape=2).bounds(alpha=ALPHA)
    for look, (published, bound) in enumerate(
        zip((3.0902, 2.7141, 2.4727, 2.2798, 2.1140), bounds, strict=True), 1
    ):
        yield f"alpha t^2, bound {look} of 5", published, bound
    two, one = mixtures.best_rho(100, ALPHA), mixtures.best_rho(100, ALPHA, is_one_sided=True)
    yield "confseq best_rho", 12.60056, two
    yield (
        "confseq normal mixture at 10, 100",
        -0.6510052,
        float(mixtures.log_normal_mixture(10.0, 100.0, two)),
    )
    for name, published, mixture in (
        ("normal", 30.35209, lambda s: mixtures.log_normal_mixture(s, 100.0, two)),
        ("one-sided normal", 27.66071, lambda s: mixtures.log_one_sided_normal_mixture(s, 100.0, one)),
        ("gamma-exponential", 33.02017, lambda s: mixtures.log_gamma_exponential_mixture(s, 100.0, one, 2)),
        ("gamma-Poisson", 30.1949, lambda s: mixtures.log_gamma_poisson_mixture(s, 100.0, one, 2)),
        (
            "beta-binomial",
            31.4308,
            lambda s: mixtures.log_beta_binomial_mixture(s, 100.0, two, below=0.2, above=0.8),
        ),
    ):
        yield f"confseq {name} bound", published, mixtures.mixture_bound(mixture, ALPHA, largest=120.0)
    yield (
        "confseq poly-stitching bound",
        64.48755,
        mixtures.poly_stitching_bound(100, ALPHA, v_min=10, scale=3),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every table; exit 1 when a rule errs more often than alpha by four standard errors."""
    parser = argparse.ArgumentParser(description="Count what the Lab's tests promise.")
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    print("published figures")
    for name, published, computed in goldens():
        print(f"  {name:<40} {published:>10.5g} {computed:>12.6f}")
    worst = 0.0
    for lift, title in ((0.0, "false positives"), (0.3, "intervals that ever leave out a true lift of 0.3")):
        for outcome in OUTCOMES:
            print(f"\n{title}, {outcome}: share of {options.runs:,} runs, alpha {ALPHA}")
            for schedule in SCHEDULES:
                found = errors(outcome, schedule, runs=options.runs, seed=options.seed, lift=lift)
                print(
                    f"  {schedule:<16} " + "  ".join(f"{name} {share:.4f}" for name, share in found.items())
                )
                worst = max(worst, *(share for name, share in found.items() if name not in WRONG))
    print(
        "\ncost of always-validity: power at one look, power of the sequence, its median stop; 12,559 units"
    )
    for effect in (0.05, 0.08):
        fixed, found_share, stop = cost_of_always_validity(
            runs=options.runs, seed=options.seed, effect=effect, horizon=10_000
        )
        print(f"  effect {effect}: {fixed:.3f} {found_share:.3f} {stop:,.0f}")
    limit = ALPHA + 4 * math.sqrt(ALPHA * (1 - ALPHA) / options.runs)
    print(f"\nthe worst rule errs in {worst:.4f}, within {limit:.4f}: {worst <= limit}")
    return 0 if worst <= limit else 1


if __name__ == "__main__":
    sys.exit(main())

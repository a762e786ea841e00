"""Keys a second on one core: `python -m benchmarks.assignment [--rows N] [--repeats N]`.

Keys of 22 bytes in one Arrow string array; buckets, and arms of two equal weights. Seconds are those of the
processor, so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import statistics
import time

import pyarrow as pa

from labfactory.assignment import (
    Bucketing,
    GrowthBook,
    LaunchDarkly,
    Native,
    Optimizely,
    PlanOut,
    Statsig,
    Unleash,
)

STANDARDS: dict[str, Bucketing] = {
    "labfactory": Native("welcome-tone", seed=7),
    "growthbook_v1": GrowthBook("welcome-tone", version=1),
    "growthbook_v2": GrowthBook("welcome-tone", version=2),
    "optimizely": Optimizely("1886780721"),
    "unleash": Unleash("welcome-tone"),
    "launchdarkly": LaunchDarkly("welcome-tone", salt="salt"),
    "planout": PlanOut("welcome-tone", "variant"),
    "statsig": Statsig("config.rule"),
}


def nanoseconds(one: Bucketing, what: str, keys: pa.Array) -> float:
    """Processor time of a key."""
    started = time.process_time()
    if what == "buckets":
        one.buckets(keys)
    else:
        one.arms(keys, weights=[0.5, 0.5])
    return 1e9 * (time.process_time() - started) / len(keys)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.assignment")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    keys = pa.array([f"customer-{number:013d}" for number in range(options.rows)])
    for what in ("buckets", "arms"):
        print(f"\n{what} of {options.rows:,} keys of 22 bytes, one core\n")
        print("| standard | ns a key: median (lowest–highest) | million keys a second |\n|---|--:|--:|")
        for name, one in STANDARDS.items():
            nanoseconds(one, what, keys)
            found = [nanoseconds(one, what, keys) for _ in range(options.repeats)]
            middle = statistics.median(found)
            print(f"| {name} | {middle:.1f} ({min(found):.1f}–{max(found):.1f}) | {1e3 / middle:.0f} |")


if __name__ == "__main__":
    main()

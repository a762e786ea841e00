"""Runs in the virtual environment of a peer: comparisons in as JSON, figures and seconds out as JSON.

    python peer.py gbstats|spotify < comparisons.json > figures.json

Comparisons: `proportions` [[n, events, n, events] …], `means` [[n, sum, sum of squares, n, sum, sum of squares]
…], `adjusted` [[n, sum, squares, sum of covariate, its squares, sum of products] of both arms …], `ratios` [users …].
"""

from __future__ import annotations

import json
import sys
import time


def run_gbstats(asked: dict) -> dict:
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
    from gbstats.models.statistics import (
        ProportionStatistic,
        RegressionAdjustedStatistic,
        SampleMeanStatistic,
    )
    from gbstats.utils import check_srm

    config = FrequentistConfig(difference_type="absolute")

    def compared(control: object, treatment: object) -> list[float]:
        found = TwoSidedTTest(control, treatment, config).compute_result()
        return [found.expected, *found.ci, found.p_value]

    def adjusted(arms: list[list[float]]) -> list[float]:
        pair = [
            RegressionAdjustedStatistic(
                n=int(n),
                post_statistic=SampleMeanStatistic(n=int(n), sum=y, sum_squares=yy),
                pre_statistic=SampleMeanStatistic(n=int(n), sum=x, sum_squares=xx),
                post_pre_sum_of_products=xy,
                theta=0.0,
            )
            for n, y, yy, x, xx, xy in arms
        ]
        theta = _theta(pair)
        for each in pair:
            each.theta = theta
        return compared(*pair)

    started = time.perf_counter()
    figures = {
        "proportions": [
            compared(ProportionStatistic(n=a, sum=x), ProportionStatistic(n=b, sum=y))
            for a, x, b, y in asked.get("proportions", [])
        ],
        "ratios": [float(check_srm(users, [1.0] * len(users))) for users in asked.get("ratios", [])],
    }
    seconds = time.perf_counter() - started
    figures["means"] = [
        compared(
            SampleMeanStatistic(n=a, sum=x, sum_squares=xx), SampleMeanStatistic(n=b, sum=y, sum_squares=yy)
        )
        for a, x, xx, b, y, yy in asked.get("means", [])
    ]
    figures["adjusted"] = [adjusted(arms) for arms in asked.get("adjusted", [])]
    return {"seconds": seconds, **figures}


def _theta(pair: list) -> float:
    from gbstats.models.statistics import compute_theta

    return compute_theta(*pair)


def run_spotify(asked: dict) -> dict:
    import pandas as pd
    from spotify_confidence import StudentsTTest

    figures = []
    for a, x, xx, b, y, yy in asked.get("means", []):
        frame = pd.DataFrame({"arm": ["c", "t"], "sum": [x, y], "squares": [xx, yy], "n": [a, b]})
        test = StudentsTTest(
            frame, "sum", "squares", "n", categorical_group_columns="arm", interval_size=0.95
        )
        row = test.difference("c", "t").iloc[0]
        figures.append([float(row[name]) for name in ("difference", "ci_lower", "ci_upper", "p-value")])
    return {"means": figures}


if __name__ == "__main__":
    run = {"gbstats": run_gbstats, "spotify": run_spotify}[sys.argv[1]]
    json.dump(run(json.load(sys.stdin)), sys.stdout)

"""The peers' side of `benchmarks.selection_peers`: nanoseconds a decision, as one line of JSON.

Runs by itself in a Python that has `mabwiser` and `vowpalwabbit`.
"""

from __future__ import annotations

import json
import time

import numpy as np
import vowpalwabbit
from mabwiser.mab import MAB, LearningPolicy

ARMS, FEATURES, TAUGHT, ASKED = 100, 32, 2_000, 1_000


def by_mabwiser(policy: object, taught: np.ndarray, rewards: np.ndarray, asked: np.ndarray) -> float:
    bandit = MAB(list(range(ARMS)), policy, seed=1, n_jobs=1)
    bandit.fit(np.arange(TAUGHT) % ARMS, rewards, taught)
    started = time.process_time()
    bandit.predict(asked)
    return 1e9 * (time.process_time() - started) / len(asked)


def by_vowpal_wabbit(taught: np.ndarray, rewards: np.ndarray, asked: np.ndarray) -> float:
    bandit = vowpalwabbit.Workspace("--cb_explore_adf --epsilon 0.1 -q UA --quiet")
    arms = [f"|A arm={number}" for number in range(ARMS)]

    def lines(row: np.ndarray) -> list[str]:
        return ["shared |U " + " ".join(f"f{place}:{value:.6f}" for place, value in enumerate(row)), *arms]

    for number, (row, reward) in enumerate(zip(taught[:200], rewards, strict=False)):
        example = lines(row)
        example[1 + number % ARMS] = f"0:{-reward:.3f}:0.01 {arms[number % ARMS]}"
        bandit.learn(example)
    # Parsed before: text is no part of a decision.
    questions = [bandit.parse(lines(row)) for row in asked]
    started = time.process_time()
    for question in questions:
        bandit.predict(question)
    return 1e9 * (time.process_time() - started) / len(asked)


def main() -> None:
    random = np.random.default_rng(0)
    taught, asked = random.standard_normal((TAUGHT, FEATURES)), random.standard_normal((ASKED, FEATURES))
    rewards = random.random(TAUGHT)
    policies = {
        "MABWiser LinTS": LearningPolicy.LinTS(alpha=1.0),
        "MABWiser LinUCB": LearningPolicy.LinUCB(alpha=1.0),
        "MABWiser LinGreedy": LearningPolicy.LinGreedy(epsilon=0.1),
    }
    told = {name: by_mabwiser(policy, taught, rewards, asked) for name, policy in policies.items()}
    told["Vowpal Wabbit cb_explore_adf"] = by_vowpal_wabbit(taught, rewards, asked[:300])
    print(json.dumps(told))


if __name__ == "__main__":
    main()

"""The peers' side of `benchmarks.selection_peers`: nanoseconds a decision, as one line of JSON.

Runs by itself in a Python that has `mabwiser` and `vowpalwabbit`. With a path it writes there what MABWiser learned
of each arm, and what it expects of customers, instead.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import vowpalwabbit
from mabwiser.mab import MAB, LearningPolicy

ARMS, FEATURES, ASKED = 100, 32, 1_000
TAUGHT = (20, 200)  # rewards of each arm
POLICIES = {
    "MABWiser LinTS": LearningPolicy.LinTS(alpha=1.0),
    "MABWiser LinUCB": LearningPolicy.LinUCB(alpha=1.0),
    "MABWiser LinGreedy": LearningPolicy.LinGreedy(epsilon=0.0),
}


def lesson(taught: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arms, contexts and rewards: a tenth of what features weigh, and noise of variance 1, which LinTS assumes."""
    random = np.random.default_rng(0)
    weights = 0.1 * random.standard_normal((ARMS, FEATURES))
    arms, contexts = np.arange(ARMS * taught) % ARMS, random.standard_normal((ARMS * taught, FEATURES))
    return arms, contexts, (contexts * weights[arms]).sum(axis=1) + random.standard_normal(len(arms))


def questions() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((ASKED, FEATURES))


def bandit(policy: object, taught: int) -> MAB:
    arms, contexts, rewards = lesson(taught)
    made = MAB(list(range(ARMS)), policy, seed=1, n_jobs=1)
    made.fit(arms, rewards, contexts)
    return made


def by_mabwiser(policy: object, asked: np.ndarray) -> float:
    made = bandit(policy, TAUGHT[0])
    started = time.process_time()
    made.predict(asked)
    return 1e9 * (time.process_time() - started) / len(asked)


def by_vowpal_wabbit(asked: np.ndarray) -> float:
    _, contexts, rewards = lesson(2)
    made = vowpalwabbit.Workspace("--cb_explore_adf --epsilon 0.1 -q UA --quiet")
    arms = [f"|A arm={number}" for number in range(ARMS)]

    def lines(row: np.ndarray) -> list[str]:
        return ["shared |U " + " ".join(f"f{place}:{value:.6f}" for place, value in enumerate(row)), *arms]

    for number, (row, reward) in enumerate(zip(contexts, rewards, strict=True)):
        example = lines(row)
        example[1 + number % ARMS] = f"0:{-reward:.3f}:0.01 {arms[number % ARMS]}"
        made.learn(example)
    # Parsed before: text is no part of a decision.
    parsed = [made.parse(lines(row)) for row in asked]
    started = time.process_time()
    for question in parsed:
        made.predict(question)
    return 1e9 * (time.process_time() - started) / len(asked)


def write_learned(path: str) -> None:
    arrays = {"asked": questions()}
    for taught in TAUGHT:
        for name in ("MABWiser LinUCB", "MABWiser LinGreedy"):
            made = bandit(POLICIES[name], taught)
            expected = made.predict_expectations(questions())
            arrays[f"{name} {taught}"] = np.array([[row[arm] for arm in range(ARMS)] for row in expected])
        models = [made._imp.arm_to_model[arm] for arm in range(ARMS)]
        arrays[f"weights {taught}"] = np.stack([model.beta for model in models])
        arrays[f"covariances {taught}"] = np.stack([model.A_inv for model in models])
    np.savez(path, **arrays)


def main() -> None:
    if len(sys.argv) > 1:
        write_learned(sys.argv[1])
        return
    asked = questions()
    told = {name: by_mabwiser(policy, asked) for name, policy in POLICIES.items()}
    told["Vowpal Wabbit cb_explore_adf"] = by_vowpal_wabbit(asked[:300])
    print(json.dumps(told))


if __name__ == "__main__":
    main()

"""Regret of every exploration mode where the best policy is known: `python -m benchmarks.exploration [--seeds N]`.

Ten components, five features, rewards linear in the features with a normal error. After each round of customers the
weights and their uncertainty are those of Bayesian regression on what was chosen and what it brought. Regret is what
the best component of each customer would have brought more, in true means, summed from the first round on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labfactory.selection import Exploration, SelectionPolicy, Selector, SlotPolicy

COMPONENTS, FEATURES, NOISE, PRIOR = 10, 5, 0.5, 1.0
Numbers = npt.NDArray[np.float64]

MODES = {
    "greedy": Exploration(),
    "epsilon 0.1": Exploration(mode="epsilon", epsilon=0.1),
    "softmax 0.1": Exploration(mode="softmax", temperature=0.1),
    "squarecb 100": Exploration(mode="squarecb", gamma=100.0),
    "ucb 1": Exploration(mode="ucb", width=1.0),
    "thompson": Exploration(mode="thompson"),
    "uniform": Exploration(mode="uniform"),
}


@dataclass(frozen=True)
class Named:
    """A component without a condition."""

    name: str
    eligible: None = None


@dataclass
class Posterior:
    """Bayesian linear regression of each component's reward."""

    precision: Numbers
    moment: Numbers

    @classmethod
    def prior(cls) -> Posterior:
        eye = np.eye(FEATURES) / PRIOR**2
        return cls(np.repeat(eye[None], COMPONENTS, axis=0), np.zeros((COMPONENTS, FEATURES)))

    def learn(self, features: Numbers, chosen: npt.NDArray[np.int64], rewards: Numbers) -> None:
        for component in range(COMPONENTS):
            own = features[chosen == component]
            self.precision[component] += own.T @ own / NOISE**2
            self.moment[component] += own.T @ rewards[chosen == component] / NOISE**2

    def slot(self, exploration: Exploration) -> SlotPolicy:
        covariance = np.linalg.inv(self.precision)
        return SlotPolicy.build(
            components=[f"c{number}" for number in range(COMPONENTS)],
            features={f"x{number}": f"x{number}" for number in range(FEATURES)},
            weights=np.einsum("cij,cj->ci", covariance, self.moment),
            uncertainty=np.linalg.cholesky(covariance).transpose(0, 2, 1),
            exploration=exploration,
        )


def bound(slot: SlotPolicy, schema: pa.Schema, number: int) -> Selector:
    blocks = [Named(name) for name in slot.components]
    return SelectionPolicy.build(str(number), hero=slot).bind({"hero": blocks}, schema)


def regrets(exploration: Exploration, *, seed: int, rounds: int, customers: int) -> Numbers:
    """Cumulative regret a customer of a round, after each round."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=(COMPONENTS, FEATURES))
    posterior = Posterior.prior()
    lost = np.zeros(rounds)
    for number in range(rounds):
        features = random.normal(size=(customers, FEATURES))
        batch = pa.record_batch({f"x{at}": features[:, at] for at in range(FEATURES)})
        keys = pa.array(np.arange(customers) + number * customers)
        selector = bound(posterior.slot(exploration), batch.schema, number)
        decided = selector.decide(batch, keys=keys, seed=seed, threads=2).column("hero")
        chosen = np.array(decided.field("index"))
        means = features @ truth.T
        gained = means[np.arange(customers), chosen]
        lost[number] = (means.max(axis=1) - gained).mean()
        posterior.learn(features, chosen, gained + NOISE * random.normal(size=customers))
    return lost.cumsum()


def curves(*, seeds: int, rounds: int, customers: int) -> dict[str, Numbers]:
    """For each mode the mean curve over the seeds."""
    return {
        name: np.mean(
            [regrets(mode, seed=seed, rounds=rounds, customers=customers) for seed in range(seeds)], axis=0
        )
        for name, mode in MODES.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exploration")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--customers", type=int, default=20)
    options = parser.parse_args()
    found = curves(seeds=options.seeds, rounds=options.rounds, customers=options.customers)
    marks = [number for number in (1, 5, 20, 50, 100) if number <= options.rounds]
    print(
        f"mean of {options.seeds} worlds, {options.customers} customers a round, regret a customer, summed\n"
    )
    print("| mode | " + " | ".join(f"{mark} rounds" for mark in marks) + " |")
    print("|---|" + "--:|" * len(marks))
    for name, curve in found.items():
        print(f"| {name} | " + " | ".join(f"{curve[mark - 1]:.2f}" for mark in marks) + " |")


if __name__ == "__main__":
    main()

"""Bucketings by name, for experiments whose name is all that a standard needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labfactory.assignment.bucketing import Native
from labfactory.assignment.growthbook import GrowthBook
from labfactory.assignment.launchdarkly import LaunchDarkly
from labfactory.assignment.optimizely import Optimizely
from labfactory.assignment.planout import PlanOut
from labfactory.assignment.statsig import Statsig
from labfactory.assignment.unleash import Unleash
from labfactory.base.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from labfactory.assignment.bucketing import Bucketing

_SALTED_BY_NAME: Final[dict[str, Callable[[str], Bucketing]]] = {
    "growthbook_v1": lambda experiment: GrowthBook(experiment, version=1),
    "growthbook_v2": lambda experiment: GrowthBook(experiment, version=2),
    "optimizely": Optimizely,
    "planout": lambda experiment: PlanOut(experiment, "variant"),
    "statsig": Statsig,
    "unleash": Unleash,
}

STANDARDS: Final = ("labfactory", "launchdarkly", *_SALTED_BY_NAME)


def bucketing_named(name: str, *, experiment: str, seed: int | None = None) -> Bucketing:
    """The bucketing of a standard, salted with the name of the experiment.

    Args:
        name: One of `STANDARDS`.
        experiment: The experiment's key or id on that platform; the group of Unleash, the flag of
            LaunchDarkly, the salt of Statsig; of PlanOut the experiment whose parameter is `variant`.
        seed: Needed by `labfactory`, and by `launchdarkly`, whose flags have a salt otherwise. The others
            have none.

    Returns:
        The bucketing.

    Raises:
        UsageError: `bucketing`, for an unknown name; `seed`, when one is missing, or given without a use.

    Example:
        >>> bucketing_named("growthbook_v2", experiment="tone")
        GrowthBook(seed='tone', version=2, namespace=None, filters=())
    """
    if name in ("labfactory", "launchdarkly"):
        if seed is None:
            message = f"expected a seed for the hash {name!r}, found none"
            raise UsageError(message, code="seed", hint=_SEED_HINTS[name])
        return Native(experiment, seed) if name == "labfactory" else LaunchDarkly(experiment, seed=seed)
    if name not in _SALTED_BY_NAME:
        message = f"expected a hash of {', '.join(STANDARDS)}, found {name!r}"
        raise UsageError(message, code="bucketing", hint=nearest(name, STANDARDS))
    if seed is not None:
        message = f"expected no seed with the hash {name!r}, found {seed}"
        raise UsageError(message, code="seed", hint="the experiment's name is its salt")
    return _SALTED_BY_NAME[name](experiment)


_SEED_HINTS: Final = {
    "labfactory": "write down any number: the same seed repeats the same assignment",
    "launchdarkly": "of a flag without a seed pass hash=LaunchDarkly(flag, salt=...)",
}

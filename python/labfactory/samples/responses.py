"""Simulated responses of an experiment, drawn around true effects that the evaluation should find again."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.base.columns import cast_values
from labfactory.base.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a customer of a variant does on average.

    Args:
        opened: Probability of opening the mail.
        orders: Mean number of orders in the weeks after it.
        basket: Mean value of an order in euros.
        opted_out: Probability of opting out.
    """

    opened: float
    orders: float
    basket: float
    opted_out: float


# Warm is better. Bold is opened most, sells no more than warm, and drives people away.
TRUE_EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "welcome/plain": Effect(opened=0.212, orders=0.104, basket=46.0, opted_out=0.0075),
        "welcome/warm": Effect(opened=0.241, orders=0.135, basket=46.5, opted_out=0.0072),
        "welcome/bold": Effect(opened=0.268, orders=0.121, basket=45.0, opted_out=0.0139),
    }
)
# Some customers order often and most never do: a gamma of this shape spreads the rate, so that the variance
# of orders is about twice their mean.
_ORDER_SHAPE = 0.12
_BASKET_SIGMA = 0.6


def responses(
    assigned: pa.Table,
    *,
    seed: int,
    variant: str = "variant",
    effects: Mapping[str, Effect] = TRUE_EFFECTS,
) -> pa.Table:
    """What assigned customers did, by the true effect of their variant.

    Args:
        assigned: A row per customer; the variant column names its arm, and no row has none.
        seed: Any integer from 0.
        variant: The name of the variant column, of text or dictionary of text.
        effects: The true effect of each arm.

    Returns:
        The table with four columns more: opened (bool), orders (int32), spend (float64, in euros) and
        opted_out (bool).

    Raises:
        UsageError: `unknown_variant`, when an arm has no effect.

    Example:
        >>> assigned = pa.table({"customer_id": ["c1"], "variant": ["welcome/warm"]})
        >>> responses(assigned, seed=7).column_names
        ['customer_id', 'variant', 'opened', 'orders', 'spend', 'opted_out']
    """
    arms = pc.dictionary_encode(cast_values(assigned[variant], pa.string())).combine_chunks()
    names = arms.dictionary.to_pylist()
    for name in names:
        if name not in effects:
            message = f"unknown variant {name!r} in column {variant!r}"
            raise UsageError(message, code="unknown_variant", hint=nearest(str(name), effects))
    arm = arms.indices.to_numpy(zero_copy_only=False)
    rows = len(arm)
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, 0x7265_7370])))

    def each(attribute: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        by_arm = np.array([getattr(effects[name], attribute) for name in names], np.float64)
        return by_arm[arm] if names else np.empty(0)

    orders = rng.poisson(each("orders") * rng.gamma(_ORDER_SHAPE, 1 / _ORDER_SHAPE, rows))
    # The mean of a log-normal is exp(mu + sigma²/2).
    basket = each("basket") * np.exp(_BASKET_SIGMA * rng.standard_normal(rows) - _BASKET_SIGMA**2 / 2)
    columns = {
        "opened": pa.array(rng.random(rows) < each("opened")),
        "orders": pa.array(orders.astype(np.int32)),
        "spend": pa.array(np.round(orders * basket, 2)),
        "opted_out": pa.array(rng.random(rows) < each("opted_out")),
    }
    for name, values in columns.items():
        assigned = assigned.append_column(name, values)
    return assigned

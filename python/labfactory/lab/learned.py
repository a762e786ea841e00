"""Evidence about a learned draft: what its choices would have brought on decisions it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base as core_base
from labfactory.base.columns import plain_table
from labfactory.base.errors import SelectionError
from labfactory.base.sources import batches
from labfactory.lab.off_policy import LoggedDecisions, TargetPolicy, evaluate_policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from labfactory.compiler import Functions
    from labfactory.lab.off_policy import OffPolicyEvaluation
    from labfactory.selection import Learned, Selector
    from labfactory.selection.bound_slot import Bindable


def evaluate_learned(
    learned: Learned,
    customers: Any,
    components: Mapping[str, Sequence[Bindable]],
    *,
    slot: str | None = None,
    key: str = "key",
    draws: int = 50,
    constants: Mapping[str, object] | None = None,
    functions: Functions | None = None,
    **options: Any,
) -> OffPolicyEvaluation:
    """Compare a draft with the version that it was learned from, on the decisions kept out of learning.

    How probable a policy's choice is, is counted over draws with different seeds: an estimate without bias,
    whatever the exploration, so weighted means stay without bias too.

    Args:
        learned: What `SelectionPolicy.learn` made.
        customers: The customers, as they were when decided, with `key`.
        components: For each slot its components, as `SelectionPolicy.bind` takes them.
        slot: Which slot; may be left out when there is one.
        key: Column of the customers' key.
        draws: How many seeds.
        constants: Values that names in expressions stand for.
        functions: What expressions may call.
        options: Of `evaluate_policy`.

    Returns:
        The draft's value, the current version's, and their difference: `gain("ips")` and so on.

    Raises:
        SelectionError: `learning` when no slot is named and there are several.
        StatisticsError: As `evaluate_policy`, above all `no_support`.
    """
    name = _slot(learned, slot)
    rows = learned.judged_by.filter(learned.judged_by["slot"].cast(str) == name)
    table = plain_table(pa.Table.from_batches(list(batches(customers))))
    place = pc.index_in(_hashes(rows["key"].to_arrow()), _hashes(table.column(key)))
    if place.null_count:
        message = (
            f"expected every customer of {rows.height} decisions, found none for {place.null_count} of them"
        )
        raise SelectionError(message, code="learning", hint="customers=... as they were when decided")
    people = table.take(place).combine_chunks()
    log = LoggedDecisions.of(
        rows, action="component", reward="reward", propensity="propensity", customer="key"
    )
    logged = rows["component"].cast(str).to_list()
    targets = [
        TargetPolicy.by_row(
            _chances(
                policy.bind(components, people.schema, constants, functions), name, logged, people, key, draws
            ),
            name=label,
        )
        for policy, label in ((learned.policy, "draft"), (learned.current, "current"))
    ]
    return evaluate_policy(log, targets[0], baseline=targets[1], **options)


def _slot(learned: Learned, slot: str | None) -> str:
    names = list(learned.policy.slots)
    if slot is None and len(names) > 1:
        message = f"expected one of {len(names)} slots to be named, found none"
        raise SelectionError(message, code="learning", hint=f"slot=... one of {', '.join(names)}")
    return slot or names[0]


def _chances(
    selector: Selector, slot: str, logged: list[str], people: pa.Table, key: str, draws: int
) -> npt.NDArray[np.float64]:
    """In which share of draws a policy chooses what was logged."""
    batch = people.to_batches()[0] if people.num_rows else people.schema.empty_table().to_batches()
    agrees = np.zeros(people.num_rows)
    wanted = np.array(logged, object)
    for seed in range(draws):
        decided = selector.decide(batch, keys=people.column(key).combine_chunks(), seed=seed)
        chosen = decided.column(slot).field("component").cast(pa.string())
        agrees += np.array(chosen.to_pylist(), object) == wanted
    return agrees / draws


def _hashes(keys: Any) -> pa.Array:
    values = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    return pa.array(core_base.hash_keys(values))

"""Who may get what: conditions together, failing closed."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory.base.errors import CompileError, SelectionError
from labfactory.selection import EligibilityRule, Exploration, SelectionPolicy, SlotPolicy

NAMES = ("a", "b", "c")
CONDITIONS = (
    "age > 30",
    "opted_in",
    "country == 'DE'",
    "age % 2 == 0",
    "1 // age > 0",
    "country in ['FR', 'US']",
)


class Block:
    def __init__(self, name: str, eligible: str | None = None) -> None:
        self.name, self.eligible = name, eligible


CUSTOMERS = pa.record_batch(
    {
        "age": [20, 31, 32, 0, None, 50] * 20,
        "opted_in": [True, None, True, False, True, True] * 20,
        "country": ["DE", "FR", None, "DE", "US", "DE"] * 20,
    }
)
KEYS = pa.array(range(len(CUSTOMERS)))


def possible_sets(rules: list[EligibilityRule]) -> list[set[str]]:
    """The components that each customer may get, found by asking for one component at a time."""
    found: list[set[str]] = [set() for _ in range(len(CUSTOMERS))]
    for name in NAMES:
        slot = SlotPolicy(components=(name,), eligible=tuple(r for r in rules if r.component in (None, name)))
        bound = SelectionPolicy.build("1", hero=slot).bind(
            {"hero": [Block(n) for n in NAMES]}, CUSTOMERS.schema
        )
        for row, given_name in enumerate(
            bound.decide(CUSTOMERS, keys=KEYS, seed=1).column("hero").field("component").to_pylist()
        ):
            found[row] |= {given_name} - {None}
    return found


rules = st.lists(
    st.builds(EligibilityRule, when=st.sampled_from(CONDITIONS), component=st.sampled_from([None, *NAMES])),
    max_size=3,
)


@given(rules=rules, added=rules.filter(bool))
def test_a_rule_added_never_widens_the_set(rules, added):
    before, after = possible_sets(rules), possible_sets([*rules, *added])
    assert all(new <= old for old, new in zip(before, after, strict=True))


@given(rules=rules, seed=st.integers(0, 2**32))
def test_exploration_stays_inside_the_eligible_set(rules, seed):
    slot = SlotPolicy(eligible=tuple(rules), exploration=Exploration(mode="uniform"))
    bound = SelectionPolicy.build("1", hero=slot).bind({"hero": [Block(n) for n in NAMES]}, CUSTOMERS.schema)
    decided = bound.decide(CUSTOMERS, keys=KEYS, seed=seed).column("hero").to_pylist()
    for choice, possible in zip(decided, possible_sets(rules), strict=True):
        assert choice["component"] in possible if possible else choice["reason"] == "no_candidate"
        assert choice["propensity"] == (1 / len(possible) if possible else None)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("opted_in", [True, False, True, False, True, True]),  # a null is a no
        ("opted_in == true", [True, False, True, False, True, True]),
        ("10 // age > 0", [False, False, False, False, False, False]),
        ("100 // age >= 1", [True, True, True, False, False, True]),  # a division by 0 and a null
    ],
)
def test_what_is_unknown_or_fails_is_not_eligible(condition, expected):
    bound = SelectionPolicy.build("1", hero=SlotPolicy()).bind(
        {"hero": [Block("a", condition)]}, CUSTOMERS.schema
    )
    batch = CUSTOMERS.slice(0, 6)
    decided = bound.decide(batch, keys=KEYS.slice(0, 6), seed=1).column("hero").field("component").to_pylist()
    assert [name == "a" for name in decided] == expected


def test_a_condition_that_is_not_boolean_is_refused_where_it_stands():
    policy = SelectionPolicy.from_files(
        {"selection.toml": b'version = "1"\n[slots.hero]\neligible = ["opted_in", "age + 1"]\n'}
    )
    with pytest.raises(
        SelectionError, match="expected a condition that is true or false, found integer"
    ) as raised:
        policy.bind({"hero": [Block("a")]}, CUSTOMERS.schema)
    assert raised.value.code == "condition_type"
    assert (raised.value.line, raised.value.column, raised.value.width) == (3, 26, 7)
    with pytest.raises(SelectionError, match="found integer") as own:
        SelectionPolicy.build("1", hero=SlotPolicy()).bind({"hero": [Block("a", "age")]}, CUSTOMERS.schema)
    assert own.value.template == "hero/a: eligible"


def test_an_unknown_column_is_refused_where_it_stands():
    text = b'version = "1"\n\n[slots.hero]\neligible = [\n  { when = "opted_in and contry == 1" },\n]\n'
    policy = SelectionPolicy.from_files({"selection.toml": text})
    with pytest.raises(CompileError) as raised:
        policy.bind({"hero": [Block("a")]}, CUSTOMERS.schema)
    assert (raised.value.template, raised.value.line, raised.value.column) == ("selection.toml", 5, 26)
    assert "country" in str(raised.value.hint)
    with pytest.raises(CompileError) as own:
        SelectionPolicy.build("1", hero=SlotPolicy()).bind({"hero": [Block("a", "contry")]}, CUSTOMERS.schema)
    assert own.value.template == "hero/a: eligible"


def test_slots_and_components_that_do_not_meet_are_refused():
    policy = SelectionPolicy.build("1", hero=SlotPolicy(components=("sprng",)))
    cases = {
        "unknown_component": {"hero": [Block("spring")]},
        "unknown_slot": {"footer": [Block("spring")]},
        "uncovered_slot": {"hero": [Block("sprng")], "footer": [Block("b")]},
    }
    for code, components in cases.items():
        with pytest.raises(SelectionError) as raised:
            policy.bind(components, CUSTOMERS.schema)
        assert raised.value.code == code
        assert raised.value.hint is not None
    with pytest.raises(SelectionError, match="has no components") as empty:
        policy.bind({"hero": []}, CUSTOMERS.schema)
    assert empty.value.code == "unknown_slot"


def test_a_rule_for_an_unknown_component_is_refused():
    with pytest.raises(SelectionError, match="unknown component 'sprng' in a rule") as raised:
        SlotPolicy(components=("spring",), eligible=(EligibilityRule(when="true", component="sprng"),))
    assert raised.value.code == "unknown_component"
    slot = SlotPolicy(eligible=(EligibilityRule(when="opted_in", component="sprng"),))
    with pytest.raises(SelectionError, match="did you mean 'spring'"):
        SelectionPolicy.build("1", hero=slot).bind({"hero": [Block("spring")]}, CUSTOMERS.schema)

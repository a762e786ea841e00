"""Policies as files: read strictly, with every error at its place; written to equal bytes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from labfactory.base.errors import CompileError, LabfactoryError, SelectionError
from labfactory.selection import (
    ChoiceRule,
    EligibilityRule,
    Exploration,
    Feature,
    SelectionPolicy,
    SlotPolicy,
)

SPRING = Path(__file__).parent / "policies" / "spring.toml"


def read(text: str, **files: bytes) -> SelectionPolicy:
    return SelectionPolicy.from_files({"selection.toml": text.encode(), **files})


def test_a_file_says_what_the_classes_say():
    policy = SelectionPolicy.load(SPRING)
    hero = policy.slots["hero"]
    assert policy.version == "spring-3"
    assert hero.components == ("tulips", "tea")
    assert hero.eligible == (
        EligibilityRule(when="opted_in == true"),
        EligibilityRule(when="age >= 18", component="tea"),
    )
    assert hero.features == (
        Feature(name="age", expression="age / 100", missing=0.4),
        Feature(name="orders", expression="orders", missing="error"),
    )
    assert hero.model is not None
    assert (hero.model.kind, hero.model.score) == ("logistic", "probability")
    assert hero.model.weights.tolist() == np.array([[-0.1, 0.25], [2.5, 1]], np.float32).tolist()
    assert hero.model.bias.tolist() == [0.5, 0.0]
    assert hero.exploration == Exploration(mode="softmax", temperature=0.2, floor=0.05)
    assert policy.slots["offer"].rules == (
        ChoiceRule(component="womens", when="womens == 1"),
        ChoiceRule(component="mens"),
    )


def test_files_read_back_as_the_same_policy_and_the_same_bytes():
    policy = SelectionPolicy.load(SPRING)
    again = SelectionPolicy.from_files(policy.files())
    assert again == policy
    assert hash(again) == hash(policy)
    assert again.files() == policy.files()
    assert list(policy.files()) == ["selection.toml"]


def test_tensors_travel_in_a_file_of_their_own(tmp_path):
    random = np.random.default_rng(1)
    slot = SlotPolicy.build(
        components=["a", "b", "c"],
        features={"x": "x", 'odd "name"\t': "y"},
        weights=random.normal(size=(3, 2)),
        bias=random.normal(size=3),
        eligible=['country == "D\\u00c9"', "note != 'tab\\t'"],
    )
    policy = SelectionPolicy.build("1", hero=slot)
    files = policy.files()
    assert sorted(files) == ["model.safetensors", "selection.toml"]
    assert sorted(safetensors.numpy.load(files["model.safetensors"])) == ["hero.bias", "hero.weights"]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    loaded = SelectionPolicy.load(tmp_path / "selection.toml")
    assert loaded == policy == SelectionPolicy.from_files(files) == pickle.loads(pickle.dumps(policy))
    assert loaded.files() == files
    assert loaded.slots["hero"].model is not None
    assert (loaded.slots["hero"].model.weights == slot.model.weights).all()


def test_policies_that_differ_are_not_equal():
    policy = SelectionPolicy.build("1", hero=SlotPolicy())
    assert policy != SelectionPolicy.build("2", hero=SlotPolicy())
    assert policy != SelectionPolicy.build("1", hero=SlotPolicy(components=("a",)))
    assert policy != "1"
    assert repr(policy) == "SelectionPolicy(version='1', slots=['hero'])"


HERO = 'version = "1"\n[slots.hero]\n'
MODEL = HERO + (
    'components = ["a"]\n[[slots.hero.features]]\nname = "x"\nexpression = "x"\n'
    '[slots.hero.model]\nkind = "linear"\n'
)

WRONG = [
    ("policy_syntax", 'version = "1"\n[slots.hero\n', 2, "expected TOML, found"),
    ("policy_syntax", 'version = "1', 1, "expected TOML, found"),
    ("policy_field", "[slots.hero]\n", None, "expected the key 'version', found none"),
    ("policy_field", 'version = "1"\n', None, "expected the key 'slots', found none"),
    ("policy_field", "version = 1\n[slots.hero]\n", 1, "version: input should be a valid string, found 1"),
    ("policy_field", 'version = " "\n[slots.hero]\n', 1, "expected a version, found an empty one"),
    ("policy_field", 'version = "1"\nslots = {}\n', 2, "expected at least one slot"),
    ("policy_field", HERO + 'componets = ["a"]\n', 3, "unknown key 'slots.hero.componets'"),
    (
        "policy_field",
        HERO + 'exploration = { mod = "greedy" }\n',
        3,
        "unknown key 'slots.hero.exploration.mod'",
    ),
    ("policy_field", 'version = "1"\n[slots."a b"]\n', 2, "a slot's name of letters"),
    ("policy_field", MODEL + "score = 3\n", 9, "slots.hero.model.score"),
    (
        "exploration",
        HERO + '[slots.hero.exploration]\nmode = "epsilon"\n',
        3,
        "expected epsilon with mode epsilon",
    ),
    ("duplicate_component", HERO + 'components = ["a", "a"]\n', 2, "each component once, found 'a' again"),
    (
        "unknown_component",
        HERO + 'components = ["a"]\nrules = [{ component = "b" }]\n',
        2,
        "unknown component 'b'",
    ),
    ("model_file", MODEL, 7, "expected the tensor 'hero.weights' in model.safetensors, found none"),
    (
        "model_shape",
        MODEL + "components.b.bias = 1\n",
        7,
        "expected a component of the slot for 'a', found none",
    ),
    ("model_shape", MODEL + "components.a.bias = 1\n", 7, "expected a weight of 'a' for 'x', found none"),
    ("model_shape", MODEL + "components.a.weights = { x = 1, y = 2 }\n", 7, "unknown weight of 'a': 'y'"),
    ("model_value", MODEL + "components.a.weights.x = 1e40\n", 7, "expected finite weights, found inf"),
    ("policy_field", MODEL + "components.a.weights.x = nan\n", 9, "finite number"),
    (
        "model_value",
        HERO + '[[slots.hero.features]]\nname = "x"\nexpression = "x"\nmissing = 1e39\n',
        6,
        "a finite float32",
    ),
    ("policy_syntax", 'version = "1"\ndeep = ' + "[" * 100_000, 2, "expected TOML, found"),
    ("policy_syntax", 'version = "1"\nlong = ' + "1" * 5_000, 2, "expected TOML, found"),
]


@pytest.mark.parametrize(("code", "text", "line", "message"), WRONG)
def test_a_wrong_file_is_refused_at_its_line(code, text, line, message):
    with pytest.raises(SelectionError) as raised:
        read(text)
    assert raised.value.code == code
    assert message in raised.value.message
    assert raised.value.line == line
    if line is not None:
        assert raised.value.template == "selection.toml"


def test_hints_name_the_nearest_key():
    with pytest.raises(SelectionError, match="did you mean 'components'"):
        read(HERO + 'componets = ["a"]\n')
    with pytest.raises(SelectionError, match="did you mean 'mode'"):
        read(HERO + 'exploration = { mod = "greedy" }\n')


def test_rules_and_a_model_together_are_refused():
    with pytest.raises(SelectionError, match="expected rules or a model, found both") as raised:
        SlotPolicy.build(components=["a"], weights=[[]], rules=[ChoiceRule(component="a")])
    assert raised.value.code == "rules_and_model"


def test_features_without_a_model_or_twice_are_refused():
    with pytest.raises(SelectionError, match="expected a model for 1 features, found none") as raised:
        SlotPolicy.build(features={"x": "x"})
    assert raised.value.code == "model_shape"
    features = [Feature(name="x", expression="x"), Feature(name="x", expression="y")]
    with pytest.raises(SelectionError, match="each feature once, found 'x' again") as twice:
        SlotPolicy.build(components=["a"], features=features, weights=[[1, 2]])
    assert twice.value.code == "duplicate_feature"


def test_an_expression_that_jinja2_refuses_is_refused_where_it_stands():
    text = HERO + 'rules = [\n  { component = "a", when = "age >" },\n]\n'
    with pytest.raises(CompileError) as raised:
        read(text)
    assert (raised.value.template, raised.value.line) == ("selection.toml", 4)
    assert raised.value.column is not None
    assert '{ component = "a", when = "age >" }' in str(raised.value)


def test_unreadable_files_are_refused(tmp_path):
    cases: list[tuple[str, object]] = [
        ("policy_unreadable", lambda: SelectionPolicy.load(tmp_path / "none.toml")),
        ("policy_unreadable", lambda: SelectionPolicy.from_files({"model.safetensors": b""})),
        ("policy_unreadable", lambda: SelectionPolicy.from_files({"selection.toml": b"", "other": b""})),
        ("policy_syntax", lambda: SelectionPolicy.from_files({"selection.toml": b'version = "\xff"'})),
    ]
    for code, call in cases:
        with pytest.raises(SelectionError) as raised:
            call()
        assert raised.value.code == code


@given(at=st.integers(0, 900), cut=st.integers(0, 12), put=st.binary(max_size=6))
def test_a_damaged_file_is_read_or_refused_with_a_code(at, cut, put):
    whole = SPRING.read_bytes()
    refusal = None
    try:
        SelectionPolicy.from_files({"selection.toml": whole[:at] + put + whole[at + cut :]})
    except LabfactoryError as error:
        refusal = error
    assert refusal is None or (refusal.code and refusal.template == "selection.toml")


def tensors(**arrays: np.ndarray) -> dict[str, bytes]:
    named = {name.replace("__", "."): array for name, array in arrays.items()}
    return {"model.safetensors": safetensors.numpy.save(named)}


GOOD = {"hero__weights": np.ones((1, 1), np.float32), "hero__bias": np.zeros(1, np.float32)}


@pytest.mark.parametrize(
    ("code", "files", "message"),
    [
        (
            "model_file",
            {"model.safetensors": b"not tensors"},
            "expected model.safetensors in the safetensors format",
        ),
        ("model_file", {"model.safetensors": b""}, "expected model.safetensors in the safetensors format"),
        ("model_file", tensors(hero__weights=GOOD["hero__weights"]), "expected the tensor 'hero.bias'"),
        (
            "model_file",
            tensors(**GOOD, footer__bias=GOOD["hero__bias"]),
            "'footer.bias', which no slot's model reads",
        ),
        (
            "model_file",
            tensors(hero__weights=np.ones((1, 1)), hero__bias=GOOD["hero__bias"]),
            "expected tensor 'hero.weights' of float32, found float64",
        ),
        (
            "model_shape",
            tensors(hero__weights=np.ones((1, 2), np.float32), hero__bias=GOOD["hero__bias"]),
            "expected weights of 1 components x 1 features, found 1 x 2",
        ),
        (
            "model_shape",
            tensors(hero__weights=GOOD["hero__weights"], hero__bias=np.zeros(2, np.float32)),
            "expected one bias for each of 1 rows of weights, found 2",
        ),
        (
            "model_shape",
            tensors(hero__weights=np.ones(1, np.float32), hero__bias=GOOD["hero__bias"]),
            "expected weights of 2 dimensions, found 1",
        ),
        (
            "model_value",
            tensors(hero__weights=np.full((1, 1), np.nan, np.float32), hero__bias=GOOD["hero__bias"]),
            "expected finite weights, found nan",
        ),
    ],
)
def test_wrong_tensors_are_refused(code, files, message):
    with pytest.raises(LabfactoryError) as raised:
        read(MODEL, **files)
    assert raised.value.code == code
    assert message in raised.value.message


def test_a_truncated_tensor_file_is_refused():
    whole = tensors(**GOOD)["model.safetensors"]
    for length in range(len(whole)):
        with pytest.raises(SelectionError) as raised:
            read(MODEL, **{"model.safetensors": whole[:length]})
        assert raised.value.code == "model_file"

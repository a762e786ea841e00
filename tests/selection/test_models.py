"""Models from arrays and from fitted linear models in scikit-learn's manner."""

from __future__ import annotations

import numpy as np
import pytest

from labfactory.base.errors import SelectionError
from labfactory.selection import LinearModel, SlotPolicy


class Fitted:
    """What scikit-learn's linear models leave behind after fit()."""

    def __init__(self, coef, intercept, classes=None):
        self.coef_, self.intercept_ = np.asarray(coef), np.asarray(intercept)
        if classes is not None:
            self.classes_ = np.asarray(classes)


def test_a_regression_with_an_output_for_each_component_is_read():
    model = LinearModel.of(Fitted([[1, 2], [3, 4]], [5, 6]), ["a", "b"])
    assert (model.kind, model.weights.tolist(), model.bias.tolist()) == ("linear", [[1, 2], [3, 4]], [5, 6])
    assert model.weights.dtype == np.float32
    assert not model.weights.flags.writeable


def test_a_model_without_intercepts_has_the_bias_zero():
    assert LinearModel.of(Fitted([[1, 2], [3, 4]], 0.0), ["a", "b"]).bias.tolist() == [0, 0]


def test_classes_named_as_components_decide_the_order_of_the_rows():
    fitted = Fitted([[1], [2], [3]], [10, 20, 30], classes=["c", "a", "b"])
    model = LinearModel.of(fitted, ["a", "b", "c"], score="probability")
    assert (model.kind, model.score) == ("logistic", "probability")
    assert (model.weights.tolist(), model.bias.tolist()) == ([[2], [3], [1]], [20, 30, 10])


def test_two_classes_share_one_row_and_differ_in_sign():
    model = LinearModel.of(Fitted([[2, -1]], [0.5], classes=["a", "b"]), ["b", "a"])
    # The row scores classes_[1].
    assert model.weights.tolist() == [[2, -1], [-2, 1]]
    assert model.bias.tolist() == [0.5, -0.5]


def test_a_model_for_each_component_is_read():
    fitted = {"b": Fitted([[3, 4]], [1], classes=[0, 1]), "a": Fitted([[1, 2]], [0], classes=[0, 1])}
    model = LinearModel.of(fitted, ["a", "b"])
    assert (model.kind, model.weights.tolist(), model.bias.tolist()) == ("logistic", [[1, 2], [3, 4]], [0, 1])


def test_a_slot_is_built_from_an_estimator():
    slot = SlotPolicy.build(components=["a", "b"], features={"x": "x"}, estimator=Fitted([[1], [2]], [0, 0]))
    assert slot.model is not None
    assert slot.model.weights.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("code", "estimator", "message"),
    [
        ("model_value", object(), "expected a fitted model with coef_ and intercept_, found object"),
        ("model_shape", Fitted([[1], [2]], [0, 0]), "a row of weights for each of 3 components, found 2"),
        (
            "unknown_component",
            {"a": Fitted([[1]], [0])},
            "expected a model of each component, found none of 'b'",
        ),
        (
            "model_kind",
            {"a": Fitted([[1]], [0]), "b": Fitted([[1]], [0], [0, 1]), "c": Fitted([[1]], [0])},
            "all models linear or all logistic",
        ),
        (
            "model_shape",
            {"a": Fitted([[1]], [0]), "b": Fitted([[1, 2]], [0]), "c": Fitted([[1]], [0])},
            "equally many features",
        ),
        ("model_value", Fitted([[1], [2], [np.nan]], [0, 0, 0]), "expected finite weights, found nan"),
    ],
)
def test_models_that_do_not_fit_are_refused(code, estimator, message):
    with pytest.raises(SelectionError, match=message) as raised:
        LinearModel.of(estimator, ["a", "b", "c"])
    assert raised.value.code == code


def test_kinds_and_scores_that_do_not_go_together_are_refused():
    for kind, score in [("linear", "probability"), ("quadratic", "logit"), ("logistic", "odds")]:
        with pytest.raises(SelectionError) as raised:
            LinearModel.of_arrays([[1]], [0], kind=kind, score=score)
        assert raised.value.code == "model_kind"


def test_weights_and_an_estimator_together_are_refused():
    with pytest.raises(SelectionError, match="weights or an estimator, found both") as raised:
        SlotPolicy.build(components=["a"], features={"x": "x"}, weights=[[1]], estimator=Fitted([[1]], [0]))
    assert raised.value.code == "model_shape"


def test_a_feature_of_text_is_refused():
    import pyarrow as pa

    from labfactory.selection import SelectionPolicy

    class Block:
        name, eligible = "a", None

    slot = SlotPolicy.build(components=["a"], features={"x": "country"}, weights=[[1]])
    with pytest.raises(SelectionError, match="numbers or booleans of feature 'x', found text") as raised:
        SelectionPolicy.build("1", hero=slot).bind({"hero": [Block()]}, pa.schema({"country": pa.utf8()}))
    assert raised.value.code == "feature_type"

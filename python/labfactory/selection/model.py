"""Models: features by expression, and a linear score of each component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from labfactory.base.errors import SelectionError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_HIGHEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """What a model reads of each customer: a number, or a category as several numbers.

    Args:
        name: Its name among the slot's features.
        expression: An expression over the customer's columns: numeric or boolean, or text or integers where
            it is encoded.
        missing: The value of a customer whose expression is null, not finite, failed or of no known category;
            with "error" that customer gets no component (reason `missing_feature`). A feature
            `<column> is none` beside it is a term for missing values.
        encoding: "number"; "one_hot", a column of 0 and 1 for each of `categories`; or "hashed", one for each
            of `buckets`, by the hash of the value's text.
        categories: The categories, as text; for "one_hot" alone.
        buckets: How many columns; for "hashed" alone.

    Raises:
        SelectionError: `model_value` when the value is not finite as float32, `feature_encoding` when
            encoding, categories and buckets do not fit.

    Example:
        >>> Feature(name="land", expression="country", encoding="one_hot", categories=("DE", "FR")).columns
        ('land=DE', 'land=FR')
    """

    name: str
    expression: str
    missing: float | Literal["error"] = "error"
    encoding: Literal["number", "one_hot", "hashed"] = "number"
    categories: tuple[str, ...] = ()
    buckets: int = 0

    def __post_init__(self) -> None:
        if self.missing != "error" and not abs(self.missing) <= _HIGHEST:
            message = f"expected a finite float32 to stand in for {self.name!r}, found {self.missing}"
            raise SelectionError(message, code="model_value")
        if self.encoding not in ("number", "one_hot", "hashed"):
            message = f"expected the encoding number, one_hot or hashed, found {self.encoding!r}"
            raise SelectionError(message, code="feature_encoding")
        if bool(self.categories) != (self.encoding == "one_hot"):
            message = f"expected categories of one_hot and of no other encoding, found {self.encoding!r}"
            raise SelectionError(message, code="feature_encoding")
        if (self.buckets > 0) != (self.encoding == "hashed") or self.buckets < 0:
            message = f"expected 1 bucket or more of hashed and of no other encoding, found {self.buckets}"
            raise SelectionError(message, code="feature_encoding")
        if len(set(self.categories)) < len(self.categories):
            message = f"expected each category of {self.name!r} once, found some again"
            raise SelectionError(message, code="feature_encoding")

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the numbers that it becomes: what weights are given for."""
        if self.encoding == "one_hot":
            return tuple(f"{self.name}={category}" for category in self.categories)
        if self.encoding == "hashed":
            return tuple(f"{self.name}#{number}" for number in range(self.buckets))
        return (self.name,)


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearModel:
    """A linear or logistic model of every component: bias + weights · features.

    Args:
        kind: "linear" or "logistic".
        score: For a logistic model what the score is: the "logit" itself or its "probability".
        weights: float32 [components, features].
        bias: float32 [components].
        is_inline: Whether files hold the numbers in selection.toml; else in model.safetensors.
        uncertainty: How uncertain the weights are, float32: variances [components, features] of independent
            weights; or factors F [components or 1, features, features] with covariance FᵀF, one shared by
            all components where there is one. The bias is taken as known: a feature "1" stands in for one
            that is not.

    Raises:
        SelectionError: `model_shape` when the sizes differ, `model_value` when a number is not finite,
            `model_kind` when kind or score is none of these.
    """

    kind: Literal["linear", "logistic"] = "linear"
    score: Literal["logit", "probability"] = "logit"
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    is_inline: bool = False
    uncertainty: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        self._check_uncertainty()
        if self.kind not in ("linear", "logistic") or self.score not in ("logit", "probability"):
            message = (
                "expected a linear or logistic model scored by logit or probability, "
                f"found {self.kind!r} and {self.score!r}"
            )
            raise SelectionError(message, code="model_kind")
        if self.kind == "linear" and self.score == "probability":
            message = "expected a logistic model where the score is a probability, found a linear one"
            raise SelectionError(message, code="model_kind")
        if len(self.weights) != len(self.bias):
            message = (
                f"expected one bias for each of {len(self.weights)} rows of weights, found {len(self.bias)}"
            )
            raise SelectionError(message, code="model_shape")

    @classmethod
    def of_arrays(
        cls,
        weights: npt.ArrayLike,
        bias: npt.ArrayLike,
        *,
        kind: Literal["linear", "logistic"] = "linear",
        score: Literal["logit", "probability"] = "logit",
        is_inline: bool = False,
        shared: npt.ArrayLike | None = None,
        uncertainty: npt.ArrayLike | None = None,
    ) -> LinearModel:
        """Narrows weights and biases to float32.

        Args:
            weights: [components, features].
            bias: [components].
            kind: As the class.
            score: As the class.
            is_inline: As the class.
            shared: [features], added to the weights of every component: a hybrid model, or with weights of 0
                a shared one.
            uncertainty: As the class.

        Returns:
            The model; it holds copies that cannot be written to.

        Raises:
            SelectionError: As the class.
        """
        if shared is not None:
            weights = np.asarray(weights, dtype=np.float64) + np.asarray(shared, dtype=np.float64)
        spread = None
        if uncertainty is not None:
            spread = _float32(uncertainty, 3 if np.ndim(uncertainty) == 3 else 2, "uncertainty")
        return cls(
            kind=kind,
            score=score,
            weights=_float32(weights, 2, "weights"),
            bias=_float32(bias, 1, "bias"),
            is_inline=is_inline,
            uncertainty=spread,
        )

    @classmethod
    def of(
        cls,
        estimator: object,
        components: Sequence[str],
        *,
        score: Literal["logit", "probability"] = "logit",
    ) -> LinearModel:
        """Reads the coefficients of fitted linear models in scikit-learn's manner.

        Args:
            estimator: Anything with `coef_` and `intercept_`: one model with an output or a class for each
                component, or a mapping of component to a model with one output. A model with `classes_` is
                logistic; when its classes are the components' names, they decide the order, and two of them
                share one row, whose sign they differ in.
            components: The components, in the order of the rows.
            score: What a logistic score is.

        Returns:
            The model, in float32.

        Raises:
            SelectionError: `model_shape` when rows and components differ; `unknown_component` when a
                mapping lacks a component; `model_value` when there are no coefficients.
        """
        if isinstance(estimator, Mapping):
            return cls._of_each(estimator, components, score)
        weights, bias = _coefficients(estimator)
        classes = _classes(estimator)
        if classes is not None and len(classes) == 2 and len(weights) == 1 and len(components) == 2:
            weights, bias = np.concatenate([-weights, weights]), np.concatenate([-bias, bias])
        if classes is not None and set(classes) == set(components) and len(classes) == len(weights):
            order = [classes.index(component) for component in components]
            weights, bias = weights[order], bias[order]
        _expect_rows(components, weights)
        kind: Literal["linear", "logistic"] = "linear" if classes is None else "logistic"
        return cls.of_arrays(weights, bias, kind=kind, score=score)

    def _check_uncertainty(self) -> None:
        if self.uncertainty is None:
            return
        components, features = self.weights.shape
        shapes = ((components, features), (components, features, features), (1, features, features))
        if self.uncertainty.shape not in shapes:
            found = " x ".join(str(size) for size in self.uncertainty.shape)
            shape = f"{components} x {features}"
            message = f"expected variances of {shape} or factors of 1 or {shape} x {features}, found {found}"
            raise SelectionError(message, code="model_shape")
        if self.uncertainty.ndim == 2 and (self.uncertainty < 0).any():
            message = f"expected variances of 0 or more, found {self.uncertainty.min()}"
            raise SelectionError(message, code="model_value")
        if self.is_inline:
            message = "expected the uncertainty of a model in model.safetensors, found its numbers inline"
            raise SelectionError(message, code="model_shape")

    @classmethod
    def _of_each(
        cls,
        estimators: Mapping[str, object],
        components: Sequence[str],
        score: Literal["logit", "probability"],
    ) -> LinearModel:
        lacking = [component for component in components if component not in estimators]
        if lacking:
            message = f"expected a model of each component, found none of {lacking[0]!r}"
            raise SelectionError(message, code="unknown_component", hint=nearest(lacking[0], estimators))
        rows = [cls.of(estimators[component], [component], score="logit") for component in components]
        kinds = {row.kind for row in rows}
        if len(kinds) > 1:
            message = "expected all models linear or all logistic, found both"
            raise SelectionError(message, code="model_kind")
        if len({row.weights.shape[1] for row in rows}) > 1:
            counts = sorted({row.weights.shape[1] for row in rows})
            message = f"expected models of equally many features, found {counts}"
            raise SelectionError(message, code="model_shape")
        return cls(
            kind=rows[0].kind,
            score=score,
            weights=np.concatenate([row.weights for row in rows]),
            bias=np.concatenate([row.bias for row in rows]),
        )


def _float32(values: npt.ArrayLike, dimensions: int, what: str) -> npt.NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            numbers = np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        message = f"expected numbers as {what} in rows of one length, found others"
        raise SelectionError(message, code="model_value") from None
    if numbers.ndim != dimensions:
        message = f"expected {what} of {dimensions} dimensions, found {numbers.ndim}"
        raise SelectionError(message, code="model_shape")
    if not np.isfinite(numbers).all():
        message = f"expected finite {what}, found {numbers[~np.isfinite(numbers)].flat[0]}"
        raise SelectionError(message, code="model_value")
    numbers.setflags(write=False)
    return numbers


def _coefficients(estimator: object) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if not hasattr(estimator, "coef_") or not hasattr(estimator, "intercept_"):
        message = f"expected a fitted model with coef_ and intercept_, found {type(estimator).__name__}"
        raise SelectionError(message, code="model_value", hint="call its fit() first")
    weights = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    bias = np.atleast_1d(np.asarray(estimator.intercept_, dtype=np.float64))
    return weights, np.broadcast_to(bias, (len(weights),)) if bias.size == 1 else bias


def _classes(estimator: Any) -> list[str] | None:
    classes = getattr(estimator, "classes_", None)
    return None if classes is None else [str(name) for name in classes]


def _expect_rows(components: Sequence[str], weights: npt.NDArray[np.float64]) -> None:
    if len(weights) != len(components):
        message = f"expected a row of weights for each of {len(components)} components, found {len(weights)}"
        raise SelectionError(message, code="model_shape")

"""An evaluation as a table, a frame and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from labfactory.base.errors import StatisticsError
from labfactory.lab import Comparison, Evaluation, Experiment

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa


@pytest.fixture
def evaluation(three_arms: Experiment, responses: pa.Table) -> Evaluation:
    return three_arms.evaluate(responses, control="plain", key="customer_id", alpha=0.01)


def test_json_comes_back_equal(evaluation: Evaluation) -> None:
    written = evaluation.to_json()
    assert Evaluation.from_json(written) == evaluation
    assert Evaluation.from_json(written).to_json() == written


def test_undefined_figures_come_back_as_none(make_experiment: Callable[..., Experiment]) -> None:
    lone = pl.DataFrame({"variant": ["plain", "plain", "warm"], "orders": [1.0, 2.0, 3.0]})
    evaluation = make_experiment().evaluate(lone, control="plain")
    assert evaluation.row("orders", "warm").p is None
    assert Evaluation.from_json(evaluation.to_json()) == evaluation


def test_the_record_has_the_promised_shape(evaluation: Evaluation) -> None:
    record = json.loads(evaluation.to_json())
    assert set(record) == {
        *("experiment", "hypothesis", "minimum_effect", "preregistration", "control", "alpha", "method"),
        *("srm", "units", "looks", "corrections", "flags", "rows", "schema", "adjustments"),
        *("started", "ended", "runtime_days", "checks", "segments", "interactions"),
        *("planned", "departures"),
    }
    assert record["schema"] == 3
    assert set(record["srm"]) == {"p", "expected", "observed"}
    assert record["units"] == record["srm"]["observed"] == evaluation.units
    assert sum(record["srm"]["expected"].values()) == pytest.approx(sum(record["units"].values()))
    assert (record["alpha"], record["looks"], record["corrections"], record["method"]) == (
        0.01,
        1,
        [],
        "welch",
    )
    assert set(record["flags"][0]) == {"code", "metric", "variant", "count", "segment"}
    assert set(record["rows"][0]) == {
        *("metric", "role", "kind", "direction", "variant", "control_n", "treatment_n"),
        *("control_value", "treatment_value", "difference", "lower", "upper"),
        *("relative", "relative_lower", "relative_upper", "p", "margin", "noninferior"),
        *("method", "standard_error", "adjusted_p", "chance_to_win", "expected_loss"),
    }
    assert [(row["metric"], row["variant"]) for row in record["rows"]] == [
        (metric, variant) for metric in ("spend", "visits", "opt_outs") for variant in ("warm", "short")
    ]


def test_a_record_of_the_first_schema_is_still_read(evaluation: Evaluation) -> None:
    later = {
        *("schema", "adjustments", "started", "ended", "runtime_days", "checks", "segments", "interactions"),
        *("segment", "method", "standard_error", "adjusted_p", "chance_to_win", "expected_loss"),
        *("planned", "departures"),
    }

    def first(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: first(each) for name, each in value.items() if name not in later}
        return [first(each) for each in value] if isinstance(value, list) else value

    record = first(json.loads(evaluation.to_json())) | {"method": "welch"}
    read = Evaluation.from_json(json.dumps(record).encode())
    assert (read.arms, read.srm_p, read.flags) == (evaluation.arms, evaluation.srm_p, evaluation.flags)
    assert read.row("spend", "warm").lower == evaluation.row("spend", "warm").lower
    with pytest.raises(StatisticsError, match="fields that it does not have"):
        Evaluation.from_json(json.dumps(record | {"verdict": "good"}).encode())
    with pytest.raises(StatisticsError, match="schema 1 to 3, found 4"):
        Evaluation.from_json(json.dumps(json.loads(evaluation.to_json()) | {"schema": 4}).encode())


def test_a_record_of_the_second_schema_is_still_read(evaluation: Evaluation) -> None:
    record = json.loads(evaluation.to_json()) | {"schema": 2}
    del record["planned"], record["departures"]
    assert Evaluation.from_json(json.dumps(record).encode()) == evaluation


def _without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda record: _without(record, "rows"), "at rows"),
        (lambda record: {**record, "alpha": "0.05"}, "at alpha"),
        (lambda record: {**record, "surprise": 1}, "fields that it does not have"),
        (lambda record: {**record, "rows": [{**record["rows"][0], "role": "hero"}]}, "at rows.0.role"),
        (lambda record: {**record, "rows": [{**record["rows"][0], "p": True}]}, "at rows.0.p"),
        (lambda record: {**record, "control": "nobody"}, "units of every variant, found none of 'nobody'"),
        (lambda record: {**record, "units": {**record["units"], "x": 1}}, "fields that it does not have"),
        (lambda record: [record], "expected an evaluation"),
    ],
)
def test_json_that_no_evaluation_wrote_is_refused(
    evaluation: Evaluation, spoil: Callable[[dict[str, Any]], Any], match: str
) -> None:
    data = json.dumps(spoil(json.loads(evaluation.to_json()))).encode()
    with pytest.raises(StatisticsError, match=match) as caught:
        Evaluation.from_json(data)
    assert caught.value.code == "evaluation_malformed"


@pytest.mark.parametrize("data", [b"", b"{", b'{"alpha":NaN}', b'{"a":1,"a":2}'])
def test_bytes_that_are_no_json_are_refused(data: bytes) -> None:
    with pytest.raises(StatisticsError) as caught:
        Evaluation.from_json(data)
    assert caught.value.code == "evaluation_malformed"


def test_the_frame_has_a_row_per_metric_and_treatment(evaluation: Evaluation) -> None:
    frame = evaluation.to_frame()
    assert frame.height == 6
    assert frame.columns == list(Comparison.__dataclass_fields__)
    assert frame.schema["control_n"] == pl.Int64
    assert frame.schema["p"] == pl.Float64
    assert frame.schema["noninferior"] == pl.Boolean
    assert frame["difference"].to_list() == [row.difference for row in evaluation.rows]


def test_the_table_names_alpha_corrections_ratio_and_flags(evaluation: Evaluation) -> None:
    lines = repr(evaluation).splitlines()
    assert lines[0].startswith("three: against plain, welch, alpha 0.01, sample ratio p ")
    assert lines[0].endswith("looks 1, corrections none")
    assert lines[1].split()[:4] == ["metric", "role", "variant", "control"]
    assert "99 %" in lines[1]
    assert len(lines) == 2 + len(evaluation.rows) + len(evaluation.flags)
    assert all(line.startswith("! ") for line in lines[8:])
    table = lines[1:8]
    assert len({line.index(cell) for line, cell in zip(table[1:3], ("warm", "short"), strict=True)}) == 1


def test_a_comparison_that_was_not_made_is_refused(evaluation: Evaluation) -> None:
    with pytest.raises(StatisticsError, match="found 'spend' and 'plain'") as caught:
        evaluation.row("spend", "plain")
    assert caught.value.code == "unknown_comparison"


def test_an_evaluation_cannot_be_changed(evaluation: Evaluation) -> None:
    with pytest.raises(AttributeError):
        evaluation.alpha = 0.5  # type: ignore[misc]

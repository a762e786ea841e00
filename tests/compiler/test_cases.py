"""Every case file renders as Jinja2 renders it: the same bytes, or an error in the same line.

A case file is JSON (`rows`, and where needed `types`, `constants`, `optional`, `environment`, and `templates`
for a loader), then `---`, then one or more templates with `---` between them.
"""

from __future__ import annotations

import itertools
import json
import traceback
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pytest

from labfactory.compiler import Environment
from labfactory.testing import to_python

CASES = Path(__file__).parent / "cases"
UNDEFINED = {
    "error": jinja2.StrictUndefined,
    "default": jinja2.Undefined,
    "strict": jinja2.StrictUndefined,
    "chainable": jinja2.ChainableUndefined,
}


def table(case: dict[str, Any]) -> pa.RecordBatch:
    types = case.get("types", {})
    names = list(dict.fromkeys(name for row in case["rows"] for name in row))
    arrays = []
    for name in names:
        array = pa.array([row.get(name) for row in case["rows"]])
        if name in types:
            encode = types[name] == "dictionary"
            array = array.dictionary_encode() if encode else array.cast(pa.type_for_alias(types[name]))
        arrays.append(array)
    return pa.record_batch(arrays, names=names)


def oracle(source: str, options: dict[str, Any], context: dict[str, Any]) -> tuple[str | None, int | None]:
    """Jinja2's text, or the template line in which it raised."""
    undefined = UNDEFINED[options.get("undefined", "error")]
    loader = jinja2.DictLoader(options.get("loader", {}))
    environment = jinja2.Environment(**{**options, "undefined": undefined, "loader": loader})
    try:
        return environment.from_string(source).render(context), None
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == "<template>"]
        return None, lines[-1]


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    head, *templates = path.read_text(encoding="utf-8").split("\n---\n")
    return json.loads(head), [template.removesuffix("\n") for template in templates]


def cases() -> list[Any]:
    found = []
    for path in sorted(CASES.glob("*.txt")):
        _, templates = read(path)
        found += [pytest.param(path, at, id=f"{path.stem}-{at + 1}") for at in range(len(templates))]
    return found


def check(source: str, batch: pa.RecordBatch, options: dict[str, Any], case: dict[str, Any]) -> None:
    constants = case.get("constants", {})
    template = Environment(**options).from_string(source)
    plan = template.compile(batch.schema, optional=case.get("optional", ()), constants=constants)
    made = plan.assemble(batch).to_pylist()
    assert len(made) == len(batch)
    for row, result in zip(to_python(batch), made, strict=True):
        text, line = oracle(source, options, constants | row)
        found = (result["asset"], result["line"])
        assert (text, line) == found, f"{source!r} of {row} under {options}: {result}"
        assert result["status"] == ("error" if text is None else "ok")


@pytest.mark.parametrize(("path", "at"), cases())
def test_case_renders_as_jinja2_renders_it(path: Path, at: int) -> None:
    case, templates = read(path)
    batch = table(case)
    environment = case.get("environment", {}) | {"loader": case.get("templates", {})}
    modes = environment.get("undefined")
    for autoescape, undefined in itertools.product(
        [environment["autoescape"]] if "autoescape" in environment else [False, True],
        [modes] if modes else list(UNDEFINED),
    ):
        check(templates[at], batch, {**environment, "autoescape": autoescape, "undefined": undefined}, case)

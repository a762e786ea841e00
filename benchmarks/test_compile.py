"""Compilation: a short message, and an e-mail of 500 lines with 30 components."""

from __future__ import annotations

from typing import Any

import labfactory as lf
from benchmarks import compilation
from benchmarks.data import SMS, customers


def test_short_message_compiles(benchmark: Any) -> None:
    frame = customers(1)
    plan = benchmark(lambda: lf.Template(SMS.template, autoescape=True).compile(frame))
    assert plan.columns


def test_long_email_compiles(benchmark: Any) -> None:
    template = compilation.source()
    plan = benchmark.pedantic(compilation.compiled, args=(template,), rounds=3)
    assert plan.parts == ("html",)

"""Compiles random sources under a memory limit: `python -m fuzz --seconds 600`.

Whatever a source is, compiling it ends soon, within bounded memory, in a plan or in an error of the one
form; a plan runs to its limits and not beyond. Sources are made of fragments of the language and of mutated
case files.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import time
from pathlib import Path

import pyarrow as pa

import labfactory as lf

CASES = Path(__file__).parent.parent / "tests" / "compiler" / "cases"
ROWS = pa.table(
    {
        "n": [3, -1, 2**62],
        "f": [0.5, 1e300, -0.0],
        "s": ["Zoë <&>", "", "%s {{ 7"],
        "b": [True, None, False],
        "xs": [[1, 2, 3], [], list(range(40))],
        "ps": [[{"t": "a", "p": 1.5}], [], [{"t": None, "p": None}] * 20],
        "r": [{"t": "x", "u": {"v": 1}}, None, {"t": None, "u": None}],
    }
)
NAMES = [
    "n",
    "f",
    "s",
    "b",
    "xs",
    "ps",
    "r",
    "x",
    "y",
    "loop",
    "r.t",
    "r.u.v",
    "p.t",
    "nope",
    "loop.index",
    "xs[0]",
]
LITERALS = [
    "0",
    "7",
    "-1",
    "2.5",
    "'a'",
    "''",
    "'%s'",
    "none",
    "true",
    "[]",
    "[1, 'a']",
    "(1,)",
    "{'k': 1}",
    "10**9",
]
OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "~",
    "==",
    "<",
    ">=",
    "in",
    "not in",
    "and",
    "or",
    "is",
    "|",
]
FILTERS = [
    *(
        "upper",
        "title",
        "default('x')",
        "default('x', true)",
        "join(',')",
        "length",
        "truncate(5)",
        "round(2)",
    ),
    *("replace('a', 'b')", "sort", "map(attribute='t')", "groupby('t')", "batch(2)", "tojson", "int", "list"),
    *("first", "sum", "format(n, s)", "wordwrap(3)", "center(9**9)", "indent(10**8)", "escape", "xmlattr"),
]
TESTS = ["defined", "none", "divisibleby 2", "in xs", "string", "mapping", "odd", "sameas n"]
BLOCKS = [
    ("{% if @ %}", "{% endif %}"),
    ("{% if @ %}a{% else %}", "{% endif %}"),
    ("{% for x in @ %}", "{% endfor %}"),
    ("{% for x in @ if @ %}", "{% else %}e{% endfor %}"),
    ("{% for p in ps %}{% for q in ps %}", "{% endfor %}{% endfor %}"),
    ("{% set y = @ %}", ""),
    ("{% set y %}", "{% endset %}"),
    ("{% with y = @ %}", "{% endwith %}"),
    ("{% filter upper %}", "{% endfilter %}"),
    ("{% autoescape true %}", "{% endautoescape %}"),
    ("{% macro m(x, y=@) %}", "{% endmacro %}{{ m(@) }}{{ m(@) }}"),
    ("{% call m(@) %}", "{% endcall %}"),
    ("{% block b %}", "{% endblock %}{{ self.b() }}"),
    ("{% raw %}", "{% endraw %}"),
]
SECONDS_A_SOURCE = 20
BYTES_MORE = 3 << 30


def expression(draw: random.Random, depth: int = 0) -> str:
    kind = draw.randrange(9 if depth < 4 else 2)
    inner = lambda: expression(draw, depth + 1)  # noqa: E731 - short for what follows
    match kind:
        case 0:
            return draw.choice(LITERALS)
        case 1:
            return draw.choice(NAMES)
        case 2 | 3:
            return f"({inner()} {draw.choice(OPERATORS)} {inner()})"
        case 4 | 5:
            return f"{inner()}|{draw.choice(FILTERS)}"
        case 6:
            return f"({inner()} if {inner()} else {inner()})"
        case 7:
            return f"({inner()} is {draw.choice(TESTS)})"
        case _:
            return f"{inner()}[{inner()}]"


def template(draw: random.Random, depth: int = 0) -> str:
    pieces = []
    for _ in range(draw.randrange(1, 5)):
        if depth < 4 and draw.random() < 0.4:
            begin, end = draw.choice(BLOCKS)
            whole = begin + template(draw, depth + 1) + end
            while "@" in whole:
                whole = whole.replace("@", expression(draw), 1)
            pieces.append(whole)
        else:
            pieces.append(draw.choice(["text <&> ", "{{ " + expression(draw) + " }}", "{# note #}", "\n"]))
    return "".join(pieces)


def mutated(draw: random.Random, source: str, other: str) -> str:
    characters = list(source)
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(characters) + 1)
        cut = draw.randrange(0, 6)
        start = draw.randrange(max(1, len(other)))
        characters[at : at + cut] = other[start : start + draw.randrange(0, 12)]
    return "".join(characters)


def try_source(source: str, environment: lf.Environment) -> str:
    """How a source ended: an error's code, or "ran"."""
    try:
        plan = environment.from_string(source).compile(ROWS, optional=["nope"])
        plan.assemble(ROWS, threads=1)
        plan.explain()
    except lf.LabfactoryError as error:
        return error.code
    return "ran"


def main() -> int:
    """Runs until the time is up; the first source that breaks a rule is printed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES_MORE, used + BYTES_MORE))
    sources = [case for path in sorted(CASES.glob("*.txt")) for case in path.read_text().split("\n---\n")[1:]]
    draw = random.Random(options.seed)
    ended: dict[str, int] = {}
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        source = template(draw) if draw.random() < 0.6 else mutated(draw, *draw.choices(sources, k=2))
        environment = lf.Environment(
            autoescape=draw.random() < 0.5, undefined=draw.choice(["error", "default", "strict", "chainable"])
        )
        signal.alarm(SECONDS_A_SOURCE)
        try:
            outcome = try_source(source, environment)
        except BaseException:
            sys.stderr.write(f"seed {options.seed}, {environment}\n{source}\n")
            raise
        signal.alarm(0)
        ended[outcome] = ended.get(outcome, 0) + 1
    for outcome, count in sorted(ended.items(), key=lambda pair: -pair[1]):
        sys.stdout.write(f"{count:8} {outcome}\n")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    sys.exit(main())

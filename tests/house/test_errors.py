"""Each error code of the sources has its entry in docs/errors.md and a test that provokes it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from labfactory.audit import rule

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
NATIVE = re.compile(r'\bError\(\s*ErrorKind::\w+,\s*"([a-z_0-9]+)"')
OUTCOMES = re.compile(r"kOutcomes = \{(.*?)\};", re.DOTALL)


def texts(value: ast.expr) -> list[str]:
    """The words that an expression can give as a code; those it only asks for or looks up are not."""
    match value:
        case ast.Constant(value=str(text)):
            return [text] if re.fullmatch(r"[a-z][a-z_0-9]+", text) else []
        case ast.IfExp(body=one, orelse=other):
            return texts(one) + texts(other)
        case ast.BoolOp(values=several) | ast.Call(args=several) | ast.Dict(values=several):
            return [text for each in several for text in texts(each)]
        case ast.Subscript(value=looked_up):
            return texts(looked_up)
    return []


def is_code(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id in ("code", "codes")


def defaults(function: ast.arguments) -> list[tuple[str, ast.expr]]:
    positional = function.posonlyargs + function.args
    with_default = positional[len(positional) - len(function.defaults) :]
    pairs = [*zip(with_default, function.defaults, strict=True)]
    pairs += [(a, d) for a, d in zip(function.kwonlyargs, function.kw_defaults, strict=True) if d is not None]
    return [(argument.arg, default) for argument, default in pairs]


def python_codes(source: str) -> list[str]:
    """What is passed as `code=`, the default of `code`, assigned to `code` or `codes`, or opens a Finding."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=called, args=arguments, keywords=keywords):
                found += [keyword.value for keyword in keywords if keyword.arg == "code"]
                if isinstance(called, ast.Name) and called.id == "Finding":
                    found += arguments[:1]
            case ast.FunctionDef(args=arguments):
                found += [default for name, default in defaults(arguments) if name == "code"]
            case ast.Assign(targets=[target], value=value) if is_code(target):
                found.append(value)
    return [text for value in found for text in texts(value)]


def native_codes(source: str) -> list[str]:
    outcomes = OUTCOMES.search(source)
    of_rows = re.findall(r'"(\w+)"', outcomes[1]) if outcomes else []
    return [*NATIVE.findall(source), *(code for code in of_rows if code != "ok")]


def codes() -> set[str]:
    found = {f"audit_{kind}" for kind in rule.KINDS}
    for path in (ROOT / "python").rglob("*.py"):
        found.update(python_codes(path.read_text(encoding="utf-8")))
    for path in (ROOT / "cpp" / "labfactory").rglob("*.?pp"):
        found.update(native_codes(path.read_text(encoding="utf-8")))
    return found


def entries() -> list[str]:
    return re.findall(r"^### (\S+)$", PAGE, re.MULTILINE)


def test_each_code_has_an_entry_and_each_entry_a_code():
    assert sorted(codes() - set(entries())) == [], "no entry"
    assert sorted(set(entries()) - codes()) == [], "dead"


def test_each_code_has_one_entry():
    assert [code for code in sorted(set(entries())) if entries().count(code) > 1] == []


def test_the_entries_of_a_section_are_sorted():
    for section in PAGE.split("\n## ")[1:]:
        listed = re.findall(r"^### (\S+)$", section, re.MULTILINE)
        assert listed == sorted(listed), section.splitlines()[0]


def test_each_code_is_provoked_by_a_test():
    files = [path for path in (ROOT / "tests").rglob("*") if path.suffix in (".py", ".txt")]
    files += (ROOT / "cpp" / "tests").rglob("*.cpp")
    told = "\n".join(path.read_text(encoding="utf-8") for path in files if path != Path(__file__))
    provoked = {
        one or other for one, other in re.findall(r'"([a-z_0-9]+)"|^\[([a-z_0-9]+)\]', told, re.MULTILINE)
    }
    assert sorted(codes() - provoked) == []


def test_codes_are_found_however_they_are_given():
    source = """
    def fail(message, *, code="a_default"):
        raise Wrong(message, code="if_so" if message else "if_not")
    codes = pick(asked, "called")["looked_up"]
    found = Finding("found", "a finding")
    """
    assert sorted(python_codes("\n".join(line[4:] for line in source.splitlines()))) == [
        "a_default",
        "called",
        "found",
        "if_not",
        "if_so",
    ]
    assert native_codes('throw Error(ErrorKind::usage,\n    "weights", "…");') == ["weights"]
    assert native_codes('kOutcomes = {\n "ok", "undefined"};') == ["undefined"]

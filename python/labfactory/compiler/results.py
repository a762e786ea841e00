"""What is known of the result of an operator, from what is known of its operands."""

from __future__ import annotations

from jinja2 import nodes

from labfactory.compiler.types import DICTS, NUMBERS, SEQUENCES, Static, joined


def result_of(node: nodes.BinExpr, left: Static, right: Static) -> Static:
    """What is known of the result of a binary operator."""
    found = _number_kinds(node, left, right) | _temporal_kinds(node, left, right)
    item = None
    if isinstance(node, nodes.Add):
        same = left.kinds & right.kinds & (SEQUENCES | {"text"})
        found |= same
        if same & SEQUENCES:
            item = _join_items(left, right)
    if isinstance(node, nodes.Mod) and left.may_be("text"):
        found.add("text")
    if isinstance(node, nodes.Mul):
        found |= _repeated(left, right) | _repeated(right, left)
        item = left.items() or right.items()
    return Static(frozenset(found), item=item)


def _join_items(left: Static, right: Static) -> Static | None:
    return joined(filter(None, [left.items(), right.items()]))


def _number_kinds(node: nodes.BinExpr, left: Static, right: Static) -> set[str]:
    exact = {"boolean", "integer", "decimal"}
    kinds = set()
    if left.join(right).may_be("decimal") and left.may_be(*exact) and right.may_be(*exact):
        kinds.add("decimal")
    one, other = left.kinds & NUMBERS, right.kinds & NUMBERS
    if not one or not other:
        return kinds
    if isinstance(node, nodes.Div):
        return kinds | {"floating"}
    if "floating" in one | other or (isinstance(node, nodes.Pow) and not _is_counting(node.right)):
        kinds.add("floating")
    return kinds | ({"integer"} if one - {"floating"} and other - {"floating"} else set())


def _is_counting(node: nodes.Expr) -> bool:
    """Whether an exponent surely is not negative."""
    return isinstance(node, nodes.Const) and isinstance(node.value, int) and node.value >= 0


_MOMENTS = frozenset({"date", "timestamp", "zoned"})


def _temporal_kinds(node: nodes.BinExpr, left: Static, right: Static) -> set[str]:
    one, other = left.kinds, right.kinds
    numeric = one | other if "duration" in one | other else frozenset[str]()
    match node:
        case nodes.Add():
            return set(one & (_MOMENTS | {"duration"}) if "duration" in other else ()) | set(
                other & (_MOMENTS | {"duration"}) if "duration" in one else ()
            )
        case nodes.Sub():
            kinds = set(one & (_MOMENTS | {"duration"})) if "duration" in other else set()
            return kinds | ({"duration"} if one & other & _MOMENTS else set())
        case nodes.Mul():
            return {"duration"} if numeric & NUMBERS else set()
        case nodes.Div() | nodes.FloorDiv():
            if "duration" not in one:
                return set()
            ratio = "floating" if isinstance(node, nodes.Div) else "integer"
            return ({"duration"} if other & NUMBERS else set()) | ({ratio} if "duration" in other else set())
        case nodes.Mod():
            return {"duration"} if "duration" in one & other else set()
        case _:
            return set()


def _repeated(sequence: Static, times: Static) -> set[str]:
    if not times.may_be("integer", "boolean"):
        return set()
    return set(sequence.kinds & (SEQUENCES | {"text"}))


def holds_dict(static: Static | None) -> bool:
    """Whether a value may be a dict, or hold one."""
    return static is not None and (
        static.may_be(*DICTS) or holds_dict(static.item) or holds_dict(static.value)
    )

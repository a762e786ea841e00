"""The compiler: Jinja2 templates and expressions become typed plans over Arrow, or errors that say where."""

from __future__ import annotations

from labfactory.compiler.catalogues import parse_catalogue, read_translations
from labfactory.compiler.environment import EXTENSIONS, Environment
from labfactory.compiler.expression import Expression, ExpressionPlan
from labfactory.compiler.functions import Function, Functions, function
from labfactory.compiler.given import CompileOptions, CreativeOptions
from labfactory.compiler.link import compile_creative, review_creative
from labfactory.compiler.plan import Plan
from labfactory.compiler.preview import Preview
from labfactory.compiler.review import Remark, Review
from labfactory.compiler.skip import Skip, SkipTag
from labfactory.compiler.tables import Table, as_table
from labfactory.compiler.template import Template

__all__ = [
    "EXTENSIONS",
    "CompileOptions",
    "CreativeOptions",
    "Environment",
    "Expression",
    "ExpressionPlan",
    "Function",
    "Functions",
    "Plan",
    "Preview",
    "Remark",
    "Review",
    "Skip",
    "SkipTag",
    "Table",
    "Template",
    "as_table",
    "compile_creative",
    "function",
    "parse_catalogue",
    "read_translations",
    "review_creative",
]

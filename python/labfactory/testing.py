"""For tests of templates: the Python values that Jinja2 sees of Arrow rows."""

from __future__ import annotations

from labfactory.compiler.rows import to_python

__all__ = ["to_python"]

"""What finished assets must fulfil: rules over their bytes, and a closer look at samples."""

from __future__ import annotations

from labfactory.audit.findings import Finding, Findings
from labfactory.audit.lint import lint_html, lint_svg
from labfactory.audit.rule import Rule
from labfactory.audit.rules import AuditRules
from labfactory.audit.sms import sms_segments

__all__ = ["AuditRules", "Finding", "Findings", "Rule", "lint_html", "lint_svg", "sms_segments"]

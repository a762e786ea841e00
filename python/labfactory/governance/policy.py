"""Graduation policies: what a concept must show before the Factory may make it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PrivateAttr, model_validator

from labfactory.base.canonical import canonical_json, sha256_hex
from labfactory.base.instants import instant
from labfactory.base.settings import Settings, read_bounded, settings_from
from labfactory.governance.evidence import Evidence
from labfactory.governance.gate import Gate  # noqa: TC001 - pydantic reads the annotation
from labfactory.governance.roles import OVERRIDE_SIGNATURES, Role
from labfactory.governance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

__all__ = ["GraduationPolicy"]


class PolicyHead(Settings):
    """The `[policy]` table: which policy it is, and for how long its verdicts hold."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")]
    version: Annotated[int, Field(ge=1)]
    expires_days: Annotated[int, Field(ge=1, le=3660)] = 180


class ApprovalRules(Settings):
    """The `[approvals]` table: whose yes it takes."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    exclude_author: bool = True


class OverrideRules(Settings):
    """The `[override]` table: who may overrule a verdict, two of them together."""

    roles: Annotated[tuple[Role, ...], Field(min_length=OVERRIDE_SIGNATURES)]


class GraduationPolicy(Settings):
    """A policy file: gates, and the roles that approve.

    Attributes:
        policy: Id, version, and the days that a verdict holds.
        gate: The gates; a concept graduates when all pass.
        approvals: The roles that must approve, each by another person, and whether the author may be one of
            them.
        override: The roles that may overrule a verdict; those of the approvals when the table is absent.

    Example:
        >>> from datetime import datetime, timezone
        >>> policy = GraduationPolicy.from_toml(b'''
        ... policy = {id = "email", version = 1}
        ... approvals = {roles = ["bridge_manager"]}
        ... gate = [{type = "srm"}]
        ... ''')
        >>> print(policy.judge({"srm": {"p": 0.5}}, datetime(2026, 5, 1, tzinfo=timezone.utc)))
        Verdict of email@1: passed
          gate  status  figure  bound     figure is
          srm   pass    0.5     >= 0.001  p of the sample ratio check
        asks approval by: bridge_manager; ends 2026-10-28T00:00:00Z
    """

    policy: PolicyHead
    gate: Annotated[tuple[Gate, ...], Field(min_length=1)]
    approvals: ApprovalRules
    override: OverrideRules | None = None
    _source: bytes = PrivateAttr(default=b"")

    @model_validator(mode="after")
    def _roles_are_distinct(self) -> GraduationPolicy:
        for roles in (self.approvals.roles, self.override_roles):
            if len(set(roles)) != len(roles):
                message = f"expected each role once, found {', '.join(roles)}"
                raise ValueError(message)
        return self

    @classmethod
    def load(cls, path: Path | str) -> GraduationPolicy:
        """Read a policy file.

        Raises:
            UsageError: `file_unreadable`, or `settings` with every fault of the file.
        """
        return cls.from_toml(read_bounded(path), name=str(path))

    @classmethod
    def from_toml(cls, source: bytes, *, name: str = "graduation.toml") -> GraduationPolicy:
        """Read a policy from the bytes of its file."""
        policy = settings_from(cls, source, name=name)
        policy._source = source
        return policy

    @property
    def source(self) -> bytes:
        """The bytes of the policy's file."""
        return self._source or self.to_json()

    @property
    def override_roles(self) -> tuple[str, ...]:
        """The roles that may overrule a verdict."""
        return self.override.roles if self.override else self.approvals.roles

    def judge(self, evidence: Mapping[str, Any], now: datetime) -> Verdict:
        """Hold evidence against every gate; equal arguments give equal verdicts.

        Args:
            evidence: An evaluation's `to_dict()`, with `golden`, `playbook` and `variants`. What is absent,
                null or not finite counts as missing, and what is missing never passes.
            now: The moment of the verdict, aware.

        Returns:
            The verdict, about this evidence and no package yet.

        Raises:
            UsageError: `instant` for a moment without a zone; `json_value` for evidence that JSON cannot
                hold.
        """
        moment = instant(now)
        plain = _plain(evidence)
        reader = Evidence(plain)
        return Verdict(
            policy=f"{self.policy.id}@{self.policy.version}",
            policy_sha256=sha256_hex(self.source),
            evidence_sha256=sha256_hex(canonical_json(plain)),
            judged_at=moment,
            expires_at=moment + timedelta(days=self.policy.expires_days),
            roles=self.approvals.roles,
            gates=tuple(row for gate in self.gate for row in gate.judge(reader)),
        )


def _plain(value: Any) -> Any:
    """Evidence as JSON will hold it: a figure that is not finite is no figure."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

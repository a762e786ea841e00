"""What a graduation policy says of a package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from labfactory.base.canonical import canonical_json, sha256_hex
from labfactory.base.errors import GovernanceError, HandoffError, UsageError
from labfactory.base.instants import instant, instant_text
from labfactory.governance.gate import GateRow
from labfactory.governance.roles import Approval, Override, StatementSigner
from labfactory.governance.statement import VERDICT, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["Verdict"]


@dataclass(frozen=True, repr=False)
class Verdict:
    """The answer of every gate, and of all of them together.

    Attributes:
        policy: Id and version of the policy, as `id@version`.
        policy_sha256: Digest of the policy's file.
        evidence_sha256: Digest of the evidence as canonical JSON.
        judged_at: The moment that the judge was given.
        expires_at: When the verdict ends.
        roles: The roles whose approval the policy asks for.
        gates: A row for each figure that was held against a bound.
        package: Name and version of the package, as `name@version`; None before a draft binds it.
        root: The package's root digest; None before a draft binds it.
    """

    policy: str
    policy_sha256: str
    evidence_sha256: str
    judged_at: datetime
    expires_at: datetime
    roles: tuple[str, ...]
    gates: tuple[GateRow, ...]
    package: str | None = None
    root: str | None = None

    @property
    def status(self) -> Literal["passed", "refused", "inconclusive"]:
        """Refused when a gate fails; passed when there are gates and all pass; else inconclusive."""
        found = {row.status for row in self.gates}
        if "fail" in found:
            return "refused"
        return "passed" if found == {"pass"} else "inconclusive"

    def about(self, package: str, root: str) -> Verdict:
        """This verdict, bound to a package's root."""
        return replace(self, package=package, root=root)

    def approve(self, *, role: str, signer: StatementSigner) -> Approval:
        """Sign a yes to the package's root and to this verdict.

        Args:
            role: One of the policy's roles.
            signer: The person with the key.

        Raises:
            GovernanceError: `role_unknown` for a role that the policy does not ask for, `verdict_unbound`.
        """
        if role not in self.roles:
            message = f"expected a role of the policy ({', '.join(self.roles)}), found {role}"
            raise GovernanceError(message, code="role_unknown")
        return Approval.make(self.subjects(), role=role, signer=signer)

    def override(self, *, reason: str, expires_at: datetime) -> Override:
        """Begin an override: it counts once two of the policy's roles have signed it.

        Args:
            reason: Why the package may go on, in words.
            expires_at: When the override ends; with the verdict at the latest.

        Raises:
            GovernanceError: `override_refused` when nothing is overruled, without a reason, or past the
                verdict.
        """
        end = instant(expires_at, "expires_at")
        faults = {
            "the verdict has passed": self.status == "passed",
            "there is no reason": not reason.strip(),
            "it would outlive the verdict": end > self.expires_at,
            "it ends before it begins": end <= self.judged_at,
        }
        fault = next((text for text, holds in faults.items() if holds), None)
        if fault:
            message = f"expected an override with cause, reason and end, found that {fault}"
            raise GovernanceError(message, code="override_refused")
        return Override(self.subjects(), reason, end)

    def subjects(self) -> dict[str, str]:
        """What an approval approves: the root's digest and the digest of the verdict's statement."""
        return {"package": self._bound()[1], "verdict.json": sha256_hex(self.statement())}

    def statement(self) -> bytes:
        """The in-toto statement about the root whose predicate is this verdict.

        Raises:
            GovernanceError: `verdict_unbound` when the verdict is about no package.
        """
        package, root = self._bound()
        return Statement({package: root}, VERDICT, self.to_dict()).to_bytes()

    @classmethod
    def read(cls, data: bytes) -> Verdict:
        """Read a verdict's statement.

        Raises:
            HandoffError: `statement_malformed` unless it is one, as `statement` writes it.
        """
        statement = Statement.from_bytes(data, VERDICT)
        try:
            verdict = cls._from_dict(statement.predicate)
            ((package, root),) = statement.subjects.items()
            bound = verdict.about(package, root)
            if bound.statement() == data:
                return bound
        except (KeyError, TypeError, ValueError, UsageError):
            pass
        message = "expected the verdict of a policy about one package, found another predicate"
        raise HandoffError(message, code="statement_malformed")

    def to_dict(self) -> dict[str, Any]:
        """The verdict without its subject, ready for canonical JSON."""
        return {
            "policy": {"id": self.policy, "sha256": self.policy_sha256},
            "status": self.status,
            "judged_at": instant_text(self.judged_at),
            "expires_at": instant_text(self.expires_at),
            "evidence_sha256": self.evidence_sha256,
            "roles": list(self.roles),
            "gates": [row.to_dict() for row in self.gates],
        }

    def to_json(self) -> bytes:
        """The verdict as canonical JSON, with its package and root when it is bound."""
        return canonical_json({**self.to_dict(), "package": self.package, "root": self.root})

    def __repr__(self) -> str:
        about = f" about {self.package}" if self.package else ""
        cells = [
            (row.name, row.status, _text(row.figure), f"{row.relation} {_text(row.bound)}", row.reason)
            for row in self.gates
        ]
        lines = _table([("gate", "status", "figure", "bound", "figure is"), *cells])
        roles = ", ".join(self.roles)
        end = instant_text(self.expires_at)
        return "\n".join(
            [
                f"Verdict of {self.policy}{about}: {self.status}",
                *lines,
                f"asks approval by: {roles}; ends {end}",
            ]
        )

    def _bound(self) -> tuple[str, str]:
        if self.package is None or self.root is None:
            message = "expected a verdict about a package, found one about evidence alone"
            raise GovernanceError(message, code="verdict_unbound", hint="judge through draft.judge(now=...)")
        return self.package, self.root

    @classmethod
    def _from_dict(cls, value: Any) -> Verdict:
        return cls(
            policy=value["policy"]["id"],
            policy_sha256=value["policy"]["sha256"],
            evidence_sha256=value["evidence_sha256"],
            judged_at=instant(value["judged_at"], "judged_at"),
            expires_at=instant(value["expires_at"], "expires_at"),
            roles=tuple(value["roles"]),
            gates=tuple(GateRow(**row) for row in value["gates"]),
        )


def _text(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:,}" if isinstance(figure, int) else f"{figure:.4g}"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]

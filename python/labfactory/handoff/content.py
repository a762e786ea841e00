"""The files under a package's root, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labfactory.base.canonical import parse_json
from labfactory.base.errors import HandoffError, UsageError
from labfactory.base.settings import settings_from
from labfactory.governance.evidence import sections
from labfactory.governance.policy import GraduationPolicy
from labfactory.handoff.golden import read_assets, read_rows
from labfactory.handoff.golden_tables import read_tables
from labfactory.handoff.manifest import HEADER, Header, Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa

    from labfactory.compiler import Table
    from labfactory.governance.verdict import Verdict

__all__ = ["Content"]

EVALUATION = "evidence/evaluation.json"
FINDINGS = "evidence/findings.json"
POLICY = "policy/graduation.toml"
PLAYBOOK = "playbook/playbook.md"
GOLDEN_SCHEMA = "golden/schema.json"
GOLDEN_ROWS = "golden/rows.jsonl"
GOLDEN_ASSETS = "golden/assets.jsonl"
GOLDEN_TABLES = "golden/tables.jsonl"


@dataclass(frozen=True, repr=False)
class Content:
    """The files under a root, and what they say.

    Attributes:
        files: Content by path.
        header: What the author states.
        policy: The graduation policy that travels with the package.
        manifest: The files by digest, and the root.
    """

    files: Mapping[str, bytes]
    header: Header
    policy: GraduationPolicy
    manifest: Manifest

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Content:
        """Read the files under a root.

        Raises:
            HandoffError: `manifest_malformed` when one that every package has is absent or cannot be read.
        """
        absent = [path for path in (HEADER, EVALUATION, POLICY, PLAYBOOK) if path not in files]
        if absent:
            message = f"expected a package with {', '.join(absent)}, found none"
            raise HandoffError(message, code="manifest_malformed")
        try:
            header = settings_from(Header, files[HEADER], name=HEADER)
            policy = GraduationPolicy.from_toml(files[POLICY], name=POLICY)
        except UsageError as error:
            message = f"expected a header and a policy that can be read, found: {error.message}"
            raise HandoffError(message, code="manifest_malformed", template=error.template) from None
        content = cls(files, header, policy, Manifest.of(files))
        content.evidence()
        content.golden_rows()
        content.golden_tables()
        return content

    @property
    def id(self) -> str:
        """Name and version."""
        return f"{self.header.name}@{self.header.version}"

    @property
    def root(self) -> str:
        """The digest over all files: the package's identity."""
        return self.manifest.root

    def evaluation(self) -> dict[str, Any]:
        """What the experiment showed, as `Evaluation.to_dict()` gives it."""
        value = parse_json(self.files[EVALUATION])
        if not isinstance(value, dict):
            message = "expected an evaluation, found other JSON"
            raise HandoffError(message, code="manifest_malformed")
        return value

    def evidence(self) -> dict[str, Any]:
        """Everything that the policy judges, from the files alone."""
        golden: dict[str, Any] = {}
        if GOLDEN_ASSETS in self.files:
            assets = self.golden_assets()
            errors = sum(asset["status"] == "error" for asset in assets)
            golden = {"count": len(assets), "errors": errors}
        if FINDINGS in self.files:
            golden["findings"] = parse_json(self.files[FINDINGS], canonical=True)
        variants = list(self.header.variants)
        return {
            **self.evaluation(),
            "golden": golden,
            "playbook": {"sections": sections(self.playbook())},
            "variants": variants,
        }

    def playbook(self) -> str:
        """The playbook's text."""
        try:
            return self.files[PLAYBOOK].decode("utf-8")
        except UnicodeDecodeError:
            message = "expected a playbook in UTF-8, found other bytes"
            raise HandoffError(message, code="manifest_malformed") from None

    def golden_rows(self) -> pa.Table | None:
        """The golden rows; None when the package has none."""
        if GOLDEN_ROWS not in self.files:
            return None
        return read_rows(self.files.get(GOLDEN_SCHEMA, b""), self.files[GOLDEN_ROWS])

    def golden_tables(self) -> dict[str, Table]:
        """What the golden rows read of the tables that the package needs, by name."""
        if GOLDEN_ROWS not in self.files:
            return {}
        return read_tables(self.files.get(GOLDEN_TABLES, b""), self.header.tables)

    def golden_assets(self) -> list[dict[str, Any]]:
        """The assets that the golden rows became where the package was built."""
        return read_assets(self.files.get(GOLDEN_ASSETS, b""))

    def golden_bytes(self) -> bytes:
        """The golden assets as they lie in the package."""
        return self.files.get(GOLDEN_ASSETS, b"")

    def below(self, folder: str) -> dict[str, bytes]:
        """The files of a folder, by their path in it."""
        prefix = folder + "/"
        return {
            path.removeprefix(prefix): data for path, data in self.files.items() if path.startswith(prefix)
        }

    def judge(self, now: datetime) -> Verdict:
        """The policy's verdict about this root."""
        return self.policy.judge(self.evidence(), now).about(self.id, self.root)

"""SelectionPolicy: which component each customer gets, as a value with a version and files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labfactory.base.errors import SelectionError, nearest
from labfactory.selection.policy_file import (
    MODEL_FILE,
    POLICY_FILE,
    read_policy,
    write_policy,
)
from labfactory.selection.policy_text import PolicyText
from labfactory.selection.selector import Bindable, Selector, bind_slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    import pyarrow as pa

    from labfactory.selection.slot_policy import SlotPolicy

_SLOT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, eq=False)
class SelectionPolicy:
    """What chooses a component for every customer and slot.

    Args:
        version: Its name in logs, and with the seed the key of its random numbers: two policies of one
            version draw alike.
        slots: The policy of each slot by the slot's name.

    Raises:
        SelectionError: `policy_field` when there is no version or no slot, or a slot's name is not a word;
            CompileError where an expression is not one.

    Example:
        >>> import pyarrow as pa
        >>> from labfactory.selection import ChoiceRule, SlotPolicy
        >>> policy = SelectionPolicy.build(
        ...     "1",
        ...     offer=SlotPolicy.build(
        ...         rules=[ChoiceRule(component="womens", when="womens == 1"), ChoiceRule(component="mens")]
        ...     ),
        ... )
        >>> print(policy.files()["selection.toml"].decode().split("[slots.offer.exploration]")[0].strip())
        version = "1"
        <BLANKLINE>
        [slots.offer]
        rules = [
            { when = "womens == 1", component = "womens" },
            { component = "mens" },
        ]
    """

    version: str
    slots: Mapping[str, SlotPolicy]
    text: PolicyText = field(default_factory=PolicyText, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", dict(self.slots))
        with self.text.at("version"):
            if not self.version.strip():
                message = "expected a version, found an empty one"
                raise SelectionError(message, code="policy_field")
        with self.text.at("slots"):
            if not self.slots:
                message = "expected at least one slot, found none"
                raise SelectionError(message, code="policy_field")
        for name, slot in self.slots.items():
            self._check_slot(name, slot)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SelectionPolicy) and self.files() == other.files()

    def __hash__(self) -> int:
        return hash(tuple(self.files().items()))

    def __repr__(self) -> str:
        return f"SelectionPolicy(version={self.version!r}, slots={list(self.slots)!r})"

    @classmethod
    def build(cls, version: str, **slots: SlotPolicy) -> SelectionPolicy:
        """Makes a policy from the policies of its slots.

        Args:
            version: Its name in logs.
            slots: The policy of each slot, by its name.

        Returns:
            The policy.

        Raises:
            SelectionError: As the class.
        """
        return cls(version, slots)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> SelectionPolicy:
        """Reads a policy and, where it has tensors, the model.safetensors beside it.

        Args:
            path: The file selection.toml.

        Returns:
            The policy.

        Raises:
            SelectionError: `policy_unreadable` when a file cannot be read; `policy_syntax`, `policy_field`,
                `model_file` and what the class raises, with the place.
        """
        file = Path(path)
        content = _read(file)
        model = file.with_name(MODEL_FILE)
        return cls._parse(file.name, content, _read(model) if model.exists() else None)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> SelectionPolicy:
        """Makes the policy that `files` gave.

        Args:
            files: Bytes by name: selection.toml and, where it has tensors, model.safetensors.

        Returns:
            The policy.

        Raises:
            SelectionError: `policy_unreadable` when a file is missing or not one of these; else as `load`.
        """
        unknown = [name for name in files if name not in (POLICY_FILE, MODEL_FILE)]
        if POLICY_FILE not in files or unknown:
            message = f"expected {POLICY_FILE} and at most {MODEL_FILE}, found {sorted(files)}"
            raise SelectionError(message, code="policy_unreadable")
        return cls._parse(POLICY_FILE, files[POLICY_FILE], files.get(MODEL_FILE))

    def files(self) -> dict[str, bytes]:
        """The policy as files: equal bytes for equal policies, whatever they were read from."""
        return write_policy(self.version, self.slots)

    def bind(
        self,
        components: Mapping[str, Sequence[Bindable]],
        schema: pa.Schema,
        constants: Mapping[str, object] | None = None,
    ) -> Selector:
        """Compiles the policy for the components of a creative and the columns of its customers.

        Args:
            components: For each slot its components, in the creative's order.
            schema: The customers' columns.
            constants: Values that names in expressions stand for.

        Returns:
            What decides batches of such customers.

        Raises:
            SelectionError: `unknown_slot` for a slot that has no components, `uncovered_slot` for one
                without a policy, `unknown_component`, `exploration`, `condition_type`, `feature_type`.
            CompileError: An expression cannot run on this schema; with its place in the policy.
        """
        for name in self.slots:
            if not components.get(name):
                message = f"the policy fills slot {name!r}, which has no components"
                raise SelectionError(message, code="unknown_slot", hint=nearest(name, components))
        for name in components:
            if name not in self.slots:
                message = f"slot {name!r} has components, but the policy does not fill it"
                raise SelectionError(message, code="uncovered_slot", hint=nearest(name, self.slots))
        bound = [
            bind_slot(name, slot, components[name], schema=schema, constants=constants or {}, text=self.text)
            for name, slot in self.slots.items()
        ]
        return Selector(self.version, bound)

    @classmethod
    def _parse(cls, name: str, content: bytes, model: bytes | None) -> SelectionPolicy:
        try:
            decoded = content.decode()
        except UnicodeDecodeError as error:
            message = f"expected UTF-8, found byte {content[error.start]:#04x} at offset {error.start}"
            raise SelectionError(message, code="policy_syntax", template=name) from None
        text = PolicyText(decoded, name)
        version, slots = read_policy(text, model)
        return cls(version, slots, text)

    def _check_slot(self, name: str, slot: SlotPolicy) -> None:
        with self.text.at("slots", name):
            if not _SLOT_NAME.fullmatch(name):
                message = f"expected a slot's name of letters, digits, _ and -, found {name!r}"
                raise SelectionError(message, code="policy_field")
        for rules in ("eligible", "rules"):
            for number, rule in enumerate(getattr(slot, rules)):
                if rule.when is not None:
                    self.text.parse(rule.when, "slots", name, rules, number, "when")
        for number, feature in enumerate(slot.features):
            self.text.parse(feature.expression, "slots", name, "features", number, "expression")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise SelectionError(message, code="policy_unreadable") from None

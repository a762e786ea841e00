"""SelectionPolicy: which component each customer gets, as a value with a version and files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labfactory.base.errors import SelectionError
from labfactory.compiler import Expression
from labfactory.selection.bound_expression import Given
from labfactory.selection.contact import ContactRules
from labfactory.selection.learning import Learned, learn_policy
from labfactory.selection.policy_binder import PolicyBinder
from labfactory.selection.policy_file import MODEL_FILE, POLICY_FILE, read_policy
from labfactory.selection.policy_text import PolicyText
from labfactory.selection.policy_writer import write_policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    import pyarrow as pa

    from labfactory.compiler import Functions
    from labfactory.selection.bound_slot import Bindable
    from labfactory.selection.limits import Limit
    from labfactory.selection.matching import Window
    from labfactory.selection.selector import Selector
    from labfactory.selection.slot_policy import SlotPolicy

_SLOT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, eq=False)
class SelectionPolicy:
    """What chooses a component for every customer and slot.

    Args:
        version: Its name in logs, and with the seed the key of its random numbers: two policies of one
            version draw alike.
        slots: The policy of each slot by the slot's name.
        contact: What holds for every slot: consent, quiet hours, caps, holdouts.
        limits: What holds for all customers together, by name; a Factory's run keeps them, `bind` and
            `decide`, which know one customer at a time, do not.

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
    contact: ContactRules = field(default_factory=ContactRules)
    limits: Mapping[str, Limit] = field(default_factory=dict)
    text: PolicyText = field(default_factory=PolicyText, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", dict(self.slots))
        object.__setattr__(self, "limits", dict(self.limits))
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
        with self.text.at("slots"):
            filled = self.filled
            for name in filled:
                if filled.count(name) > 1:
                    message = f"expected each slot filled once, found {name!r} again"
                    raise SelectionError(message, code="duplicate_component")
        for path, expression in self.contact.expressions:
            self.text.parse(expression, "contact", *path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SelectionPolicy) and self.files() == other.files()

    def __hash__(self) -> int:
        return hash(tuple(self.files().items()))

    def __repr__(self) -> str:
        return f"SelectionPolicy(version={self.version!r}, slots={list(self.slots)!r})"

    @property
    def filled(self) -> list[str]:
        """The creative's slots that it fills, in its order."""
        return [fill for name, slot in self.slots.items() for fill in slot.fills or (name,)]

    @property
    def calls(self) -> frozenset[str]:
        """The names of the functions that its expressions call."""
        slots = (text for slot in self.slots.values() for text in slot.expressions)
        contact = (text for _, text in self.contact.expressions)
        return frozenset(name for text in (*slots, *contact) for name in Expression(text).calls)

    @classmethod
    def build(
        cls,
        version: str,
        *,
        contact: ContactRules | None = None,
        limits: Mapping[str, Limit] | None = None,
        **slots: SlotPolicy,
    ) -> SelectionPolicy:
        """Makes a policy from the policies of its slots.

        Args:
            version: Its name in logs.
            contact: What holds for every slot.
            limits: What holds for all customers together, by name.
            slots: The policy of each slot, by its name.

        Returns:
            The policy.

        Raises:
            SelectionError: As the class.
        """
        return cls(version, slots, contact or ContactRules(), limits or {})

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
        return write_policy(self.version, self.slots, self.contact, self.limits)

    def without_levers(self, version: str) -> SelectionPolicy:
        """The policy as it would choose if nobody pulled a lever: what levers cost is seen beside it.

        Args:
            version: Of the new policy.

        Returns:
            The same policy with every lever 1.
        """
        slots = {
            name: slot
            if slot.arbitration is None
            else replace(slot, arbitration=slot.arbitration.without("lever"))
            for name, slot in self.slots.items()
        }
        return replace(self, version=version, slots=slots, text=PolicyText())

    def bind(
        self,
        components: Mapping[str, Sequence[Bindable]],
        schema: pa.Schema,
        constants: Mapping[str, object] | None = None,
        functions: Functions | None = None,
    ) -> Selector:
        """Compiles the policy for the components of a creative and the columns of its customers.

        Args:
            components: For each slot its components, in the creative's order.
            schema: The customers' columns.
            constants: Values that names in expressions stand for.
            functions: What expressions may call.

        Returns:
            What decides batches of such customers.

        Raises:
            SelectionError: `unknown_slot` for a slot that has no components, `uncovered_slot` for one
                without a policy, `unknown_component`, `exploration`, `condition_type`, `feature_type`.
            CompileError: An expression cannot run on this schema; with its place in the policy.
        """
        return PolicyBinder(self, components, schema, Given.of(constants, functions)).bind()

    def learn(
        self,
        decisions: Any,
        outcomes: Any,
        *,
        version: str,
        customers: Any = None,
        reward: str = "reward",
        key: str = "key",
        slot: str | None = None,
        window: Window | None = None,
        absent: float | None = None,
        weighting: Literal["none", "propensity"] = "none",
        noise: float | None = None,
        prior_precision: float = 1.0,
        held_out: float = 0.3,
        constants: Mapping[str, object] | None = None,
        functions: Functions | None = None,
    ) -> Learned:
        """Learn the next version from what came of this one's decisions.

        Beta beliefs and linear models get their exact posterior, logistic models Laplace's approximation at
        the mode; what they believed before is the prior. Some customers are left for judging the draft by.

        Args:
            decisions: The decision log: key, slot, component, propensity.
            outcomes: Rows with the customer's key and a reward; those of one decision add up.
            version: Of the draft; another than this one's.
            customers: The customers, as they were when decided, with `key`; for slots with features.
            reward: Column of the reward in the outcomes.
            key: Column of the key in the outcomes and the customers.
            slot: Column of the slot in the outcomes; None where one counts for all slots of its customer.
            window: How long an outcome may take: younger decisions wait. None where all are old enough.
            absent: The reward of a decision without an outcome, such as 0 where only clicks are logged; None
                leaves such decisions out.
            weighting: "propensity" weighs decisions by 1 / propensity, at most 20: for Beta beliefs about all
                customers, where a policy chose by who they are.
            noise: Variance of a reward around a linear model; None takes that around components' means.
            prior_precision: Of the weights of a model without an uncertainty.
            held_out: Share of the customers, by lot of key and version, that nothing is learned from.
            constants: Values that names in expressions stand for.
            functions: What expressions may call.

        Returns:
            A draft. Nothing promotes it but a package with it that a graduation policy passes, and the
            evidence for that is `labfactory.evaluate_learned`.

        Raises:
            SelectionError: `learning` for settings that make no sense or customers that lack; `outcomes` for
                rewards that are not finite, or not 0 and 1 where they must be, and for decisions that are
                logged twice.
        """
        return learn_policy(
            self,
            decisions,
            outcomes,
            version=version,
            customers=customers,
            reward=reward,
            key=key,
            slot=slot,
            window=window,
            absent=absent,
            weighting=weighting,
            noise=noise,
            prior_precision=prior_precision,
            held_out=held_out,
            given=Given.of(constants, functions),
        )

    @classmethod
    def _parse(cls, name: str, content: bytes, model: bytes | None) -> SelectionPolicy:
        try:
            decoded = content.decode()
        except UnicodeDecodeError as error:
            message = f"expected UTF-8, found byte {content[error.start]:#04x} at offset {error.start}"
            raise SelectionError(message, code="policy_syntax", template=name) from None
        text = PolicyText(decoded, name)
        return cls(*read_policy(text, model), text)

    def _check_slot(self, name: str, slot: SlotPolicy) -> None:
        with self.text.at("slots", name):
            if not _SLOT_NAME.fullmatch(name):
                message = f"expected a slot's name of letters, digits, _ and -, found {name!r}"
                raise SelectionError(message, code="policy_field")
        for rules in ("eligible", "applicable", "suitable", "rules"):
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

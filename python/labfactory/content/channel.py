"""A channel says of which parts its assets are made, and what each part may be."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from labfactory.base.errors import ContentError, UsageError, nearest
from labfactory.content.segment import check_segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One text of an asset: the subject of an e-mail, its html, the text of an SMS.

    Args:
        name: The part's name, which is also the name of its template file without `.j2`.
        autoescape: Whether what templates print is escaped for HTML or XML.
        required: Whether every creative of the channel must have this part.
        single_line: Whether the finished part may hold no line break (a header line).
        max_bytes: The longest finished part in bytes of UTF-8; null where the channel sets no limit.
        max_json_bytes: The longest finished part in bytes as a JSON string; null for no limit.
        max_segments: The most messages that the finished part may take as an SMS; null for no limit.
        no_controls: Whether the finished part may hold no character that XML 1.0 forbids.
    """

    name: str
    autoescape: bool = False
    required: bool = True
    single_line: bool = False
    max_bytes: int | None = None
    max_json_bytes: int | None = None
    max_segments: int | None = None
    no_controls: bool = False

    def __post_init__(self) -> None:
        check_segment("part", self.name)
        for name in ("max_bytes", "max_json_bytes", "max_segments"):
            limit = getattr(self, name)
            if limit is not None and limit <= 0:
                message = f"expected {name} above 0, found {limit} for part {self.name!r}"
                raise ContentError(message, code="channel")

    def worst_json_bytes(self, size_bytes: int) -> int:
        """The most bytes that a finished part of this many bytes of UTF-8 takes as a JSON string."""
        # Every byte may be a quotation mark, which JSON escapes by one; controls it escapes by five.
        return 2 + (2 if self.no_controls else 6) * size_bytes

    def worst_sizes(self, size_bytes: int) -> Iterator[tuple[int, int, str]]:
        """What a finished part of this many bytes of UTF-8 counts at most, for each limit that it has.

        Args:
            size_bytes: Bytes of UTF-8.

        Yields:
            The most that it may count, the limit, and the unit of both.
        """
        if self.max_bytes is not None:
            yield size_bytes, self.max_bytes, "bytes"
        if self.max_json_bytes is not None:
            yield self.worst_json_bytes(size_bytes), self.max_json_bytes, "bytes of JSON"
        if self.max_segments is not None:
            # One character outside the GSM alphabet makes a unit of every byte; of a joined message's 67 a
            # surrogate pair that does not fit leaves one unused.
            segments = 1 if size_bytes <= 70 else ceil(size_bytes / 66)
            yield segments, self.max_segments, "SMS segments"


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach a customer, and the parts of its assets in their order.

    Args:
        name: The channel's name, as `creative.toml` gives it.
        parts: The parts in the order in which they are assembled.
        max_payload_bytes: The most bytes of all parts together, as one JSON object of theirs by name; null
            for no limit.

    Example:
        >>> [part.name for part in channel("email").parts]
        ['subject', 'preheader', 'html', 'text']
    """

    name: str
    parts: tuple[Part, ...]
    max_payload_bytes: int | None = None

    def __post_init__(self) -> None:
        check_segment("channel", self.name)
        if self.max_payload_bytes is not None and self.max_payload_bytes <= 0:
            message = (
                f"expected max_payload_bytes above 0, found {self.max_payload_bytes} "
                f"for channel {self.name!r}"
            )
            raise ContentError(message, code="channel")
        names = [part.name for part in self.parts]
        if not names or len(set(names)) != len(names):
            message = (
                f"expected one or more parts with different names, found {names} for channel {self.name!r}"
            )
            raise ContentError(message, code="channel")

    def worst_payload(self, sizes_bytes: Mapping[str, int]) -> int:
        """The most bytes that parts of these sizes may take together, as one JSON object.

        Args:
            sizes_bytes: Bytes of UTF-8 of each part.
        """
        # Quotation marks and colon of a name, and a comma; of the last the closing brace.
        return 1 + sum(
            len(name) + 4 + self.part(name).worst_json_bytes(size) for name, size in sizes_bytes.items()
        )

    def part(self, name: str) -> Part:
        """The part of this name.

        Raises:
            ContentError: `unknown_part`, when the channel has no such part.
        """
        for part in self.parts:
            if part.name == name:
                return part
        message = f"unknown part {name!r} of channel {self.name!r}"
        raise ContentError(
            message, code="unknown_part", hint=nearest(name, (part.name for part in self.parts))
        )


# Gmail clips a message above 102 KB of HTML, and with it the link to opt out.
_CLIPPED_BYTES = 102 * 1024
# RFC 5322, section 2.1.1: a header line holds at most 998 characters.
_HEADER_BYTES = 998
# Ten joined messages: 1,530 septets of the GSM 7-bit alphabet, or 670 characters of UCS-2.
_SMS_SEGMENTS = 10
_PUSH_TITLE_BYTES = 512
_PUSH_BODY_BYTES = 2048
# Apple and Google refuse a push message above 4 KB of JSON: title, body and, at least, what is around them
# (Apple, "Generating a remote notification"; Google, "About FCM messages").
PUSH_PAYLOAD_BYTES = 4096 - len('{"aps":{"alert":}}')

_channels: dict[str, Channel] = {}


def register_channel(new: Channel) -> Channel:
    """Make a channel known by its name, so that creatives can name it.

    Args:
        new: The channel; to register an equal one again changes nothing.

    Returns:
        The channel.

    Raises:
        UsageError: `channel_registered`, when another channel has this name.
    """
    known = _channels.setdefault(new.name, new)
    if known != new:
        message = (
            f"expected a new name for a channel, found {new.name!r}, which is registered with other parts"
        )
        raise UsageError(message, code="channel_registered")
    return new


def channel(name: str) -> Channel:
    """The registered channel of this name.

    Raises:
        ContentError: `unknown_channel`, when none is registered under it.
    """
    found = _channels.get(name)
    if found is None:
        message = f"unknown channel {name!r}"
        raise ContentError(message, code="unknown_channel", hint=nearest(name, _channels))
    return found


def channels() -> tuple[Channel, ...]:
    """Every registered channel, by name."""
    return tuple(_channels[name] for name in sorted(_channels))


register_channel(
    Channel(
        "email",
        (
            Part(name="subject", single_line=True, max_bytes=_HEADER_BYTES, no_controls=True),
            Part(
                name="preheader", required=False, single_line=True, max_bytes=_HEADER_BYTES, no_controls=True
            ),
            Part(name="html", autoescape=True, max_bytes=_CLIPPED_BYTES),
            Part(name="text", max_bytes=_CLIPPED_BYTES),
        ),
    )
)
register_channel(Channel("sms", (Part(name="text", max_segments=_SMS_SEGMENTS),)))
register_channel(
    Channel(
        "push",
        (
            Part(name="title", single_line=True, max_json_bytes=_PUSH_TITLE_BYTES, no_controls=True),
            Part(name="body", max_json_bytes=_PUSH_BODY_BYTES, no_controls=True),
        ),
        max_payload_bytes=PUSH_PAYLOAD_BYTES,
    )
)
register_channel(Channel("web", (Part(name="html", autoescape=True, max_bytes=1 << 20),)))
register_channel(Channel("svg", (Part(name="svg", autoescape=True, max_bytes=1 << 20, no_controls=True),)))

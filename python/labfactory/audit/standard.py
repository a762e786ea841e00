"""What every asset of a channel should fulfil, and what the channel itself demands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labfactory.audit.rule import EVERY_PART, Rule
from labfactory.content import PUSH_PAYLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from labfactory.content import Channel, Part

# 100 KiB, below the 102 KB at which Gmail clips: headers and tracking are added on the way.
_CLIPPED_BYTES = 102_400
# What mobile networks join without fail; an author who needs more writes a rule of their own.
_SMS_SEGMENTS = 10
# Apple and Google refuse a push message above 4 KB; title and body leave a third to its envelope.
_PUSH_TITLE_JSON_BYTES = 512
_PUSH_BODY_JSON_BYTES = 2048
_CLICKABLE = ("https", "mailto", "tel")


def _filled(part: str) -> tuple[Rule, ...]:
    return (Rule("min_bytes", part, limit_bytes=1), Rule("no_delimiters", part))


def _header(part: str) -> tuple[Rule, ...]:
    return (*_filled(part), *_one_line(part))


def _one_line(part: str) -> tuple[Rule, ...]:
    return (Rule("single_line", part), Rule("no_controls", part))


STANDARD: dict[str, tuple[Rule, ...]] = {
    "email": (
        *_header("subject"),
        Rule("no_delimiters", "preheader"),
        *_one_line("preheader"),
        *_filled("html"),
        Rule("max_bytes", "html", limit_bytes=_CLIPPED_BYTES),
        Rule("link_schemes", "html", schemes=_CLICKABLE),
        Rule("no_empty_links", "html"),
        Rule("required_link", "html", text="unsubscribe", ignore_case=True),
        *_filled("text"),
        Rule("required_text", "text", text="unsubscribe", ignore_case=True),
    ),
    "sms": (*_filled("text"), Rule("max_segments", "text", limit_segments=_SMS_SEGMENTS)),
    "push": (
        *_header("title"),
        Rule("max_json_bytes", "title", limit_bytes=_PUSH_TITLE_JSON_BYTES),
        *_filled("body"),
        Rule("no_controls", "body"),
        Rule("max_json_bytes", "body", limit_bytes=_PUSH_BODY_JSON_BYTES),
        Rule("max_payload_bytes", EVERY_PART, limit_bytes=PUSH_PAYLOAD_BYTES),
    ),
    "web": (
        *_filled("html"),
        Rule("link_schemes", "html", schemes=_CLICKABLE, allow_relative=True),
        Rule("no_empty_links", "html"),
    ),
    "svg": (
        *_filled("svg"),
        Rule("no_controls", "svg"),
        Rule("link_schemes", "svg", schemes=("https", "data"), allow_relative=True),
    ),
}


def demands(channel: Channel, parts: Iterable[str]) -> Iterator[Rule]:
    """The rules that a channel's own limits are, for the parts that a creative has."""
    present = set(parts)
    for part in channel.parts:
        if part.name in present:
            yield from _demands_of_part(part)
    if channel.max_payload_bytes is not None:
        yield Rule("max_payload_bytes", EVERY_PART, limit_bytes=channel.max_payload_bytes)


def _demands_of_part(part: Part) -> Iterator[Rule]:
    yield Rule("no_delimiters", part.name)
    if part.required:
        yield Rule("min_bytes", part.name, limit_bytes=1)
    if part.single_line:
        yield Rule("single_line", part.name)
    if part.no_controls:
        yield Rule("no_controls", part.name)
    if part.max_bytes is not None:
        yield Rule("max_bytes", part.name, limit_bytes=part.max_bytes)
    if part.max_json_bytes is not None:
        yield Rule("max_json_bytes", part.name, limit_bytes=part.max_json_bytes)
    if part.max_segments is not None:
        yield Rule("max_segments", part.name, limit_segments=part.max_segments)

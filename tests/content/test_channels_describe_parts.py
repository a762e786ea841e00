"""Channels are data, registered by name."""

from __future__ import annotations

import pytest

from labfactory.base.errors import ContentError, UsageError
from labfactory.content import Channel, Creative, Part, channel, channels, register_channel


def test_the_usual_channels_are_registered() -> None:
    assert [one.name for one in channels()] == ["email", "push", "sms", "svg", "web"]
    assert [part.name for part in channel("email").parts] == ["subject", "preheader", "html", "text"]
    assert [part.name for part in channel("email").parts if part.single_line] == ["subject", "preheader"]
    assert [part.name for part in channel("email").parts if not part.required] == ["preheader"]


def test_markup_alone_is_escaped() -> None:
    escaped = {part.name for one in channels() for part in one.parts if part.autoescape}
    assert escaped == {"html", "svg"}


def test_a_channel_is_registered_once() -> None:
    assert register_channel(channel("sms")) is not None
    with pytest.raises(UsageError) as caught:
        register_channel(Channel("sms", (Part(name="body"),)))
    assert caught.value.code == "channel_registered"


def test_an_unknown_channel_or_part_is_named_with_the_nearest() -> None:
    with pytest.raises(ContentError, match="did you mean 'email'") as caught:
        channel("emial")
    assert caught.value.code == "unknown_channel"
    with pytest.raises(ContentError, match="did you mean 'subject'") as caught:
        channel("email").part("subjct")
    assert caught.value.code == "unknown_part"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Channel("fax", ()),
        lambda: Channel("fax", (Part(name="page"), Part(name="page"))),
        lambda: Part(name="page", max_bytes=0),
        lambda: Channel("fax", (Part(name="page"),), max_payload_bytes=0),
    ],
)
def test_a_channel_that_makes_no_sense_is_refused(make: object) -> None:
    with pytest.raises(ContentError) as caught:
        make()  # type: ignore[operator]
    assert caught.value.code == "channel"


def test_names_stay_within_the_path_alphabet() -> None:
    for name in ("Fax", "fax page", "", "fax.", "fäx", "../fax"):
        with pytest.raises(ContentError) as caught:
            Part(name=name)
        assert caught.value.code == "name"


def test_a_creative_keeps_its_channels_order() -> None:
    parts = {"text": "c", "html": "b", "subject": "a"}
    creative = Creative(name="hello/one", channel=channel("email"), parts=parts)
    assert list(creative.parts) == ["subject", "html", "text"]
    assert repr(creative) == "Creative(hello/one: email subject, html, text)"

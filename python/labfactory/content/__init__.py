"""Content: channels, creatives, components, and the library that holds them."""

from __future__ import annotations

from labfactory.content.channel import Channel, Part, channel, channels, register_channel
from labfactory.content.component import Component
from labfactory.content.creative import Creative
from labfactory.content.library import Library, LibraryError, Variant

__all__ = [
    "Channel",
    "Component",
    "Creative",
    "Library",
    "LibraryError",
    "Part",
    "Variant",
    "channel",
    "channels",
    "register_channel",
]

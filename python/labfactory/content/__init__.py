"""Content: channels, creatives, components, and the library that holds them."""

from __future__ import annotations

from labfactory.content.channel import (
    PUSH_PAYLOAD_BYTES,
    Channel,
    Part,
    channel,
    channels,
    register_channel,
)
from labfactory.content.component import Component
from labfactory.content.creative import Creative
from labfactory.content.host import Host, Served
from labfactory.content.host_file import HostLocale, HostTable, in_folder, read_table
from labfactory.content.library import Library, LibraryError, Variant
from labfactory.content.translation import Translation

__all__ = [
    "PUSH_PAYLOAD_BYTES",
    "Channel",
    "Component",
    "Creative",
    "Host",
    "HostLocale",
    "HostTable",
    "Library",
    "LibraryError",
    "Part",
    "Served",
    "Translation",
    "Variant",
    "channel",
    "channels",
    "in_folder",
    "read_table",
    "register_channel",
]

"""SMS are counted as the standard's tables say."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import labfactory as lf
from labfactory.base.errors import SourceError

# 3GPP TS 23.038 V17.0.0, section 6.2.1, the table column by column, 16 characters each: b7 b6 b5 from 000 to
# 111 across, b4 to b1 from 0000 to 1111 down. The position 0x1B, the escape, is None.
COLUMNS: list[list[str | None]] = [
    ["@", "£", "$", "¥", "è", "é", "ù", "ì", "ò", "Ç", "\n", "Ø", "ø", "\r", "Å", "å"],
    ["Δ", "_", "Φ", "Γ", "Λ", "Ω", "Π", "Ψ", "Σ", "Θ", "Ξ", None, "Æ", "æ", "ß", "É"],
    [" ", "!", '"', "#", "¤", "%", "&", "'", "(", ")", "*", "+", ",", "-", ".", "/"],
    ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ":", ";", "<", "=", ">", "?"],
    ["¡", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O"],
    ["P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "Ä", "Ö", "Ñ", "Ü", "§"],
    ["¿", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"],
    ["p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z", "ä", "ö", "ñ", "ü", "à"],
]
DEFAULT = {character for column in COLUMNS for character in column if character is not None}
# The same, section 6.2.1.1: what follows the escape, by its position.
EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
ESCAPED = set(EXTENSION.values())


def plain(text: str) -> dict[str, object]:
    """The plain twin: characters are cut into messages one by one."""
    if all(character in DEFAULT | ESCAPED for character in text):
        encoding, alone, joined = "gsm7", 160, 153
        sizes = [2 if character in ESCAPED else 1 for character in text]
    else:
        encoding, alone, joined = "ucs2", 70, 67
        sizes = [len(character.encode("utf-16-le")) // 2 for character in text]
    if sum(sizes) <= alone:
        return {"encoding": encoding, "units": sum(sizes), "segments": 1}
    messages = [0]
    for size in sizes:
        if messages[-1] + size > joined:
            messages.append(0)
        messages[-1] += size
    return {"encoding": encoding, "units": sum(sizes), "segments": len(messages)}


def size(text: str) -> tuple[object, ...]:
    return tuple(lf.sms_segments([text]).to_pylist()[0].values())


def test_the_published_table_has_127_characters_and_the_escape() -> None:
    assert len(DEFAULT) == 127
    assert [len(column) for column in COLUMNS] == [16] * 8


def test_every_character_of_unicode_has_the_encoding_and_the_units_of_the_tables() -> None:
    characters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    found = lf.sms_segments(characters)
    gsm = {character for character, name in zip(characters, found.field("encoding"), strict=True)
           if name.as_py() == "gsm7"}  # fmt: skip
    assert gsm == DEFAULT | ESCAPED
    two = {character for character, units in zip(characters, found.field("units").to_pylist(), strict=True)
           if units == 2}  # fmt: skip
    assert two == ESCAPED | {character for character in characters if ord(character) > 0xFFFF}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("gsm7", 0, 1)),
        ("a" * 160, ("gsm7", 160, 1)),
        ("a" * 161, ("gsm7", 161, 2)),
        ("a" * 306, ("gsm7", 306, 2)),
        ("a" * 307, ("gsm7", 307, 3)),
        ("€" * 80, ("gsm7", 160, 1)),
        ("a" * 152 + "€" + "a" * 151, ("gsm7", 305, 2)),
        ("a" * 152 + "€" + "a" * 152, ("gsm7", 306, 3)),
        ("ç" * 70, ("ucs2", 70, 1)),
        ("ç" * 71, ("ucs2", 71, 2)),
        ("ç" * 134, ("ucs2", 134, 2)),
        ("ç" * 135, ("ucs2", 135, 3)),
        ("👋" * 35, ("ucs2", 70, 1)),
        ("ç" * 66 + "👋" + "ç" * 65, ("ucs2", 133, 2)),
        ("ç" * 66 + "👋" + "ç" * 66, ("ucs2", 134, 3)),
    ],
)
def test_no_character_is_torn_apart_between_messages(text: str, expected: tuple[object, ...]) -> None:
    assert size(text) == expected


MIXED = st.lists(
    st.tuples(st.sampled_from("aé€{\n\fç👋\u20ac中\0"), st.integers(1, 90)), max_size=6
).map(lambda runs: "".join(character * times for character, times in runs))  # fmt: skip


@given(st.lists(MIXED | st.text() | st.none(), max_size=8))
@example(["a" * 152 + "{"])
def test_counts_are_those_of_the_plain_twin(texts: list[str | None]) -> None:
    expected = [None if text is None else plain(text) for text in texts]
    assert lf.sms_segments(texts).to_pylist() == expected


@given(MIXED, MIXED)
def test_a_longer_text_never_needs_fewer_messages(first: str, second: str) -> None:
    assert plain(first)["segments"] == lf.sms_segments([first]).to_pylist()[0]["segments"]
    (alone,), (longer,) = (lf.sms_segments([text]).to_pylist() for text in (first, first + second))
    assert alone["segments"] <= longer["segments"]


@pytest.mark.parametrize("layout", [pa.string(), pa.large_string(), pa.string_view()])
def test_every_layout_of_text_slices_and_frames_are_counted_alike(layout: pa.DataType) -> None:
    texts = ["skipped", "a" * 161, None, "ç"]
    expected = lf.sms_segments(texts[1:]).to_pylist()
    assert lf.sms_segments(pa.array(texts, layout)[1:]).to_pylist() == expected
    assert (
        lf.sms_segments(pa.chunked_array([pa.array(texts[1:2]), pa.array(texts[2:])])).to_pylist() == expected
    )
    assert lf.sms_segments(pa.array(texts).dictionary_encode()[1:]).to_pylist() == expected
    assert lf.sms_segments(pl.Series(texts[1:])).to_pylist() == expected


def test_a_column_of_nulls_has_no_messages_and_numbers_are_refused() -> None:
    assert lf.sms_segments([None, None]).to_pylist() == [None, None]
    assert lf.sms_segments(pa.nulls(2)).to_pylist() == [None, None]
    with pytest.raises(SourceError, match="expected a column of text, found int64") as caught:
        lf.sms_segments(pa.array([1]))
    assert caught.value.code == "column_type"

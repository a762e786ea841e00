"""How many messages each SMS of a batch becomes on the air."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labfactory._core import audit as core
from labfactory.base.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENCODINGS = pa.array(["gsm7", "ucs2"])


def sms_segments(texts: Sequence[str | None] | object) -> pa.StructArray:
    """The encoding that each text needs as an SMS, its length in it, and the messages that it takes.

    A text whose characters are all in the GSM 7-bit default alphabet and its extension table is sent in it,
    any other as UCS-2. A lone message holds 160 septets or 70 units of UTF-16, a message that is joined with
    others 153 or 67; neither an escaped character nor a surrogate pair is torn apart.

    Args:
        texts: A column of text in any Arrow layout, from any Arrow library, or a sequence of text; an empty
            text is one empty message.

    Returns:
        A struct for each text: ``encoding`` ("gsm7" or "ucs2", a dictionary), ``units`` (septets or units of
        UTF-16) and ``segments``; null where the text is null.

    Raises:
        SourceError: ``column_type``, when the column is not text.

    References:
        3GPP TS 23.038, sections 6.1.2 and 6.2.1; 3GPP TS 23.040, section 9.2.3.24.1.

    Example:
        >>> sms_segments(["Hi Ann", "Hi Ann 👋"]).to_pylist()[1]
        {'encoding': 'ucs2', 'units': 9, 'segments': 1}
    """
    column = _text(texts)
    encoding, units, segments = core.sms_sizes(pa.record_batch({"text": column}))
    names = pa.DictionaryArray.from_arrays(pa.array(encoding), _ENCODINGS)
    fields = {"encoding": names, "units": pa.array(units), "segments": pa.array(segments)}
    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=column.is_null())


def _text(texts: Any) -> pa.Array:
    if isinstance(texts, pa.ChunkedArray) or hasattr(texts, "__arrow_c_stream__"):
        column = pa.chunked_array(texts).combine_chunks()
    elif isinstance(texts, pa.Array) or hasattr(texts, "__arrow_c_array__"):
        column = pa.array(texts)
    else:
        column = pa.array(list(texts), pa.string())
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        message = f"expected a column of text, found {column.type}"
        raise SourceError(message, code="column_type")
    return column

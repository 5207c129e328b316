"""Lines of text made of columns, a batch at a time: no Python object per row.

Arrow writes a float as the shortest decimal that reads back as the same number of the same precision, so
float32 values come back exactly, and `0.1` is not `0.10000000149011612`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# From here on Arrow writes whole numbers with an exponent, which marks them as floating point already.
_EXPONENT_FROM = 1e10


def as_text(values: pa.Array) -> pa.Array:
    """Numbers and flags as strings; null stays null, NaN and infinity become null.

    Whole floats keep a point (`1.0`): a reader that guesses types from the first rows would take a column
    that begins with `0` for integers and stumble over the first `0.5`.
    """
    if not pa.types.is_floating(values.type):
        return pc.cast(values, pa.string())
    values = pc.if_else(pc.is_finite(values), values, None)
    text = pc.cast(values, pa.string())
    whole = pc.and_(pc.equal(pc.trunc(values), values), pc.less(pc.abs(values), _EXPONENT_FROM))
    if pc.any(whole).as_py():
        text = pc.if_else(whole, pc.binary_join_element_wise(text, ".0", ""), text)
    return text


def quoted(value: str) -> str:
    """A text as one field of a CSV file (RFC 4180): in quotation marks where it needs them."""
    if any(mark in value for mark in ',"\r\n') or value != value.strip():
        return '"' + value.replace('"', '""') + '"'
    return value


def join(parts: Sequence[pa.Array | str], *, null: str = "") -> memoryview:
    """The bytes of all rows, one behind the other, in UTF-8.

    parts: what a row is made of, in order: strings of arrays of one length, or text that is the same in all
    rows. At least one array. null: what a missing value is written as.
    """
    lines = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement=null)
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(data or b"")[ends[0] : ends[-1]] if len(lines) else memoryview(b"")

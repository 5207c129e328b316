"""Arrays for the page: a JSON header and the bytes of the arrays behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONTENT_TYPE = "application/octet-stream"
_ALIGNMENT = 8  # a typed array of the browser must begin at a multiple of its item's size


def packed(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Length of the header (4 bytes, little-endian), the header as JSON, the arrays, each aligned to 8 bytes.

    The header gets an entry `arrays`: for each its type (`f8`, `f4`, `i4`, `u1`), shape and offset, in bytes
    from the end of the header.
    """
    described, pieces, offset = {}, [], 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array)
        if data.dtype == np.bool_:
            data = data.view(np.uint8)
        little = data.astype(data.dtype.newbyteorder("<"), copy=False)
        described[name] = {"type": little.dtype.str[1:], "shape": list(data.shape), "offset": offset}
        blob = little.tobytes()
        pieces.append(blob + bytes(-len(blob) % _ALIGNMENT))
        offset += len(pieces[-1])
    text = json.dumps({**header, "arrays": described}, allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % _ALIGNMENT)
    return b"".join([len(text).to_bytes(4, "little"), text, *pieces])

"""JSON that comes from outside, and JSON that goes out with names of files in it."""

from __future__ import annotations

import json
from typing import Any


def read_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON (`json.JSONDecodeError`), or it is nested so deep that reading it would need
            more of Python's stack than there is: an attack or an accident, but nothing that was ever written.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def json_bytes(value: Any, *, indent: int | None = None) -> bytes:
    r"""The value as UTF-8, readable: letters stand as they are.

    A file name that is not UTF-8 is in Python a string with lone surrogates, which UTF-8 cannot hold. They
    are written as JSON's own escapes (`\udce9`), from which Python makes the same name again.

    Raises:
        ValueError: NaN or infinity, which JSON does not have.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")

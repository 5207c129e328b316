"""Long names in narrow places."""

from __future__ import annotations


def shorten(name: str, width: int) -> str:
    """The name in at most `width` characters: start and end are kept, for both tell files apart."""
    if len(name) <= width:
        return name
    head = (width - 1) // 2
    return f"{name[:head]}…{name[len(name) - (width - 1 - head) :]}"

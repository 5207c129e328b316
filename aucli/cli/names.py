"""Names of files as a terminal can show them: on one line, in narrow places."""

from __future__ import annotations

import re

# Line ends, what moves a terminal's cursor or changes its colours, and what turns the direction of writing.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    r"""The text with control characters written out, `\n` and `\x1b`: a file may have any in its name."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shorten(name: str, width: int) -> str:
    """The name in at most `width` characters: start and end are kept, as both tell files apart."""
    name = one_line(name)
    if len(name) <= width:
        return name
    head = (width - 1) // 2
    return f"{name[:head]}…{name[len(name) - (width - 1 - head) :]}"

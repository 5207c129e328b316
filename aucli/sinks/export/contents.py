"""What a format holds of an extraction: the columns left empty, what it has no place for, what to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contents:
    """See the module.

    empty: columns of the format that cannot be filled: present, and empty in every row.
    left_out: columns of the extraction for which the format has no place.
    remarks: one sentence each.
    """

    empty: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

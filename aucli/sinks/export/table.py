"""A CSV table in the layout of another tool: its columns in its order, those we cannot fill left empty."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from aucli.sinks.export.contents import Contents
from aucli.sinks.export.lines import as_text, join, quoted

_Values = Callable[[pa.RecordBatch], pa.Array]


@dataclass(frozen=True)
class Column:
    """One column of the table.

    values: its values from the rows of the extraction; None where we have nothing to put there.
    reads: the columns of the extraction that it is made of.
    """

    name: str
    values: _Values | None = None
    reads: tuple[str, ...] = ()


def empty(names: Iterable[str]) -> list[Column]:
    """Columns that we cannot fill."""
    return [Column(name) for name in names]


def copied(name: str, source: str, schema: pa.Schema) -> Column:
    """A column with the values of another; empty where the extraction has no such column."""
    if source not in schema.names:
        return Column(name)
    return Column(name, lambda rows: rows.column(source), (source,))


def flag(name: str, source: str, schema: pa.Schema) -> Column:
    """A column of 1, 0 and, where nothing is known, nothing; from one of booleans."""
    if source not in schema.names:
        return Column(name)
    return Column(name, lambda rows: pc.cast(rows.column(source), pa.int8()), (source,))


def write_table(file: BinaryIO, columns: Sequence[Column], batches: Iterable[pa.RecordBatch]) -> int:
    """Write header and rows; returns how many rows. Memory does not grow with them."""
    file.write((",".join(quoted(column.name) for column in columns) + "\n").encode())
    rows = 0
    for batch in batches:
        file.write(join(_parts(columns, batch)))
        rows += batch.num_rows
    return rows


def _parts(columns: Sequence[Column], batch: pa.RecordBatch) -> list[pa.Array | str]:
    """What `join` makes a line of; neighbouring empty columns are one piece of text."""
    parts: list[pa.Array | str] = []
    between = ""
    for column in columns:
        if column.values is not None:
            parts.append(between)
            values = column.values(batch)
            parts.append(values if pa.types.is_string(values.type) else as_text(values))
            between = ""
        between += ","
    return [*parts, between[:-1] + "\n"]


def contents_of(columns: Sequence[Column], schema: pa.Schema, remarks: tuple[str, ...]) -> Contents:
    """What such a table holds of an extraction with this schema."""
    read = {name for column in columns for name in column.reads}
    return Contents(
        empty=tuple(column.name for column in columns if column.values is None),
        left_out=tuple(name for name in schema.names if name not in read and name != "video"),
        remarks=remarks,
    )


def ranges(names: Sequence[str]) -> list[str]:
    """The same names, shorter: landmarks `x_0`, `x_1`, `x_2` are `x_0 to x_2`. AUs are all named."""
    shorter = []
    for kind, group in groupby(names, key=_kind):
        members = list(group)
        shorter += members if kind == members[0] else [f"{members[0]} to {members[-1]}"]
    return shorter


def _kind(name: str) -> str:
    """`lm_mp_12_x` -> `lm_mp_#_`: what the numbered columns of one group have in common."""
    if name[:2].upper() == "AU":
        return name
    return re.sub(r"_[xyz]$", "_", re.sub(r"\d+", "#", name)) if re.search(r"\d", name) else name

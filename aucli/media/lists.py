"""Lists of inputs: list.txt (one path a line) and list.csv (path and, as needed, subject, start, end)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aucli.errors import UsageError


@dataclass(frozen=True)
class ListRow:
    """One line of a list; the path is as written, relative to the list's folder."""

    line: int  # from 1
    path: str
    subject: str | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None


def read_list(path: Path) -> list[ListRow]:
    """Read a list.txt or list.csv (by suffix) in UTF-8.

    list.txt: one path a line; empty lines and lines that begin with # are left out.
    list.csv: a header with the column `path` and any of `subject`, `start`, `end` (seconds); other
    columns are ignored, empty cells mean not given.

    Raises:
        UsageError: not readable, not text, no path in it, no column `path`, or a cell that cannot be
            understood, with the line's number.
    """
    try:
        # utf-8-sig: spreadsheets write a byte order mark, which would become part of the first path.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: is not UTF-8 text; save the list as UTF-8") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    rows = list(_csv_rows(path, text) if path.suffix.lower() == ".csv" else _txt_rows(text))
    if not rows:
        raise UsageError(f"{path}: names no path; write one path a line")
    return rows


def _txt_rows(text: str) -> Iterator[ListRow]:
    for number, line in enumerate(text.split("\n"), start=1):
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield ListRow(number, entry)


def _csv_rows(path: Path, text: str) -> Iterator[ListRow]:
    reader = csv.DictReader(io.StringIO(text), strict=True, skipinitialspace=True)
    try:
        columns = [(name or "").strip().lower() for name in reader.fieldnames or []]
        if "path" not in columns:
            raise UsageError(
                f"{path}, line 1: no column `path` among {', '.join(columns) or 'none'}; "
                "the header must be: path,subject,start,end (all but path may be left out)"
            )
        reader.fieldnames = columns
        for cells in reader:
            yield _csv_row(path, reader.line_num, cells)
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.reader.line_num}: is not valid CSV ({error})") from error


def _csv_row(path: Path, line: int, cells: dict[str | None, str | list[str] | None]) -> ListRow:
    where = f"{path}, line {line}"
    if None in cells:
        raise UsageError(f"{where}: more cells than the header has columns; quote paths that hold a comma")

    def cell(name: str) -> str | None:
        value = cells.get(name)
        return value.strip() or None if isinstance(value, str) else None

    def seconds(name: str) -> float | None:
        text = cell(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise UsageError(f"{where}: {name} {text!r} is not a number of seconds, 0 or more, like 12.5")
        return value

    entry = cell("path")
    if entry is None:
        raise UsageError(f"{where}: the path is empty; write one or take the line out")
    start, end = seconds("start"), seconds("end")
    if end is not None and end <= (start or 0.0):
        raise UsageError(f"{where}: end {end:g} is not after start {start or 0.0:g}")
    return ListRow(line, entry, cell("subject"), start, end)

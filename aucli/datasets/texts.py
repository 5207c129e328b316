"""Label files that are plain text, read with errors that name file, line and what should stand there."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aucli.errors import InputNotFoundError, UsageError


def read_lines(path: Path, *, expected: str) -> list[str]:
    """All lines without their ends; empty lines at the end of the file are dropped.

    expected: what the file is, for the error when it is not there.

    Raises:
        InputNotFoundError: no such file.
        UsageError: it cannot be read, or is not UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise InputNotFoundError(f"{path} does not exist: {expected} is expected there") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text; {expected} is expected there") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return text.rstrip().splitlines()


def read_csv_rows(path: Path, *, expected: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV file, cells stripped.

    Raises:
        InputNotFoundError, UsageError: see `read_lines`; also a row that has not as many cells as the header.
    """
    lines = read_lines(path, expected=expected)
    if not lines:
        raise UsageError(f"{path}: is empty; {expected} is expected there")
    try:
        header, *rows = [[cell.strip() for cell in row] for row in csv.reader(lines, strict=True)]
    except csv.Error as error:
        raise UsageError(f"{path}: is not valid CSV ({error})") from error
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise UsageError(f"{path}, line {number}: {len(row)} cells where the header has {len(header)}")
    return header, rows


def whole_numbers(
    lines: list[str], path: Path, *, columns: int | None, separator: str | None
) -> NDArray[np.int64]:
    """Whole numbers, as many on each line: int64 (lines, columns).

    columns: how many must stand on a line; None for as many as on the first. separator: None for blanks.

    Raises:
        UsageError: another number of them on a line, or something that is no whole number.
    """
    rows: list[list[int]] = []
    for number, line in enumerate(lines, start=1):
        cells = line.split(separator)
        columns = columns or len(cells)
        if len(cells) != columns:
            raise UsageError(f"{path}, line {number}: {len(cells)} values where {columns} are expected")
        try:
            rows.append([int(cell) for cell in cells])
        except ValueError:
            raise UsageError(f"{path}, line {number}: {line!r} are not whole numbers") from None
    return np.array(rows, np.int64).reshape(len(rows), columns or 0)


def check_values(
    values: NDArray[np.int64],
    allowed: tuple[int, ...],
    path: Path,
    *,
    first_line: int,
    columns: tuple[str, ...],
) -> None:
    """Refuse a table with a value that is none of those allowed, naming its place.

    Raises:
        UsageError: the first such value.
    """
    wrong = np.argwhere(~np.isin(values, allowed))
    if len(wrong):
        row, column = wrong[0]
        raise UsageError(
            f"{path}, line {row + first_line}: {columns[column]} is {values[row, column]}, "
            f"which is none of {', '.join(map(str, allowed))}"
        )

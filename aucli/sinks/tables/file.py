"""Tables as files: CSV, Parquet or JSON by the name, whole or not at all, with what they were made from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from aucli.errors import UsageError
from aucli.plain_json import json_bytes
from aucli.sinks.atomic import atomic_file, write_json
from aucli.sinks.metadata import read_metadata
from aucli.sinks.place import OutputPlace

SUFFIXES = (".csv", ".parquet", ".json")
METADATA_KEY = b"aucli_table"
"""Where a Parquet file of figures has its settings. Not `aucli`, which is for the rows of an extraction."""


def check_place(path: Path, source: Path) -> None:
    """Whether tables can be written there, before anything is computed.

    Raises:
        UsageError: another suffix, no such folder, no permission, or the extraction itself.
    """
    if path.suffix not in SUFFIXES:
        name = f"{path.stem or 'table'}.csv"
        raise UsageError(f"-o {path}: give a name in {', '.join(SUFFIXES)}, for instance {name}")
    check_writable(path, source)
    if path.suffix == ".parquet" and path.exists() and _is_extraction(path):
        raise UsageError(f"-o {path}: is an extraction; choose another output")
    if path.suffix == ".parquet" and source.resolve() in path.resolve().parents:
        raise UsageError(f"-o {path}: lies among the files of the extraction: choose another folder")


def check_writable(path: Path, source: Path) -> None:
    """Whether a file can be written there.

    Raises:
        UsageError: no such folder, no permission, a folder, or what extract has written.
    """
    if not path.parent.is_dir():
        raise UsageError(f"-o {path}: the folder {path.parent} does not exist: mkdir -p {path.parent}")
    if path.is_dir():
        raise UsageError(f"-o {path}: is a folder; give the name of a file")
    report = OutputPlace(source, single_file=not source.is_dir()).report
    if path.resolve() in (source.resolve(), report.resolve()):
        raise UsageError(f"-o {path}: is the extraction that is read, or its report: choose another output")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"-o {path}: no permission to write in {path.parent}: choose another output")


def _is_extraction(path: Path) -> bool:
    try:
        return read_metadata(pq.read_schema(path)) is not None
    except (OSError, pa.ArrowException):
        return False


def written_files(path: Path, tables: Mapping[str, pa.Table]) -> list[Path]:
    """The files that `write_tables` makes: one per table, the second on named after it; one JSON for all."""
    if path.suffix == ".json":
        return [path]
    return [path if i == 0 else path.with_suffix(f".{name}{path.suffix}") for i, name in enumerate(tables)]


def write_tables(
    path: Path,
    tables: Mapping[str, pa.Table],
    settings: Mapping[str, Any],
    meanings: Mapping[str, Mapping[str, str]],
) -> list[Path]:
    """Write tables and what they were made from; returns the files.

    settings: `Analysis.settings()`. meanings: of the columns, by table. Both lie in Parquet's metadata under
    `aucli_table`, in the JSON, and for CSV, which has no place for them, in `NAME.info.json` beside it.

    Raises:
        OutputError: a file cannot be written.
    """
    about = {
        "settings": dict(settings),
        "columns": {
            name: {column: meanings[name][column] for column in table.column_names}
            for name, table in tables.items()
        },
    }
    files = written_files(path, tables)
    if path.suffix == ".json":
        write_json(path, as_json(tables, about))
        return files
    for file, table in zip(files, tables.values(), strict=True):
        with atomic_file(file) as out:
            if path.suffix == ".csv":
                pa.csv.write_csv(table, out)
            else:
                metadata = {METADATA_KEY: json_bytes(about)}
                pq.write_table(table.replace_schema_metadata(metadata), out, compression="zstd")
    if path.suffix == ".csv":
        info = path.with_suffix(".info.json")
        write_json(info, about)
        files.append(info)
    return files


def as_json(tables: Mapping[str, pa.Table], about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as plain JSON values: `settings`, `columns`, and a list of rows per table."""
    rows = {}
    for name, table in tables.items():
        columns = [_plain(column) for column in table.columns]
        rows[name] = [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
    return {**about, **rows}


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """A float32 in the digits that it has: 0.39, not 0.38999998569488525."""
    values: list[Any] = column.to_pylist()
    if pa.types.is_float32(column.type):
        return [None if value is None else float(str(np.float32(value))) for value in values]
    return values

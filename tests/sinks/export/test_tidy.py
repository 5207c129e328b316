"""csv and json: the extraction again, to the last bit, in whatever program."""

import json
import shutil
import subprocess

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from aucli.errors import UsageError
from aucli.sinks import parquet
from tests.sinks.export.exporting import export, export_with_note
from tests.sinks.export.extractions import AUS, CARD, extraction, rows_with

NAMES = ('fête, "one".mp4', "sub/two\nlines.mp4", "=1+1.mp4", "日本語 😀.mp4")
SUBJECTS = {NAMES[0]: "Müller, Ä.", NAMES[1]: 'the "second"'}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tidy")
    videos = {name: rows_with(seed) for seed, name in enumerate(NAMES)}
    for seed, rows in enumerate(videos.values()):
        rows.pts_seconds[:] = rows.frame_indices * 1001 / 30000 + seed  # no short decimals
    return extraction(folder / "out.parquet", videos, subjects=SUBJECTS)


@pytest.fixture(scope="module", params=[1, 7, 16_384])
def files(request, source, tmp_path_factory):
    """As CSV and as JSON lines, read in batches of different sizes."""
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "_READ_ROWS", request.param)
        return {name: export(source, name, folder / f"out.{name}")[0].path for name in ("csv", "json")}


def same(found, source):
    """Whether a table of another program holds exactly the rows of the Parquet file."""
    table = pq.read_table(source)
    assert list(found.columns) == table.column_names
    assert len(found) == table.num_rows
    for name in table.column_names:
        ours = table[name].to_pandas()
        assert found[name].isna().tolist() == ours.isna().tolist(), name
        known = ours.notna()
        kind = table.schema.field(name).type.to_pandas_dtype()
        values = found.loc[known, name].to_numpy()
        if kind in (np.float32, np.float64):
            values = values.astype(np.float64).astype(kind)
        assert values.tolist() == ours[known].to_numpy().tolist(), name
    return True


def test_pandas_reads_the_csv(files, source):
    assert same(pd.read_csv(files["csv"]), source)


def test_pandas_reads_the_json(files, source):
    assert same(pd.read_json(files["json"], lines=True, precise_float=True, dtype=False), source)


def test_duckdb_reads_both(files, source):
    assert same(duckdb.sql(f"SELECT * FROM read_csv('{files['csv']}')").df(), source)
    assert same(duckdb.sql(f"SELECT * FROM read_json('{files['json']}')").df(), source)


def test_polars_reads_both(files, source):
    assert same(pl.read_csv(files["csv"], infer_schema_length=None).to_pandas(), source)
    objects = pl.read_ndjson(files["json"], infer_schema_length=None)  # whose keys it takes in any order
    assert same(objects.select(pq.read_schema(source).names).to_pandas(), source)


def test_the_standard_library_reads_each_line(files, source):
    ours = pq.read_table(source).to_pylist()
    theirs = [json.loads(line) for line in files["json"].read_text().splitlines()]
    assert len(theirs) == len(ours)
    for one, other in zip(theirs, ours, strict=True):
        assert {**one, **dict.fromkeys(k for k, v in one.items() if isinstance(v, float))} == {
            **other,
            **dict.fromkeys(k for k, v in other.items() if isinstance(v, float)),
        }


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_jq_reads_the_json(files, source):
    query = "select(.AU12 == true) | [.video, .frame, .track] | @json"
    done = subprocess.run(["jq", "-r", query, files["json"]], capture_output=True, text=True, check=True)
    ours = pq.read_table(source).to_pandas()
    ours = ours[ours["AU12"].eq(True)]
    expected = [[row.video, row.frame, int(row.track)] for row in ours.itertuples()]
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def test_everything_is_there(source, tmp_path):
    for name in ("csv", "json"):
        (file,), note = export_with_note(source, name, tmp_path / f"out.{name}")
        assert file.contents.empty == file.contents.left_out == ()
        assert file.videos == NAMES
        assert "Licence: MIT" in note
        assert "AU4 are weak" in note


def test_extractions_with_other_columns_are_no_single_table(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    extraction(folder / "a.parquet", {"a.mp4": rows_with()})
    extraction(folder / "b.parquet", {"b.mp4": rows_with(au_names=AUS[:3])})
    for name in ("csv", "json"):
        with pytest.raises(UsageError, match=r"b\.parquet has other columns than .*a\.parquet"):
            export(folder, name)
    assert len(export(folder, "openface", tmp_path / "each")) == 2


def test_extractions_by_other_models_are_no_single_table(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    extraction(folder / "a.parquet", {"a.mp4": rows_with()})
    extraction(
        folder / "b.parquet", {"b.mp4": rows_with()}, card=CARD | {"name": "other", "sha256": "cd" * 32}
    )
    for name in ("csv", "json", "annotator-table"):
        with pytest.raises(UsageError, match=r"different models \(study_model and other\)"):
            export(folder, name)
    _, note = export_with_note(folder, "pyfeat", tmp_path / "each")
    assert note.index("Files: a.csv.") < note.index("Model study_model.") < note.index("Files: b.csv.")
    assert note.count("Model other.") == 1

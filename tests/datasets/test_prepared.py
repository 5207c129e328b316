"""A folder of crops as `aucli prepare` leaves it, written here by hand: how each dataset takes it."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.datasets.labelled import MISSING
from aucli.datasets.open import open_dataset
from aucli.datasets.pictures import read_crops
from aucli.datasets.prepared import PREPARED_CROP, column_name, prepared_metadata, table_schema
from aucli.datatypes import CropConvention
from aucli.errors import UsageError
from tests.datasets.recipes import DISFA_AUS, DISFA_PEOPLE, picture

AUS = tuple(f"AU{number}" for number in DISFA_AUS)


def write_prepared(folder, people=DISFA_PEOPLE, dataset="disfa", crop=PREPARED_CROP):
    """Three coded frames for each person: AU12 rises 0, 1, 2; the middle one is without a face."""
    metadata = {"prepared": {"dataset": dataset, "crop": asdict(crop)}, "videos": []}
    rows = []
    for person in people:
        for frame in range(3):
            row = {"subject": person, "video": person, "frame": frame, "time_s": frame / 20}
            row |= {column_name(au): 0 for au in AUS} | {f"{column_name(au)}_int": 0.0 for au in AUS}
            row |= {"AU12": int(frame >= 2), "AU12_int": float(frame), "AU26": None, "AU26_int": None}
            seen = frame != 1
            row |= {
                "status": "ok" if seen else "no_face",
                "path": f"crops/{person}/{frame}.png" if seen else None,
                "face_score": 0.9 if seen else None,
                "crop_matrix": [1.0, 0, 0, 0, 1, 0] if seen else None,
            }
            rows.append(row)
    folder.mkdir(exist_ok=True, parents=True)
    schema = table_schema(AUS, with_intensity=True, metadata=metadata)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "labels.parquet")
    return folder


def test_column_names_sort_as_facs_does():
    assert [column_name(au) for au in ("AU1", "AU12", "AU4L", "AU10R")] == ["AU01", "AU12", "AU04L", "AU10R"]


def test_a_published_fold_of_prepared_crops(tmp_path):
    faces = open_dataset("disfa", write_prepared(tmp_path), "test", fold=3)
    assert len(faces) == 9 * 2  # without the frames that have no face
    assert faces.subjects[:4] == ("SN002", "SN002", "SN010", "SN010")  # in published order
    assert faces.frames.tolist() == [0, 2] * 9
    assert faces.au_names == ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26")
    assert faces.labels[:, 5].tolist() == [0, 1] * 9
    assert (faces.labels[:, 7] == MISSING).all()
    assert np.isnan(faces.intensity[:, 7]).all()
    assert faces.points is None
    assert faces.crop == PREPARED_CROP
    assert set(open_dataset("disfa", tmp_path, "val", fold=3).subjects) == {"SN007", "SN017", "SN004"}


def test_the_hybrid_set_counts_from_intensity_one(tmp_path):
    write_prepared(tmp_path / "DISFA", ["SN012"])
    table = pq.read_table(tmp_path / "DISFA" / "labels.parquet")
    rows = table.to_pylist()
    rows[0]["AU12_int"] = 1.0
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), tmp_path / "DISFA" / "labels.parquet")
    faces = open_dataset("hybrid", tmp_path, "val")
    assert faces.labels[:, faces.au_names.index("AU12")].tolist() == [1, 1]
    assert (faces.labels[:, faces.au_names.index("AU26")] == MISSING).all()
    assert faces.paths == ("DISFA/crops/SN012/0.png", "DISFA/crops/SN012/2.png")
    assert faces.crop == PREPARED_CROP


def test_it_opens_as_a_table_with_whoever_is_there(tmp_path):
    people = [f"SN00{n}" for n in range(1, 7)]
    write_prepared(tmp_path, people)
    with pytest.raises(UsageError, match=r"no crop of SN010, .*--dataset table takes who is there"):
        open_dataset("disfa", tmp_path, "train", fold=1)
    parts = [open_dataset("table", tmp_path, "test", fold=fold) for fold in (1, 2, 3)]
    assert sorted(person for part in parts for person in set(part.subjects)) == people
    assert parts[0].au_names == AUS
    assert parts[0].crop == PREPARED_CROP


def test_crops_reach_the_network_in_its_own_convention(tmp_path):
    write_prepared(tmp_path)
    faces = open_dataset("disfa", tmp_path, "test", fold=3)
    picture(tmp_path / faces.paths[0], 77)
    crops = read_crops(faces, [0], CropConvention(112, 1.44, -0.2))
    assert crops.shape == (1, 112, 112, 3)
    assert (crops == 77).all()


def test_another_dataset_s_folder_is_refused(tmp_path):
    write_prepared(tmp_path)
    with pytest.raises(UsageError, match="was prepared from disfa, not from bp4d"):
        open_dataset("bp4d", tmp_path, "train", fold=1)


def test_a_damaged_table_is_refused(tmp_path):
    write_prepared(tmp_path)
    (tmp_path / "labels.parquet").write_bytes((tmp_path / "labels.parquet").read_bytes()[:-100])
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        open_dataset("disfa", tmp_path, "train", fold=1)
    assert prepared_metadata(tmp_path / "elsewhere") is None

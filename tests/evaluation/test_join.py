"""Joining labels and an extraction: a real one of the smile clip, and small ones made for the odd cases."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import aucli
from aucli.errors import InputNotFoundError, UsageError
from aucli.evaluation.frame_labels import FrameLabels, read_labels
from aucli.evaluation.join import Extraction, join
from aucli.evaluation.run import compare
from aucli.inference.postprocess import Postprocess
from aucli.sinks.metadata import METADATA_KEY
from aucli.sinks.parquet import write_parquet
from aucli.sinks.schema import column_name, output_schema
from aucli.zoo.catalogue import find
from tests.cli.commands import EXAMPLES
from tests.evaluation.folders import FACES

CARD = find("builtin").card
AUS = ("AU12", "AU25")


def extraction(path, rows, *, card=CARD):
    """A Parquet file as extract writes it. rows: (video, frame, time_s, track or None, output of each AU)."""
    schema = output_schema(card.au_names)
    raw = np.array([row[4] for row in rows], np.float32)[:, None].repeat(len(card.au_names), 1)
    probabilities, occurrences = Postprocess.of(card)(raw)
    missing = np.array([row[3] is None for row in rows])
    columns = {
        "video": [row[0] for row in rows],
        "frame": [row[1] for row in rows],
        "time_s": [row[2] for row in rows],
        "track": [row[3] for row in rows],
    }
    for place, au in enumerate(card.au_names):
        columns[f"{column_name(au)}_prob"] = pa.array(probabilities[:, place], mask=missing)
        columns[column_name(au)] = pa.array(occurrences[:, place], mask=missing)
    arrays = [
        pa.array(columns.get(field.name, [None] * len(rows)), field.type)
        if not isinstance(columns.get(field.name), pa.Array)
        else columns[field.name]
        for field in schema
    ]
    metadata = {METADATA_KEY: json.dumps({"card": card.to_json()}).encode()}
    write_parquet(path, [pa.record_batch(arrays, schema=schema)], schema, metadata=metadata)
    return Extraction(path)


def labelled(videos, *, frames=None, seconds=None, subjects=None):
    frames = None if frames is None else np.array(frames, np.int64)
    seconds = None if seconds is None else np.array(seconds, np.float64)
    return FrameLabels(AUS, tuple(videos), frames, seconds, subjects, np.ones((len(videos), 2), np.int8))


@pytest.fixture
def clip(tmp_path):
    """25 frames a second; frame 3 without a face, a second person from frame 6 on."""
    rows = [("a/talk.mp4", frame, frame / 25, None if frame == 3 else 0, 0.1 * frame) for frame in range(10)]
    rows += [("a/talk.mp4", frame, frame / 25, 1, 0.05) for frame in (6, 7)]
    rows += [("b/other.mp4", 0, 0.0, 0, 0.9)]
    return extraction(tmp_path / "out.parquet", sorted(rows, key=lambda row: (row[0], row[1], row[3] or 0)))


def test_every_label_and_row_is_accounted_for(clip):
    labels = labelled(["talk"] * 4 + ["gone"], frames=[0, 3, 9, 99, 0])
    sample, joined = join(clip, labels, AUS)
    assert (joined.labels, joined.matched, joined.no_video, joined.no_frame, joined.no_face) == (
        5,
        2,
        1,
        1,
        1,
    )
    assert (joined.rows, joined.rows_without_label) == (9, 7)
    assert joined.videos_not_extracted == ("gone",)
    assert joined.videos_not_labelled == ("b/other.mp4",)
    assert joined.several_tracks == ("talk",)
    np.testing.assert_allclose(sample.outputs[:, 0], [0.0, 0.9], atol=1e-5)  # undone: the card's calibration
    assert sample.subjects == ("talk", "talk")


def test_the_person_seen_longest_unless_another_is_named(clip):
    labels = labelled(["talk"] * 3, frames=[6, 7, 8])
    np.testing.assert_allclose(join(clip, labels, AUS)[0].outputs[:, 0], [0.6, 0.7, 0.8], atol=1e-5)
    sample, joined = join(clip, labels, AUS, track=1)
    np.testing.assert_allclose(sample.outputs[:, 0], [0.05, 0.05], atol=1e-5)
    assert joined.no_face == 1


@pytest.mark.parametrize(
    ("seconds", "frame"),
    [(0.08, 2), (0.0999, 2), (0.0995, 2), (0.101, None), (0.1401, 4), (0.3799, 9), (0.42, None), (-0.019, 0)],
)
def test_a_time_finds_the_nearest_frame_within_half_of_one(clip, seconds, frame):
    labels = labelled(["talk", "talk"], seconds=[0.2, seconds])
    sample, joined = join(clip, labels, AUS)
    if frame is None:  # frame 3 is there but shows nobody; 0.42 s is after the end
        assert joined.matched == 1
        assert joined.no_face + joined.no_frame == 1
    else:
        np.testing.assert_allclose(sample.outputs[:, 0], [0.5, 0.1 * frame], atol=1e-5)


def test_half_a_frame_is_of_the_video_also_where_few_frames_were_extracted(tmp_path):
    rows = [("v.mp4", frame, frame / 25, 0, 0.1) for frame in range(0, 50, 10)]
    one = extraction(tmp_path / "every10.parquet", rows)
    _, joined = join(one, labelled(["v"] * 3, seconds=[0.4, 0.41, 0.43]), AUS)
    assert (joined.matched, joined.no_frame) == (2, 1)


def test_names_that_fit_and_names_that_do_not(tmp_path):
    rows = [(name, 0, 0.0, 0, 0.5) for name in ("s1/talk.mp4", "s2/talk.mp4", "F001/T1.avi")]
    one = extraction(tmp_path / "x.parquet", rows)
    for name in ("F001/T1", "T1", "T1.avi", "F001/T1.avi"):
        assert join(one, labelled([name], frames=[0]), AUS)[1].matched == 1
    assert join(one, labelled(["s1/talk"], frames=[0]), AUS)[1].matched == 1
    with pytest.raises(UsageError, match=r"s1/talk\.mp4, s2/talk\.mp4"):
        join(one, labelled(["talk"], frames=[0]), AUS)
    with pytest.raises(UsageError, match="1 labels are of videos not in it"):
        join(one, labelled(["1"], frames=[0]), AUS)


def test_the_real_extraction_of_a_clip_whose_course_is_known(tmp_path, request):
    truth = pd.read_csv(request.path.parents[1] / "inference" / "mini_smile.csv")
    table = truth[[name for name in truth if name.endswith("_occ")]]
    table = table.assign(video="smile", time_s=truth["time"].round(2))
    table.to_csv(tmp_path / "labels.csv", index=False)
    aucli.extract(EXAMPLES / "smile.mp4", output=tmp_path / "out.parquet", every=3)
    result = compare(Extraction(tmp_path / "out.parquet"), read_labels(tmp_path / "labels.csv"))
    joined, scores = result.tested[0].joined, result.tested[0].scores
    assert (joined.labels, joined.matched, joined.no_frame) == (90, 30, 60)
    au12 = scores.au_names.index("AU12")
    assert scores.auc[au12] > 0.95
    assert scores.modes["card"].f1[au12] > 0.8
    assert "AU6L" in scores.au_names  # the clip's table has sides, and so has the model
    assert any("No subjects" in text for text in result.tested[0].remarks)


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"frame": [0], "AU12": [1]}, "video"),
        ({"video": ["a"], "AU12": [1]}, "frame and time_s"),
        ({"video": ["a"], "frame": [0], "time_s": [0], "AU12": [1]}, "one of frame and time_s"),
        ({"video": ["a"], "frame": [0], "smile": [1]}, "one per AU"),
        ({"video": ["a"], "frame": [0], "AU12": [3]}, "holds 3"),
        ({"video": ["a"], "frame": [0], "AU12": ["yes"]}, "no number"),
        ({"video": ["a"], "frame": [0.5], "AU12": [1]}, "fractions"),
        ({"video": ["a", "b"], "frame": [0, None], "AU12": [1, 1]}, "row 2"),
    ],
)
def test_label_tables_that_are_none(tmp_path, columns, word):
    pd.DataFrame(columns).to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(UsageError, match=word):
        read_labels(tmp_path / "labels.csv")


def test_label_tables_as_csv_and_parquet(tmp_path):
    table = pd.DataFrame(
        {
            "video": ["007", "007"],
            "frame": [1, 2],
            "subject": ["P1", "P1"],
            "AU12": [3.2, 0.1],
            "AU12_occ": [1, 0],
            "AU04": [None, 1.0],
            "note": ["x", "y"],
        }
    )
    table.to_csv(tmp_path / "labels.csv", index=False)
    table.to_parquet(tmp_path / "labels.parquet")
    for name in ("labels.csv", "labels.parquet"):
        found = read_labels(tmp_path / name, frame_offset=-1)
        assert found.au_names == ("AU4", "AU12")
        assert found.labels.tolist() == [[-1, 1], [1, 0]]
        assert (found.videos, found.subjects) == (("007", "007"), ("P1", "P1"))
        assert found.frames.tolist() == [0, 1]


def test_files_that_are_no_extraction(tmp_path):
    with pytest.raises(InputNotFoundError, match="no such extraction"):
        Extraction(tmp_path / "none.parquet")
    with pytest.raises(InputNotFoundError, match="no such table"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(UsageError, match="not a Parquet file"):
        Extraction(tmp_path / "text.parquet")
    with pytest.raises(UsageError, match="not written by aucli"):
        Extraction(FACES / "labels.parquet")


def test_intensities_beside_labels(tmp_path):
    """`AU12` is an intensity beside `AU12_occ`, `AU06_int` beside `AU06`; -1 and empty were not coded."""
    path = tmp_path / "labels.csv"
    header = "video,frame,AU12,AU12_occ,AU06,AU06_int,AU25\n"
    path.write_text(header + "a,0,2.5,1,0,0.5,1\na,1,-1,0,1,,0\n")
    labels = read_labels(path)
    assert labels.au_names == ("AU6", "AU12", "AU25")
    np.testing.assert_array_equal(
        labels.intensity, np.array([[0.5, 2.5, np.nan], [np.nan, np.nan, np.nan]], np.float32)
    )
    path.write_text("video,frame,AU25\na,0,1\n")
    assert read_labels(path).intensity is None
    path.write_text("video,frame,AU12_int,AU12\na,0,7,1\n")
    with pytest.raises(UsageError, match="column AU12_int holds 7: an intensity is 0 to 5, or empty"):
        read_labels(path)

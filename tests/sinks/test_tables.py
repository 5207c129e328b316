"""Events and summaries of whole extractions, against pandas and courses made by hand."""

import json

import numpy as np
import pandas as pd
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from aucli.errors import InputNotFoundError, MediaError, UsageError
from aucli.series.baseline import Baseline, read_baseline
from aucli.series.events import EventSettings
from aucli.sinks.extraction import read_extraction
from aucli.sinks.schema import column_name
from aucli.sinks.tables.analysis import Analysis, Options
from aucli.sinks.tables.courses import read_courses
from aucli.sinks.tables.events import MEANINGS, event_table
from aucli.sinks.tables.file import METADATA_KEY, check_place, write_tables
from aucli.sinks.tables.summary import MEANINGS as SUMMARY_MEANINGS
from aucli.sinks.tables.summary import PAIR_MEANINGS, summary_tables
from tests.sinks.made_extraction import write_extraction

TIMES = np.arange(50) / 25


def bump(first, last, high=0.9, low=0.1, count=50):
    values = np.full(count, low)
    values[first:last] = high
    return values


def events_of(path, **options):
    return event_table(Analysis(path, Options(**options))).to_pandas()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two videos; in the first two people, one of whom is away for a while and back."""
    away = bump(5, 40)
    away[20:30] = np.nan
    return write_extraction(
        tmp_path_factory.mktemp("made") / "out.parquet",
        {
            "a.mp4": {
                "times": TIMES,
                "tracks": {
                    0: {"AU12": bump(10, 20), "AU12L": bump(0, 5), "AU12_int": 3 * bump(15, 25, low=0.0)},
                    1: {"AU12": away, "AU12L": away * 0, "AU12_int": away * 0},
                },
            },
            "b.mp4": {"times": TIMES + 7, "tracks": {4: {"AU4": bump(45, 50)}}},
            "none.mp4": {"times": TIMES, "tracks": {}},
        },
        intensity_aus=("AU12",),
    )


def test_events_of_each_track_in_each_video(made):
    found = events_of(made)
    columns = [
        "video",
        "track",
        "au",
        "measure",
        "onset_frame",
        "apex_frame",
        "last_frame",
        "cut_start",
        "cut_end",
    ]
    assert found[columns].to_numpy().tolist() == [
        ["a.mp4", 0, "AU12", "probability", 10, 10, 19, False, False],
        ["a.mp4", 0, "AU12L", "probability", 0, 0, 4, True, False],
        ["a.mp4", 0, "AU12", "intensity", 15, 15, 24, False, False],
        ["a.mp4", 1, "AU12", "probability", 5, 5, 19, False, True],
        ["a.mp4", 1, "AU12", "probability", 30, 30, 39, True, False],
        ["b.mp4", 4, "AU4", "probability", 45, 45, 49, False, True],
    ]
    assert found.onset_s.tolist() == [TIMES[10], 0, TIMES[15], TIMES[5], TIMES[30], TIMES[45] + 7]
    assert found.offset_s.tolist()[:3] == [TIMES[20], TIMES[5], TIMES[25]]  # the next frame's own time
    assert found.offset_s[3] == TIMES[20]  # he was not seen there, but the video has that frame
    assert found.duration_s.tolist() == [0.4, 0.2, 0.4, 0.6, 0.4, 0.2]
    assert found.peak.tolist() == [np.float32(v) for v in (0.9, 0.9, 2.7, 0.9, 0.9, 0.9)]
    assert found.enter.tolist() == [0.5, 0.5, 2.0, 0.5, 0.5, 0.5]
    assert found.leave.tolist() == [0.35, 0.35, 1.4, 0.35, 0.35, 0.35]
    assert set(found.columns) <= set(MEANINGS)


def test_chosen_aus_and_thresholds(made):
    assert set(events_of(made, aus=["AU012", "AU04"]).au) == {"AU12", "AU4"}
    assert set(events_of(made, aus=["AU12_int"]).measure) == {"intensity"}
    assert len(events_of(made, aus=["AU12_int"], thresholds={"AU12_int": 2.8})) == 0
    assert events_of(made, aus=["AU12L"], thresholds={"AU12L": 0.95}).empty
    assert events_of(made, aus=["AU4"], thresholds={"AU4": 0.05}).onset_frame.tolist() == [0]


def test_faces_that_are_not_valid_count_only_when_asked_for(tmp_path):
    valid = np.ones(50, bool)
    valid[20:40] = False
    path = write_extraction(
        tmp_path / "out.parquet",
        {"a.mp4": {"times": TIMES, "tracks": {0: {"AU12": bump(10, 50), "valid": valid}}}},
    )
    assert events_of(path, aus=["AU12"])[["onset_frame", "last_frame"]].to_numpy().tolist() == [
        [10, 19],
        [40, 49],
    ]
    assert events_of(path, aus=["AU12"], with_invalid=True).last_frame.tolist() == [49]
    row = summary_tables(Analysis(path))[0].to_pandas().set_index("au").loc["AU12"]
    assert row.known_s == pytest.approx(30 / 25)
    assert row.active_share == pytest.approx(20 / 30)


def test_courses_as_pandas_reads_them(examples_extraction):
    frame = pd.read_parquet(examples_extraction)
    for video in read_extraction(examples_extraction):
        analysis = Analysis(examples_extraction)
        courses = read_courses(video, analysis.signals)
        rows = frame[frame.video == video.video]
        assert courses.frames == rows.frame.nunique()
        for track in courses.tracks:
            own = rows[rows.track == track.track]
            assert track.times_seconds.tolist() == own.time_s.tolist()
            assert track.frames.tolist() == own.frame.tolist()
            for signal, values in zip(track.signals, track.values, strict=True):
                column = own[
                    column_name(signal.au) + ("_int" if signal.measure == "intensity" else "_prob")
                ].where(own.valid.astype(bool))
                np.testing.assert_array_equal(values, column.to_numpy(np.float32))


def test_the_share_is_that_of_the_extraction_s_own_column(examples_extraction):
    frame = pd.read_parquet(examples_extraction)
    frame = frame[frame.valid.eq(True)]
    aus, pairs = (table.to_pandas() for table in summary_tables(Analysis(examples_extraction)))
    aus = aus[aus.measure == "probability"]
    shares = {(row.video, row.track, row.au): row.active_share for row in aus.itertuples()}
    assert len(shares) == 3 * 39
    for (video, track), rows in frame.groupby(["video", "track"]):
        for au in ("AU1", "AU6", "AU12", "AU25"):
            # The examples have a constant rate, so the share of the time is that of the frames.
            assert shares[video, track, au] == pytest.approx(
                rows[f"AU{int(au[2:]):02d}"].astype(float).mean()
            )
        both = (rows.AU06 & rows.AU12).astype(float).mean()
        pair = pairs[
            (pairs.video == video) & (pairs.track == track) & (pairs.au_a == "AU6") & (pairs.au_b == "AU12")
        ]
        assert pair.both_share.tolist() == [pytest.approx(both)]
        mean = aus[(aus.video == video) & (aus.track == track) & (aus.au == "AU12")]["mean"]
        assert mean.tolist() == [pytest.approx(rows.AU12_prob.astype(float).mean(), rel=1e-5)]


def test_the_smile_of_the_example_is_one_event(examples_extraction):
    found = events_of(examples_extraction, aus=["AU12"])
    smile = found[found.video == "smile.mp4"]
    assert len(smile) == 1  # rendered so: intensity 2 or more from 1.16 to 2.84 seconds
    assert smile.onset_s.iloc[0] == pytest.approx(1.16, abs=0.13)
    assert smile.offset_s.iloc[0] == pytest.approx(2.84, abs=0.13)


def test_the_summary_counts_the_events_of_the_other_table(examples_extraction):
    analysis = Analysis(examples_extraction)
    counted = summary_tables(analysis)[0].to_pandas().groupby(["video", "track", "au"]).events.sum()
    listed = event_table(analysis).to_pandas().groupby(["video", "track", "au"]).size()
    assert counted[counted > 0].to_dict() == listed.to_dict()
    rates = summary_tables(analysis)[0].to_pandas()
    assert rates.events_per_minute.to_numpy() == pytest.approx(60 * rates.events / rates.known_s)


def test_a_folder_of_files_is_like_one_file(made, tmp_path):
    folder = tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    one = {"times": TIMES, "tracks": {0: {"AU12": bump(10, 20)}}}
    write_extraction(folder / "a.mp4.parquet", {"a.mp4": one}, report=False)
    write_extraction(folder / "sub" / "b.mp4.parquet", {"sub/b.mp4": one}, report=False)
    single = write_extraction(tmp_path / "out.parquet", {"a.mp4": one, "sub/b.mp4": one})
    assert event_table(Analysis(folder)).equals(event_table(Analysis(single)))
    write_extraction(folder / "c.parquet", {"c.mp4": one}, report=False, sha256="ef" * 32)
    with pytest.raises(UsageError, match="different models"):
        Analysis(folder)


# -- baseline -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """P1 in two videos with a neutral of 0.4, P2 with one of 0; both raise AU12 by 0.3, to 0.7 and 0.3."""
    folder = tmp_path_factory.mktemp("people")
    out = write_extraction(
        folder / "out.parquet",
        {
            "a.mp4": {"times": TIMES, "subject": "P1", "tracks": {0: {"AU12": bump(10, 25, 0.7, 0.4)}}},
            "b.mp4": {"times": TIMES, "subject": "P1", "tracks": {0: {"AU12": bump(0, 50, 0.4, 0.4)}}},
            "c.mp4": {"times": TIMES, "subject": "P2", "tracks": {0: {"AU12": bump(10, 25, 0.3, 0.0)}}},
        },
        thresholds={"AU12": 0.25},
    )
    rest = write_extraction(
        folder / "rest.parquet",
        {"rest.mp4": {"times": TIMES, "subject": "P1", "tracks": {0: {"AU12": bump(0, 50, 0.4, 0.4)}}}},
        thresholds={"AU12": 0.25},
    )
    return out, rest


@pytest.mark.parametrize("baseline", [Baseline("median"), Baseline("stretch", 0, 0.4)])
def test_a_neutral_per_subject_over_all_their_videos(people, baseline):
    raw = events_of(people[0], aus=["AU12"])
    assert raw[["video", "onset_frame", "last_frame"]].to_numpy().tolist() == [
        ["a.mp4", 0, 49],
        ["b.mp4", 0, 49],
        ["c.mp4", 10, 24],
    ]
    found = events_of(people[0], aus=["AU12"], baseline=baseline)
    assert found[["video", "onset_frame", "last_frame"]].to_numpy().tolist() == [
        ["a.mp4", 10, 24],
        ["c.mp4", 10, 24],
    ]
    assert found.neutral.tolist() == pytest.approx([0.4, 0])
    assert found.peak.tolist() == pytest.approx([0.7, 0.3])  # as extracted
    assert found.peak_change.tolist() == pytest.approx([0.3, 0.3])
    assert found.enter.tolist() == pytest.approx([0.25 * 0.6, 0.25])
    row = summary_tables(Analysis(people[0], Options(baseline=baseline)))[0].to_pandas()
    row = row[(row.video == "a.mp4") & (row.au == "AU12")].iloc[0]
    assert row["mean"] == pytest.approx(0.4 + 0.3 * 0.3)
    assert row.mean_change == pytest.approx(0.3 * 0.3)
    assert row["max"] == pytest.approx(0.7)
    assert row.active_share == pytest.approx(0.3)
    assert set(SUMMARY_MEANINGS) >= {"neutral", "mean_change", "max_change"}


def test_a_neutral_from_another_extraction(people):
    out, rest = people
    analysis = Analysis(out, Options(aus=["AU12"], baseline=read_baseline(str(rest))))
    found = event_table(analysis).to_pandas()
    assert found.video.tolist() == ["a.mp4"]  # P2 has no neutral there, and so no events
    assert found.neutral.tolist() == pytest.approx([0.4])
    assert len(analysis.notes) == 1
    assert "P2" in analysis.notes[0]
    rows = summary_tables(analysis)[0].to_pandas()
    of_p2 = rows[rows.subject == "P2"].iloc[0]
    assert np.isnan([of_p2.active_share, of_p2.events, of_p2.mean_change]).all()
    assert of_p2["mean"] == pytest.approx(0.3 * 0.3)  # what was extracted is still there


def test_one_person_here_and_there_need_no_name(tmp_path):
    def one(name, values):
        return write_extraction(
            tmp_path / name, {f"{name}.mp4": {"times": TIMES, "tracks": {0: {"AU12": values}}}}
        )

    rest = one("rest.parquet", bump(0, 50, 0.4))
    found = events_of(
        one("out.parquet", bump(10, 25, 0.8, 0.4)), aus=["AU12"], baseline=read_baseline(str(rest))
    )
    assert found.neutral.tolist() == pytest.approx([0.4])
    assert found.onset_frame.tolist() == [10]


def test_without_subjects_a_person_is_a_track(made):
    found = events_of(made, aus=["AU12"], baseline=Baseline("median"))
    # Track 1 is on for most of its time: its median is 0.9, which the documentation warns of.
    assert found.track.tolist() == [0]


def test_baselines_that_cannot_be(people, made, tmp_path):
    out, rest = people
    with pytest.raises(UsageError, match="from 100 to 200 seconds"):
        Analysis(out, Options(baseline=Baseline("stretch", 100, 200)))
    with pytest.raises(UsageError, match="has nobody of"):
        Analysis(made, Options(aus=["AU12"], baseline=Baseline("file", file=rest)))
    other = write_extraction(
        tmp_path / "x.parquet", {"a.mp4": {"times": TIMES, "tracks": {}}}, sha256="0" * 64
    )
    with pytest.raises(UsageError, match="same model"):
        Analysis(out, Options(aus=["AU12"], baseline=Baseline("file", file=other)))
    (tmp_path / "no.parquet").write_text("no")
    with pytest.raises(UsageError, match="is not the output of aucli extract"):
        Analysis(out, Options(baseline=Baseline("file", file=tmp_path / "no.parquet")))


# -- wrong use, writing ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"aus": ["AU77"]}, "AU77"),
        ({"aus": ["AU6"]}, "it has AU4, AU12"),
        ({"aus": ["smile"]}, "smile"),
        ({"aus": ["AU4_int"]}, "AU4_int"),
        ({"thresholds": {"AU12": 1.5}}, "AU12=1.5"),
        ({"thresholds": {"AU12": 0}}, "above 0"),
        ({"thresholds": {"AU6": 0.5}}, "AU6"),
        ({"aus": ["AU4"], "thresholds": {"AU12": 0.5}}, "AU12"),
    ],
)
def test_options_that_do_not_fit(made, options, word):
    with pytest.raises(UsageError, match=word):
        Analysis(made, Options(**options))


def test_files_that_are_no_extraction(tmp_path):
    with pytest.raises(InputNotFoundError):
        Analysis(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(UsageError, match="is not the output of aucli extract"):
        Analysis(tmp_path / "text.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    with pytest.raises(UsageError, match="is not the output of aucli extract"):
        Analysis(tmp_path / "foreign.parquet")


def test_a_file_damaged_after_its_head(made, tmp_path):
    path = tmp_path / "out.parquet"
    data = bytearray(made.read_bytes())
    footer = int.from_bytes(data[-8:-4], "little") + 8
    data[4:-footer] = bytes(len(data) - footer - 4)
    path.write_bytes(data)
    with pytest.raises(MediaError, match="cannot be read"):
        event_table(Analysis(path))


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_tables_are_written_with_what_made_them(made, tmp_path, suffix):
    analysis = Analysis(made, Options(events=EventSettings(leave=0.5)))
    aus, pairs = summary_tables(analysis)
    meanings = {"aus": SUMMARY_MEANINGS, "pairs": PAIR_MEANINGS}
    place = tmp_path / f"sums{suffix}"
    files = write_tables(place, {"aus": aus, "pairs": pairs}, analysis.settings(), meanings)
    assert sorted(path.name for path in files) == sorted(path.name for path in tmp_path.iterdir())
    if suffix == ".csv":
        assert pyarrow.csv.read_csv(place)["events"].to_pylist() == aus["events"].to_pylist()
        frame = pd.read_csv(place)
        assert frame["max"].to_numpy() == pytest.approx(aus.to_pandas()["max"].to_numpy(float), nan_ok=True)
        about = json.loads((tmp_path / "sums.info.json").read_text())
    elif suffix == ".parquet":
        assert pq.read_table(place).equals(aus)
        assert pq.read_table(tmp_path / "sums.pairs.parquet").equals(pairs)
        about = json.loads(pq.read_schema(place).metadata[METADATA_KEY])
    else:
        about = json.loads(place.read_text())
        assert about["aus"] == aus.to_pylist()
        assert len(about["pairs"]) == pairs.num_rows
    assert about["settings"]["events"]["leave_times_threshold"] == 0.5
    assert about["settings"]["model"]["sha256"] == "ab" * 32
    assert about["settings"]["thresholds"]["AU12_int"] == 2.0
    assert list(about["columns"]["aus"]) == aus.column_names


def test_numbers_in_json_have_the_digits_of_their_type(made, tmp_path):
    analysis = Analysis(made, Options(aus=["AU12"]))
    place = tmp_path / "e.json"
    write_tables(place, {"events": event_table(analysis)}, analysis.settings(), {"events": MEANINGS})
    assert json.loads(place.read_text())["events"][0]["peak"] == 0.9


def test_places_that_cannot_be_written(made, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    other = write_extraction(tmp_path / "other.parquet", {"a.mp4": {"times": TIMES, "tracks": {}}})
    for place, source, word in [
        ("events.xlsx", made, ".csv, .parquet, .json"),
        ("none/events.csv", made, "mkdir"),
        ("out", made, "give a name"),
        ("other.parquet", made, "is an extraction"),
        ("other.parquet", other, "is the extraction"),
        ("other.report.json", other, "or its report"),
        ("out/report.json", folder, "or its report"),
        ("out/events.parquet", folder, "lies among"),
    ]:
        with pytest.raises(UsageError, match=word):
            check_place(tmp_path / place, source)
    check_place(tmp_path / "events.csv", made)
    check_place(folder / "events.csv", folder)

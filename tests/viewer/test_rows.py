"""What is drawn, against plain loops over the Parquet file."""

import numpy as np
import pandas as pd
import pytest

from aucli.errors import MediaError
from aucli.sinks.extraction import read_extraction
from aucli.sinks.metadata import output_metadata
from aucli.sinks.parquet import write_parquet
from aucli.sinks.report import ReportEntry
from aucli.sinks.rows import rows_to_batch
from aucli.sinks.schema import column_name, output_schema
from aucli.viewer.reduce import lines, presence
from aucli.viewer.rows import read_video_rows
from aucli.viewer.run import ViewedRun
from aucli.viewer.together import together
from aucli_models.au import facs_order
from tests.viewer.runs import AUS, CARD, FACTS, rows_of, unpack

ORDERED = tuple(sorted(AUS, key=facs_order))
COLUMNS = [f"{column_name(au)}_prob" for au in ORDERED]
FRAMES = 900


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Two videos; in the second, frames at uneven times, people who come and go, and unknown values."""
    path = tmp_path_factory.mktemp("rows") / "out.parquet"
    schema = output_schema(AUS)
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.choice([0.02, 0.04, 0.05], FRAMES)) + 1.4
    times[500:] += 30  # a long pause
    noise = rng.random((FRAMES, 8, len(AUS))).astype(np.float32)
    noise[100:120, 3] = np.nan
    seen = {
        3: set(range(400)) | set(range(700, 710)),
        7: set(range(350, FRAMES)) - {600},
        5: {650},
    }
    first = rows_of(list(times[:50]), {0: None}, lambda frame, track, au: 0.5)
    place = {au: number for number, au in enumerate(AUS)}
    second = rows_of(list(times), seen, lambda frame, track, au: noise[frame, track, place[au]])
    entries = [
        ReportEntry(name, name, "ok", rows=len(rows), frames=1, key=f"{number:016x}")
        for number, (name, rows) in enumerate((("a.mp4", first), ("b.mp4", second)))
    ]
    identities = {entry.key: {"size": 1, "samples_sha256": "ab"} for entry in entries}
    write_parquet(
        path,
        [rows_to_batch(schema, first, video="a.mp4"), rows_to_batch(schema, second, video="b.mp4")],
        schema,
        metadata=output_metadata(schema, entries, identities=identities, **FACTS),
    )
    return path


@pytest.fixture(scope="module")
def table(output):
    table = pd.read_parquet(output)
    return table[table["video"] == "b.mp4"].reset_index(drop=True)


@pytest.fixture(scope="module")
def rows(output):
    return read_video_rows(read_extraction(output)[1], ORDERED)


def test_every_value_is_where_it_belongs(rows, table):
    assert rows.times.tolist() == table.groupby("frame")["time_s"].first().tolist()
    assert rows.tracks.tolist() == [3, 5, 7]
    for track in rows.tracks.tolist():
        mine, faces = table[table["track"] == track], rows.faces_of(track)
        assert rows.indices[rows.frame_of[faces]].tolist() == mine["frame"].tolist()
        np.testing.assert_array_equal(rows.values[:, faces].T, mine[COLUMNS].to_numpy(np.float32))
    assert rows.faces_of(4) == slice(0, 0)


def test_all_frames_of_a_short_stretch_come_as_they_are(rows, table):
    found = lines(rows, 10.0, 14.0, buckets=1000, tracks=[7, 3])
    frames = table.groupby("frame")["time_s"].first()
    inside = frames.index[(frames >= 10) & (frames <= 14)]
    wanted = range(inside[0] - 1, inside[-1] + 2)  # one more on either side
    assert found.exact
    assert found.times.tolist() == frames.loc[wanted[0] : wanted[-1]].tolist()
    for place, track in enumerate((7, 3)):
        mine = table[table["track"] == track].set_index("frame")[COLUMNS]
        np.testing.assert_array_equal(found.values[place].T, mine.reindex(wanted).to_numpy(np.float32))


@pytest.mark.parametrize("buckets", [7, 50, 333])
def test_buckets_hold_the_least_and_the_greatest_value(rows, table, buckets):
    start, end = float(rows.times[0]), float(rows.times[-1])
    found = lines(rows, start, end, buckets=buckets, tracks=[3, 5, 7])
    assert not found.exact
    assert (np.diff(found.times) >= 0).all()
    # By hand: frames in parts of equal time, those without a frame left out.
    part = np.minimum((rows.times - start) / ((end - start) / buckets), buckets - 1e-9).astype(int)
    part_of_frame = pd.Series(part, index=rows.indices)
    parts = np.unique(part)
    assert found.values.shape == (3, len(AUS), 2 * len(parts))
    for place, track in enumerate((3, 5, 7)):
        mine = table[table["track"] == track]
        groups = mine[COLUMNS].groupby(part_of_frame[mine["frame"]].to_numpy())
        pairs = found.values[place].reshape(len(AUS), -1, 2)
        np.testing.assert_array_equal(pairs[:, :, 0].T, groups.min().reindex(parts).to_numpy(np.float32))
        np.testing.assert_array_equal(pairs[:, :, 1].T, groups.max().reindex(parts).to_numpy(np.float32))


def test_a_peak_of_one_frame_survives_two_hours(tmp_path):
    schema = output_schema(AUS)
    frames, peak = 20_000, 12_345
    rows = rows_of(
        [frame / 2.75 for frame in range(frames)],
        {0: None},
        lambda frame, track, au: 0.97 if frame == peak and au == "AU43" else 0.1,
    )
    entry = ReportEntry("a.mp4", "a.mp4", "ok", rows=len(rows), frames=frames, key="0" * 16)
    metadata = output_metadata(schema, [entry], identities={entry.key: {}}, **FACTS)
    path = tmp_path / "out.parquet"
    write_parquet(path, [rows_to_batch(schema, rows, video="a.mp4")], schema, metadata=metadata)
    header, arrays = unpack(ViewedRun.open(path).lines(0, 0.0, 7300.0, 800, [0]))
    assert not header["exact"]
    blink = arrays["values"][0, ORDERED.index("AU43")]
    (where,) = np.flatnonzero(blink == np.float32(0.97))
    assert arrays["times"][where] == pytest.approx(peak / 2.75, abs=7300 / 800)
    assert np.delete(arrays["values"], where, axis=2).max() == np.float32(0.1)


def test_tracks_that_are_not_there_have_no_line(rows):
    for buckets in (10, 5000):
        assert np.isnan(lines(rows, 0, 100, buckets=buckets, tracks=[99]).values).all()


def test_a_stretch_outside_the_video_is_no_error(rows):
    for start, end in ((-50.0, -20.0), (500.0, 600.0), (20.0, 10.0)):
        assert lines(rows, start, end, buckets=100, tracks=[3]).values.shape[2] <= 2


def test_frames_one_by_one(output, table):
    header, arrays = unpack(ViewedRun.open(output).frames(1, 12.0, 20.0))
    mine = table[(table["time_s"] >= 12) & (table["time_s"] <= 20)]
    assert header["complete"]
    assert arrays["indices"].tolist() == mine["frame"].unique().tolist()
    with_face = mine[mine["track"].notna()]
    assert arrays["tracks"].tolist() == with_face["track"].tolist()
    np.testing.assert_array_equal(arrays["values"], with_face[COLUMNS].to_numpy(np.float32))
    np.testing.assert_array_equal(arrays["boxes"][:, 0], with_face["face_x"].to_numpy())
    counts = [int(count) for count in mine.groupby("frame")["track"].count()]
    assert np.diff(arrays["first_face"]).tolist() == counts


def test_a_frame_without_a_face_has_none(output, table):
    alone = float(table[table["frame"] == 0]["time_s"].iloc[0])
    _, arrays = unpack(ViewedRun.open(output).frames(1, alone, alone))
    assert arrays["tracks"].tolist() == [3]
    gap = float(table[table["frame"] == 600]["time_s"].iloc[0])
    _, arrays = unpack(ViewedRun.open(output).frames(1, gap, gap))
    assert arrays["indices"].tolist() == [600]
    assert arrays["tracks"].tolist() == []


def test_together_counts_what_a_loop_counts(rows, table):
    thresholds = np.linspace(0.2, 0.8, len(AUS)).astype(np.float32)
    found = together(rows, 5.0, 40.0, tracks=[3, 7], thresholds=thresholds)
    mine = table[table["track"].isin([3, 7]) & table["time_s"].between(5, 40)]
    active = mine[COLUMNS].to_numpy(np.float32) >= thresholds
    assert found.faces == len(mine)
    for one in range(len(AUS)):
        for other in range(0, len(AUS), 6):
            assert found.both[one, other] == (active[:, one] & active[:, other]).sum()


def test_presence_is_when_a_track_is_seen(rows, table):
    seen = presence(rows, smallest_share=1e-6)
    times = table.groupby("frame")["time_s"].first().to_numpy()
    length = times[-1] - times[0] + (times[-1] - times[0]) / (FRAMES - 1)

    def share(frame):
        return (times[frame] - times[0]) / length

    assert seen[0] == [
        [pytest.approx(share(0), abs=1e-5), pytest.approx(share(400), abs=1e-5)],
        [pytest.approx(share(700), abs=1e-5), pytest.approx(share(710), abs=1e-5)],
    ]
    assert seen[1] == [[pytest.approx(share(650), abs=1e-5), pytest.approx(share(651), abs=1e-5)]]
    assert [len(runs) for runs in presence(rows, smallest_share=0.9)] == [1, 1, 1]


def test_a_file_that_was_cut_meanwhile_is_named(output, tmp_path):
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(output.read_bytes())
    run = ViewedRun.open(copy)
    copy.write_bytes(output.read_bytes()[:-5000])
    with pytest.raises(MediaError, match=r"copy\.parquet: its rows cannot be read"):
        run.rows(0)


def test_the_legend_has_thresholds_and_weak_aus(output):
    legend = ViewedRun.open(output).about(1)["legend"]
    assert [au["name"] for au in legend["aus"]] == list(ORDERED)
    assert {au["name"]: au["threshold"] for au in legend["aus"]} == dict(CARD.thresholds)
    assert {au["name"] for au in legend["aus"] if au["weak"]} == set(CARD.weak_aus) != set()

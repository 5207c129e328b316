"""Whole runs of `annotate`: good and bad inputs, rows of an extraction, outputs that must not be."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from aucli.config import ExtractConfig
from aucli.datatypes import Selection
from aucli.errors import OutputError, UsageError
from aucli.inference.annotate import run_annotate
from aucli.inference.extract import run_extract
from aucli.media.encode import comment_of
from aucli.sinks.draw.look import Look
from aucli.sinks.draw.palette import THEMES
from aucli.zoo.catalogue import find
from tests.clips import RECIPES, VFR_PTS, packets, pan_over, photo_astronaut, truncate, write_clip
from tests.models import small_mdhr, small_scc

FRAMES = 12
CONFIG = ExtractConfig(jobs=1, detect_every=4)


def pictures(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """With sound and a varying rate, of odd size, on its side, cut off, and two that are no videos."""
    folder = tmp_path_factory.mktemp("study") / "videos"
    (folder / "sub").mkdir(parents=True)
    frames = list(pan_over(photo_astronaut(), 200, 200, FRAMES))
    write_clip(folder / "a.mp4", frames, pts=VFR_PTS[:FRAMES], audio=True)
    write_clip(folder / "sub" / "turned.mkv", [frame[:, :181] for frame in frames], codec="ffv1")
    write_clip(folder / "side.mp4", frames, rotation_degrees=90)
    truncate(RECIPES["fragmented_mp4"].write(folder / "truncated.mp4", frames), 0.7)
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("these are words\n" * 50)
    return folder


@pytest.fixture(scope="module")
def extraction(videos, tmp_path_factory):
    output = tmp_path_factory.mktemp("rows") / "out.parquet"
    run_extract([videos / "a.mp4", videos / "sub", videos / "side.mp4"], output, CONFIG)
    return output


@pytest.fixture(scope="module")
def run(videos, tmp_path_factory):
    output = tmp_path_factory.mktemp("annotated") / "new"
    return run_annotate([videos], output, CONFIG), output


def test_a_bad_video_does_not_stop_the_others(run, videos):
    result, output = run
    status = {entry.video: entry.status for entry in result.report.entries}
    assert status == {
        "a.mp4": "ok",
        "sub/turned.mkv": "ok",
        "side.mp4": "ok",
        "truncated.mp4": "partial",
        "empty.mp4": "failed",
        "text.mp4": "failed",
    }
    assert result.exit_code == 3
    files = sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())
    assert files == [
        "a.annotated.mp4",
        "side.annotated.mp4",
        "sub/turned.annotated.mp4",
        "truncated.annotated.mp4",
    ]
    assert all(entry.reason for entry in result.report.entries if entry.status in ("failed", "partial"))


def test_frames_times_and_sound_are_those_of_the_source(run, videos):
    _, output = run
    for name, made in (("a.mp4", "a"), ("sub/turned.mkv", "sub/turned"), ("side.mp4", "side")):
        before, after = packets(videos / name), packets(output / f"{made}.annotated.mp4")
        assert sorted(time for time, _ in after) == sorted(time for time, _ in before)
        assert len(after) == FRAMES
    assert packets(output / "a.annotated.mp4", "audio") == packets(videos / "a.mp4", "audio")


def test_pictures_are_upright_and_larger_by_the_strip(run):
    _, output = run
    sizes = {}
    for name in ("a", "sub/turned", "side"):
        with av.open(str(output / f"{name}.annotated.mp4")) as container:
            stream = container.streams.video[0]
            sizes[name] = stream.width, stream.height
            frame = next(container.decode(stream))
            assert "DISPLAYMATRIX" not in frame.side_data
    assert sizes["a"][0] == 200
    assert sizes["sub/turned"][0] == 182  # 181 and a column to make it even
    assert all(height > 200 and height % 2 == 0 for _, height in sizes.values())


def test_the_file_says_who_wrote_it(run):
    _, output = run
    assert comment_of(output / "a.annotated.mp4").startswith("annotated by aucli 0")
    assert "me_graphau_resnet10_small.synth" in comment_of(output / "a.annotated.mp4")


def test_the_report_counts_what_was_drawn(run):
    result, _ = run
    entry = next(entry for entry in result.report.entries if entry.video == "a.mp4")
    assert (entry.frames, entry.faces, entry.tracks) == (FRAMES, FRAMES, 1)
    assert entry.top_aus
    assert not {au[-1] for au, _ in entry.top_aus} & {"L", "R"}  # they only repeat the AU


def test_rows_of_an_extraction_give_the_same_video_without_a_model(run, videos, extraction, tmp_path):
    _, output = run
    config = ExtractConfig(jobs=1, model="no such model")  # never looked for
    result = run_annotate([videos / "a.mp4"], tmp_path / "a.mp4", config, rows_from=extraction)
    assert result.exit_code == 0
    one, other = pictures(tmp_path / "a.mp4"), pictures(output / "a.annotated.mp4")
    assert len(one) == len(other) == FRAMES
    # x264 does not always give the same bytes for the same pictures where their size is no multiple of 16.
    assert max(np.abs(a - b).mean() for a, b in zip(one, other, strict=True)) < 0.5


def test_a_model_of_motion_is_drawn_at_once_as_from_its_rows(videos, tmp_path):
    """Its numbers come frames late; each must be drawn on its own frame all the same."""
    clip, config = videos / "a.mp4", replace(CONFIG, model=str(small_mdhr.card_file(tmp_path)))
    entry = run_annotate([clip], tmp_path / "at_once.mp4", config).report.entries[0]
    assert (entry.status, entry.faces, entry.tracks) == ("ok", FRAMES, 1)
    run_extract([clip], tmp_path / "rows.parquet", config)
    run_annotate([clip], tmp_path / "from_rows.mp4", CONFIG, rows_from=tmp_path / "rows.parquet")
    one, other = pictures(tmp_path / "at_once.mp4"), pictures(tmp_path / "from_rows.mp4")
    assert len(one) == len(other) == FRAMES
    assert max(np.abs(a - b).mean() for a, b in zip(one, other, strict=True)) < 0.5
    # And it is this model's values that are drawn: another model's numbers change the picture.
    run_annotate([clip], tmp_path / "builtin.mp4", CONFIG)
    built_in = pictures(tmp_path / "builtin.mp4")
    assert min(np.abs(a - b).mean() for a, b in zip(one, built_in, strict=True)) > 0.5


def test_heatmaps_tint_the_face_and_stand_beside_the_picture(videos, tmp_path):
    """Against the same model's video without them."""
    config = replace(CONFIG, model=str(small_scc.card_file(tmp_path)))
    for name, look in (("with", Look(heatmaps=True)), ("without", Look())):
        result = run_annotate([videos / "a.mp4"], tmp_path / f"{name}.mp4", config, look=look)
        assert result.report.entries[0].status == "ok"
    drawn, plain = pictures(tmp_path / "with.mp4"), pictures(tmp_path / "without.mp4")
    run_extract([videos / "a.mp4"], tmp_path / "rows.parquet", config)
    rows = pq.read_table(tmp_path / "rows.parquet").to_pandas().set_index("frame")
    assert len(drawn) == len(plain) == len(rows) == FRAMES
    height, width = plain[0].shape[:2]
    assert drawn[0].shape[0] == height
    assert drawn[0].shape[1] > 1.5 * width
    down, across = np.mgrid[:height, :width]
    for frame, row in rows.iterrows():
        x, y = row["face_x"] + row["face_w"] / 2, row["face_y"] + row["face_h"] / 2
        on_face = np.hypot((across - x) / row["face_w"], (down - y) / row["face_h"]) < 0.5
        far = np.hypot((across - x) / row["face_w"], (down - y) / row["face_h"]) > 1.5
        apart = np.abs(drawn[frame][:, :width] - plain[frame]).mean(2)
        assert apart[on_face].mean() > 4
        assert apart[far].mean() < 3  # compressed together with something else
        assert drawn[frame][:, width:].std() > 20


def test_rows_are_drawn_on_copies_and_refused_for_all_other_files(videos, extraction, tmp_path):
    write_clip(tmp_path / "a.mp4", pan_over(photo_astronaut(), 200, 200, FRAMES))
    (tmp_path / "side.mp4").write_bytes((videos / "side.mp4").read_bytes() + bytes(8))  # changed since
    shutil.copyfile(videos / "a.mp4", tmp_path / "renamed.mp4")  # another name, and another time of change
    result = run_annotate([tmp_path], None, CONFIG, rows_from=extraction)
    entries = {entry.video: entry for entry in result.report.entries}
    assert entries["renamed.mp4"].status == "ok"
    for name in ("a.mp4", "side.mp4"):
        assert entries[name].status == "failed"
        assert "is not the file that was extracted" in entries[name].reason
        for path in (tmp_path / name, videos / name):
            assert f"{path.stat().st_size:,} bytes" in entries[name].reason
    assert result.exit_code == 3
    assert sorted(path.name for path in tmp_path.glob("*annotated*")) == ["renamed.annotated.mp4"]


def test_wrong_rows_are_wrong_use(videos, tmp_path):
    with pytest.raises(UsageError, match="is not the output of aucli extract"):
        run_annotate([videos / "a.mp4"], tmp_path / "x.mp4", CONFIG, rows_from=videos / "a.mp4")


# -- where it goes -----------------------------------------------------------------------------


def test_an_output_that_is_an_input_is_refused(videos, extraction, tmp_path):
    clip = tmp_path / "clip.mp4"
    shutil.copyfile(videos / "a.mp4", clip)
    (tmp_path / "link.mp4").symlink_to(clip)
    for output in (clip, tmp_path / "link.mp4"):
        with pytest.raises(UsageError, match="is also an input"):
            run_annotate([clip], output, CONFIG)
    shutil.copyfile(videos / "a.mp4", tmp_path / "clip.annotated.mp4")
    with pytest.raises(UsageError, match="is also an input"):
        run_annotate([clip, tmp_path / "clip.annotated.mp4"], None, CONFIG)


def test_a_file_of_somebody_else_is_not_overwritten_and_our_own_is(videos, extraction, tmp_path):
    clip = tmp_path / "clip.mp4"
    shutil.copyfile(videos / "a.mp4", clip)
    shutil.copyfile(videos / "side.mp4", tmp_path / "clip.annotated.mp4")
    with pytest.raises(UsageError, match="was not written by aucli annotate"):
        run_annotate([clip], None, CONFIG, rows_from=extraction)
    (tmp_path / "clip.annotated.mp4").unlink()
    sizes = []
    for look in (Look(), Look(scale=2.0)):
        # The folder as input: the second time the annotated video lies in it.
        result = run_annotate([tmp_path], None, CONFIG, rows_from=extraction, look=look)
        assert [entry.video for entry in result.report.entries] == ["clip.mp4"]
        assert result.exit_code == 0
        with av.open(str(tmp_path / "clip.annotated.mp4")) as container:
            sizes.append(container.streams.video[0].width)
    assert sizes == [200, 400]


def test_the_file_of_an_earlier_run_is_no_input_where_it_lies_in_the_folder(videos, extraction, tmp_path):
    output = tmp_path / "x.mp4"
    shutil.copyfile(videos / "a.mp4", tmp_path / "clip.mp4")
    written = []
    for inputs in ([tmp_path], [tmp_path], [tmp_path / "*.mp4"]):
        result = run_annotate(inputs, output, CONFIG, rows_from=extraction)
        assert [(entry.video, entry.status) for entry in result.report.entries] == [("clip.mp4", "ok")]
        written.append(output.stat().st_mtime_ns)
    assert len(set(written)) == 1  # finished the first time
    with pytest.raises(UsageError, match="one file for 2 videos"):
        run_annotate([tmp_path, output], output, CONFIG)  # named, so it is meant
    (tmp_path / "clip.mp4").unlink()
    with pytest.raises(UsageError, match="is also the only input"):
        run_annotate([tmp_path], output, CONFIG)
    shutil.copyfile(videos / "side.mp4", output)
    shutil.copyfile(videos / "a.mp4", tmp_path / "clip.mp4")
    with pytest.raises(UsageError, match="was not written by aucli annotate"):
        run_annotate([tmp_path], output, CONFIG)
    with pytest.raises(UsageError, match="one file for 2 videos"):
        run_annotate([tmp_path], tmp_path / "y.mp4", CONFIG)


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["a.mp4"], "x.avi", r"write \.mp4, \.m4v, \.mov, \.mkv"),
        (["a.mp4", "side.mp4"], "x.mp4", "is one file for 2 videos"),
        (["a.mp4"], "missing/x.mp4", "does not exist: mkdir -p"),
        (["a.mp4"], "missing/deep/", "does not exist: mkdir -p"),
        (["a.mp4"], "", "has no name"),
        (["missing.mp4"], "x.mp4", "does not exist"),
    ],
)
def test_outputs_that_cannot_be(videos, tmp_path, monkeypatch, inputs, output, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        run_annotate([videos / name for name in inputs], output, CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_two_inputs_of_one_name_get_two_files(videos, extraction, tmp_path):
    shutil.copyfile(videos / "a.mp4", tmp_path / "a.mp4")
    shutil.copyfile(videos / "side.mp4", tmp_path / "a.mov")
    run_annotate([tmp_path], tmp_path / "out", CONFIG, rows_from=extraction)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.mov.annotated.mp4",
        "a.mp4.annotated.mp4",
    ]


@pytest.mark.parametrize("with_rows", [True, False])
def test_a_video_drawn_on_is_not_drawn_on_again(run, videos, extraction, tmp_path, with_rows):
    _, output = run
    shutil.copy(output / "a.annotated.mp4", tmp_path / "drawn.mp4")  # a name that tells nothing
    shutil.copy(output / "a.annotated.mp4", tmp_path / "a.annotated.mp4")
    result = run_annotate([tmp_path], None, CONFIG, rows_from=extraction if with_rows else None)
    found = {entry.video: (entry.status, entry.reason[:30]) for entry in result.report.entries}
    assert found == {
        "drawn.mp4": ("skipped", "was drawn by aucli annotate: g"),
        "a.annotated.mp4": ("skipped", "has the name of a video that a"),
    }
    assert result.exit_code == 4
    assert len(list(tmp_path.iterdir())) == 2


def test_extract_leaves_drawn_videos_out_and_says_so(run, videos, tmp_path):
    _, output = run
    for path in (videos / "a.mp4", output / "a.annotated.mp4"):
        shutil.copy(path, tmp_path)
    result = run_extract([tmp_path], tmp_path / "out.parquet", CONFIG)
    assert [(entry.video, entry.status) for entry in result.report.entries] == [
        ("a.mp4", "ok"),
        ("a.annotated.mp4", "skipped"),
    ]
    assert result.exit_code == 0


def test_the_graph_is_drawn_beside_the_same_picture(run, videos, tmp_path):
    _, output = run
    result = run_annotate([videos / "a.mp4"], tmp_path / "a.mp4", CONFIG, look=Look(graph=True))
    assert result.exit_code == 0
    with_graph, plain = pictures(tmp_path / "a.mp4"), pictures(output / "a.annotated.mp4")
    assert packets(tmp_path / "a.mp4", "audio") == packets(videos / "a.mp4", "audio")
    height, width, _ = plain[0].shape
    assert len(with_graph) == FRAMES
    assert with_graph[0].shape[0] == height
    assert with_graph[0].shape[1] > 1.5 * width
    for one, other in zip(with_graph, plain, strict=True):
        assert np.abs(one[:, :width] - other).mean() < 3  # compressed together with something else
    column = with_graph[FRAMES // 2][:, width + 4 :]
    assert (np.abs(column - np.array(THEMES["dark"].person(0))).max(2) < 60).mean() > 0.01


def test_a_graph_needs_a_network_with_edges(videos, extraction, tmp_path):
    with pytest.raises(UsageError, match="which no Parquet file holds: leave out --from"):
        run_annotate([videos], tmp_path, CONFIG, rows_from=extraction, look=Look(graph=True))
    cards = tmp_path / "cards"
    cards.mkdir()
    card = find("builtin").card
    for system, stage in (("me_graphau", 1), ("open_graphau", 2)):
        other = replace(card, name=f"{system}{stage}", system=system, stage=stage)
        (cards / f"{system}.json").write_text(json.dumps(other.to_json()))
        config = ExtractConfig(jobs=1, model=str(cards / f"{system}.json"))
        with pytest.raises(
            UsageError, match=rf"--graph: {system}{stage} .* stage 2 do, such as --model builtin"
        ):
            run_annotate([videos], tmp_path / "out", config, look=Look(graph=True))
    assert not (tmp_path / "out").exists()


def test_pictures_are_not_videos(tmp_path, extraction):
    (tmp_path / "a.png").write_bytes(b"x")
    result = run_annotate([tmp_path / "a.png"], None, CONFIG)
    assert result.exit_code == 4
    assert "annotate draws on videos only" in result.report.entries[0].reason


def with_sound(path, codec, clip):
    """The pictures of a clip, with sound of this codec."""
    with av.open(str(clip)) as taken, av.open(str(path), "w") as made:
        pictures = made.add_stream_from_template(taken.streams.video[0])
        sound = made.add_stream(codec, rate=44_100, layout="mono", bit_rate=64_000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=4410)
        frame.sample_rate, frame.pts = 44_100, 0
        made.mux([*sound.encode(frame), *sound.encode(None)])
        for packet in taken.demux(video=0):
            if packet.size:
                packet.stream = pictures
                made.mux(packet)
    return path


def test_sound_that_mp4_cannot_hold_goes_into_a_file_that_can(videos, tmp_path):
    clip = with_sound(tmp_path / "clip.mov", "pcm_mulaw", videos / "side.mp4")
    rows = tmp_path / "rows.parquet"
    run_extract([clip], rows, CONFIG)
    result = run_annotate([clip], None, CONFIG, rows_from=rows)
    assert result.report.entries[0].file == str(tmp_path / "clip.annotated.mov")
    assert packets(tmp_path / "clip.annotated.mov", "audio") == packets(clip, "audio")
    assert [time for time, _ in packets(clip)] == sorted(
        time for time, _ in packets(tmp_path / "clip.annotated.mov")
    )
    refused = run_annotate([clip], tmp_path / "x.mp4", CONFIG, rows_from=rows)
    assert "its sound (pcm_mulaw) does not fit into .mp4: give -o" in refused.report.entries[0].reason
    assert "x.mov" in refused.report.entries[0].reason


# -- when it goes wrong ------------------------------------------------------------------------

RUN = """
    import resource, sys
    from pathlib import Path
    from aucli.config import ExtractConfig
    from aucli.errors import OutputError
    from aucli.inference.annotate import run_annotate
    from aucli.inference.supervisor import stop_on_sigterm
    if int(sys.argv[4]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
    try:
        with stop_on_sigterm():
            run_annotate([sys.argv[1]], sys.argv[2], ExtractConfig(jobs=1), rows_from=Path(sys.argv[3]))
    except OutputError as error:
        print(error)
"""


def start(*arguments):
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{textwrap.dedent(RUN)}"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_full_disk_leaves_nothing_and_says_what_to_do(videos, extraction, tmp_path):
    process = start(videos / "a.mp4", tmp_path / "out.mp4", extraction, 20_000)
    stdout, stderr = process.communicate(timeout=120)
    assert stdout.startswith(f"cannot write {tmp_path / 'out.mp4'}: File too large; make room"), stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """A clip that takes some seconds to draw, with its rows."""
    folder = tmp_path_factory.mktemp("long")
    frames = list(pan_over(photo_astronaut(), 320, 320, 20))
    write_clip(folder / "long.mp4", (frames[index % 20] for index in range(600)))
    config = ExtractConfig(jobs=1, selection=Selection(every=100))
    run_extract([folder / "long.mp4"], folder / "rows.parquet", config)
    return folder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_leaves_no_half_written_file_and_can_be_started_again(
    videos, long_clip, tmp_path, number
):
    output, begun = tmp_path / "out.mp4", tmp_path / "out.mp4.tmp"
    process = start(long_clip / "long.mp4", output, long_clip / "rows.parquet", 0)
    deadline = time.monotonic() + 120
    while not (begun.exists() and begun.stat().st_size > 10_000) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.killpg(process.pid, number) if number == signal.SIGKILL else process.send_signal(number)
    process.communicate(timeout=60)
    assert not output.exists()
    if number == signal.SIGTERM:
        assert not begun.exists()
    result = run_annotate([videos / "a.mp4"], output, CONFIG)
    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_an_output_that_nobody_may_write(videos, extraction):
    with pytest.raises((UsageError, OutputError), match="cannot write"):
        run_annotate([videos / "a.mp4"], "/proc/x.mp4", CONFIG, rows_from=extraction)

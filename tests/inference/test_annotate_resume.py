"""What is finished is not drawn again; what has changed is."""

import os
import shutil

import pytest

from aucli.config import ExtractConfig
from aucli.inference.annotate import run_annotate
from aucli.inference.events import RunStarted
from aucli.inference.extract import run_extract
from aucli.media.attachment import attached
from aucli.media.codecs import Encoding
from aucli.sinks.draw.look import Look
from tests.clips import pan_over, photo_astronaut, write_clip

CONFIG = ExtractConfig(jobs=1, detect_every=6)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips and their rows."""
    folder = tmp_path_factory.mktemp("clips")
    frames = list(pan_over(photo_astronaut(), 200, 200, 6))
    write_clip(folder / "a.mp4", frames)
    write_clip(folder / "b.mp4", frames[::-1])
    run_extract([folder], folder / "rows.parquet", CONFIG)
    return folder


@pytest.fixture
def study(clips, tmp_path):
    for name in ("a.mp4", "b.mp4", "rows.parquet"):
        shutil.copy2(clips / name, tmp_path / name)  # with its time
    return tmp_path


def annotated(study, **options):
    """The entries, and the names of the videos that were drawn in this run."""
    before = {path.name: path.stat().st_mtime_ns for path in study.glob("*.annotated.*")}
    events = []
    given = {"config": CONFIG, "rows_from": study / "rows.parquet", "on_event": events.append}
    report = run_annotate([study], None, **(given | options)).report
    drawn = sorted(
        path.name[0]
        for path in study.glob("*.annotated.*")
        if path.stat().st_mtime_ns != before.get(path.name)
    )
    [started] = [event for event in events if isinstance(event, RunStarted)]
    assert started.reused == len(report.entries) - len(drawn)
    return report.entries, "".join(drawn)


def test_the_same_command_draws_nothing_again_and_reports_the_same(study):
    first, drawn = annotated(study)
    assert drawn == "ab"
    assert [(entry.video, entry.status, entry.frames) for entry in first] == [
        ("a.mp4", "ok", 6),
        ("b.mp4", "ok", 6),
    ]
    again, drawn = annotated(study)
    assert drawn == ""
    assert again == first
    assert annotated(study, fresh=True)[1] == "ab"


def test_a_lost_or_damaged_video_is_drawn_again(study):
    annotated(study)
    (study / "a.annotated.mp4").unlink()
    assert annotated(study)[1] == "a"
    whole = (study / "b.annotated.mp4").read_bytes()
    (study / "b.annotated.mp4").write_bytes(whole[:-10])
    assert annotated(study)[1] == "b"


def test_another_input_of_that_name_is_drawn(study):
    annotated(study)
    shutil.copy2(study / "b.mp4", study / "a.mp4")
    assert annotated(study)[1] == "a"


def test_another_look_is_drawn_and_the_first_again_after_it(study):
    (study / "b.mp4").unlink()
    for options in (
        {},
        {"look": Look(theme="light")},
        {"look": Look(theme="light", top=3)},
        {"encoding": Encoding("libx264")},
        {"encoding": Encoding(crf=30)},
        {},
    ):
        assert annotated(study, **options)[1] == "a"
    assert annotated(study)[1] == ""


def test_rows_that_differ_are_drawn(study):
    annotated(study)
    config = ExtractConfig(jobs=1, detect_every=1)
    run_extract([study / "a.mp4", study / "b.mp4"], study / "rows.parquet", config)
    assert annotated(study)[1] == "ab"


def test_an_analysis_is_resumed_unless_an_option_of_it_changes(study):
    (study / "b.mp4").unlink()
    assert annotated(study, rows_from=None)[1] == "a"
    assert annotated(study, rows_from=None)[1] == ""
    # How many processes there are changes no value.
    assert annotated(study, rows_from=None, config=ExtractConfig(detect_every=6))[1] == ""
    assert annotated(study, rows_from=None, config=ExtractConfig(jobs=1, detect_every=3))[1] == "a"


def test_no_name_of_a_file_or_person_is_in_the_video(study):
    (study / "list.csv").write_text("path,subject\na.mp4,anna\n")
    run_annotate([study / "list.csv"], None, CONFIG, rows_from=study / "rows.parquet")
    content = (study / "a.annotated.mp4").read_bytes()
    assert attached(study / "a.annotated.mp4")["frames"] == 6
    for secret in (b"anna", os.fsencode(study), b"a.mp4"):
        assert secret not in content

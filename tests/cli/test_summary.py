"""The table at the end of a run."""

import io

import pytest
from rich.console import Console

from aucli.cli.summary import ROWS_SHOWN, show_model, show_table
from aucli.sinks.report import Report, ReportEntry
from aucli.zoo.card import Card
from aucli_models.au import AU_SETS


def report(*entries):
    return Report(tuple(entries), "out.parquet", None, started="", finished="", wall_seconds=2.0)


def shown(*entries, width=100):
    console = Console(file=io.StringIO(), width=width)
    show_table(report(*entries), console)
    return console.file.getvalue()


def entry(video, status="ok", **values):
    return ReportEntry(video, video, status, key=video, **values)


SMILE = entry(
    "smile.mp4",
    rows=100,
    frames=100,
    faces=98,
    tracks=1,
    wall_seconds=4.0,
    fps=25.0,
    top_aus=(("AU12", 0.61), ("AU25", 0.5), ("AU6", 0.4), ("AU43", 0.1)),
)


def test_a_row_has_the_figures_of_its_entry():
    row = next(line for line in shown(SMILE).splitlines() if "smile" in line)
    assert " ".join(row.split()) == "smile.mp4 ok 100 98 1 4.0 25.0 AU12 61% AU25 50% AU6 40%"


def test_what_was_skipped_for_one_reason_is_one_line():
    skipped = [entry(f"{n}.annotated.mp4", "skipped", reason="has such a name") for n in range(3)]
    text = shown(SMILE, *skipped, entry("x.mp4", "skipped", reason="another one"))
    assert [line.strip() for line in text.splitlines() if line.startswith("skipped")] == [
        "skipped 0.annotated.mp4 and 2 more: has such a name",
        "skipped x.mp4: another one",
    ]


def test_sums_are_of_all_inputs():
    text = shown(SMILE, entry("b.mp4", rows=1200, frames=1200, faces=0, wall_seconds=1.0, fps=1200.0))
    row = next(line for line in text.splitlines() if "2 inputs" in line)
    assert row.split() == ["2", "inputs", "1,300", "98", "1", "2.0", "650.0"]


def test_problems_stand_below_with_their_reasons():
    text = shown(SMILE, entry("empty [x].mp4", "failed", reason="the file is empty"))
    assert text.splitlines()[-1] == "failed empty [x].mp4: the file is empty"


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width):
    long = entry("folder/" * 30 + "clip.mp4", rows=1, frames=100_000, faces=99_000, wall_seconds=9999.9)
    table = shown(long, SMILE, width=width)
    assert max(map(len, table.splitlines())) <= width
    if width >= 80:
        assert "clip.mp4" in table
        assert "AU12\N{NO-BREAK SPACE}61%" in table


def test_of_very_many_inputs_those_with_problems_are_shown():
    many = [entry(f"{number}.mp4", rows=1) for number in range(200)]
    text = shown(*many, entry("broken.mp4", "failed", reason="no picture"))
    rows = [line for line in text.splitlines() if ".mp4" in line]
    assert len(rows) == ROWS_SHOWN + 1  # and the reason
    assert sum("broken.mp4" in row for row in rows) == 2
    assert f"{201 - ROWS_SHOWN} more are in the report" in text


def test_the_model_is_named_with_licence_and_weak_aus():
    aus = AU_SETS["disfa"]
    card = Card(
        name="mine",
        system="me_graphau",
        backbone="resnet18",
        au_set="disfa",
        stage=1,
        weights="mine.safetensors",
        sha256="0" * 64,
        licence="research only",
        training_data="",
        description="",
        thresholds=dict.fromkeys(aus, 0.5),
        weak_aus=(aus[0],),
    )
    console = Console(file=io.StringIO(), width=200)
    show_model(card, console)
    text = console.file.getvalue()
    assert "mine" in text
    assert "Licence: research only" in text
    assert aus[0] in text
    assert "synthetic" not in text

"""The page about a run: what it says, what it must not say, and what a browser makes of it."""

import re
from html.parser import HTMLParser

import numpy as np
import pyarrow.parquet as pq
import pytest

from aucli.errors import UsageError
from aucli.series.baseline import Baseline
from aucli.series.events import Event
from aucli.sinks.metadata import read_metadata
from aucli.sinks.tables.analysis import Analysis, Options
from aucli.sinks.tables.summary import summary_tables
from aucli.viewer.report import TRACKS_DRAWN, check_place, report_page, write_report
from aucli.viewer.report_drawing import clock, matrix, time_line
from tests.sinks.made_extraction import write_extraction
from tests.viewer.conftest import TIMES, bump

VOID = {"meta", "br", "rect", "line", "path", "circle", "link", "img", "input"}


class Page(HTMLParser):
    """The text of a page; refuses tags that do not match."""

    def __init__(self, source):
        super().__init__()
        self.open, self.text, self.tags, self.attributes = [], [], [], []
        self.feed(source)
        self.close()
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.text))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)


def page_of(path, **options):
    return Page(report_page(Analysis(path, Options(**options))))


def test_it_says_what_was_run(made):
    text = page_of(made).text
    card = read_metadata(pq.read_schema(made))["card"]
    for word in (card["name"], card["sha256"], card["licence"], "AU12 0.5", "AU4*", "P1", "torch 2.15.0"):
        assert word in text, word
    assert "gone.mp4 is a text file, not a video" in text
    assert "2 of 3 inputs read whole" in text
    assert "1 input failed and has no rows" in text
    assert "No face in 50.0 % of the time." in text
    assert "finished 2026-11-20 15:00" in text


def test_figures_are_those_of_the_summary(made):
    text = page_of(made).text
    row = summary_tables(Analysis(made))[0].to_pandas().set_index("au").loc["AU12"]
    assert f"AU12 Lip corner puller {row.active_share:.0%}".replace("%", " %") in text
    assert "40 % 1 30.0 0.42 0.90" in text
    assert "+0.82" in text  # phi of 20 and 25 frames of 50, one within the other: sqrt(20 * 25 / (30 * 25))


def test_the_methods_paragraph_says_what_the_metadata_say_and_no_more(made):
    text = page_of(made).text
    assert "estimated with aucli 0.1.0 and its model made.by_hand" in text
    assert "Faces (shorter side at least 40 pixels) were detected with mtcnn" in text
    assert "We analysed every frame of 2 videos (100 frames, 0.1 minutes) and followed 1 face;" in text
    assert "AU12 0.50" in text
    assert "calibrated" not in text  # the card has no calibration
    assert "synthetic" not in text
    assert "non-commercial" not in text
    assert "neutral" not in text
    assert "mean from 0 to 0.2 s" in page_of(made, baseline=Baseline("stretch", 0, 0.2)).text


def test_a_model_that_reads_motion_is_said_to_do_so(made, tmp_path, videos):
    path = write_extraction(tmp_path / "moving.parquet", videos, clip_frames=16, frame_rate=25.0)
    said = "It reads motion (trained on 25 frames a second); an unbroken run of a face was one clip."
    assert said in page_of(path).text
    assert "motion" not in page_of(made).text


def test_synthetic_data_and_research_licences_are_named(tmp_path, videos):
    path = write_extraction(
        tmp_path / "out.parquet",
        videos,
        training_data="1,000 rendered faces",
        licence="none stated; for non-commercial research only",
    )
    text = page_of(path).text
    assert "trained on synthetic faces" in text
    assert "Non-commercial research only." in text


def test_citations_and_bibtex(made):
    source = report_page(Analysis(made))
    text = Page(source).text
    assert "Luo et al., Learning & drawing graphs, IJCAI 2022" in text
    assert "@misc{luo2022," in text
    assert "author = {Luo and others}" in text
    assert r"title = {{Learning \& drawing graphs}}" in text
    assert r"note = {A talk in \{Rome\}}" in text  # in no form that is known: whole, as a note
    assert source.count("@misc{") == 3


def test_everything_from_files_is_escaped(tmp_path):
    bad = '"><script>alert(1)</script>&amp;'
    path = write_extraction(
        tmp_path / "<i>&.parquet",
        {f"{bad}.mp4": {"times": TIMES, "subject": bad, "tracks": {0: {"AU12": bump(10, 30)}}}},
        licence=bad,
        training_data=bad,
        name=bad,
        notes=[bad],
        system="$system ${name}",
    )
    page = page_of(path)
    assert page.tags.count("script") == 1  # the template's own
    assert "i" not in page.tags
    assert page.text.count(bad) > 6  # as text, whole
    assert "$system ${name}" in page.text


def test_it_loads_nothing(made):
    source = report_page(Analysis(made))
    page = Page(source)
    assert [value for name, value in page.attributes if name == "src"] == []
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert "url(" not in source
    assert "@import" not in source
    assert "http" not in source


def test_without_the_report_of_the_run_it_says_so(made):
    made.with_suffix(".report.json").unlink()
    assert "inputs that failed are not listed" in page_of(made).text
    made.with_suffix(".report.json").write_text('{"entries": [{"key": "other"}]}')
    assert "inputs that failed are not listed" in page_of(made).text


def test_nobody_in_any_video(tmp_path):
    text = page_of(write_extraction(tmp_path / "o.parquet", {"a.mp4": {"times": TIMES, "tracks": {}}})).text
    assert "No face was found in any video." in text
    assert "Fewer than two AUs" in text


def test_a_large_run_stays_a_small_page(tmp_path):
    many = {
        f"{i}.mp4": {"times": TIMES, "tracks": {0: {"AU12": bump(10, 30)}}} for i in range(TRACKS_DRAWN + 5)
    }
    page = page_of(write_extraction(tmp_path / "o.parquet", many))
    assert f"The first {TRACKS_DRAWN} of {TRACKS_DRAWN + 5} tracks are drawn." in page.text
    assert page.tags.count("svg") == TRACKS_DRAWN


def test_written_whole_to_a_page_only(made, tmp_path):
    page = write_report(Analysis(made), tmp_path / "page.html")
    assert page.read_text().endswith("</html>\n")
    for place, word in [("page.pdf", "give -o page.html"), ("none/page.html", "mkdir")]:
        with pytest.raises(UsageError, match=word):
            check_place(tmp_path / place, made)
    assert not (tmp_path / "page.html.tmp").exists()


def test_a_real_run(examples_extraction):
    text = page_of(examples_extraction).text
    assert "smile.mp4, track 0" in text
    assert "two_people.mp4, track 1" in text
    assert "trained on synthetic faces" in text
    assert "@misc{luo2022," in text


# -- drawing --------------------------------------------------------------------------------


def drawn(values, times=None, events=(), threshold=0.5):
    times = np.arange(len(values)) / 10 if times is None else times
    return time_line(
        times,
        times + 0.1,
        np.array(values, np.float32),
        events,
        span_seconds=(0.0, float(times[-1]) + 0.1),
        top=1.0,
        threshold=threshold,
        max_gap_seconds=0.2,
    )


def test_a_line_goes_through_the_values_and_breaks_where_nothing_is_known():
    nan = np.nan
    line = drawn([0, 1, 0.5, nan, nan, nan, 0.5, 0, 0, 0])
    assert 'd="M0.0 29.0L100.0 1.0L200.0 15.0M600.0 15.0L' in line
    assert drawn([0, nan, 1]).count("M") == 1  # short enough to be bridged
    assert drawn([nan] * 4).count("M") == 0
    assert "circle" in drawn([0.5, nan, nan, nan, nan, 1, 1])  # a single frame is still seen


def test_a_long_course_keeps_its_peaks():
    values = np.zeros(100_000)
    values[54_321] = 0.9
    line = drawn(values)
    assert line.count("L") < 330
    assert "3.8" in line  # the height of 0.9


def test_events_and_threshold():
    line = drawn([0, 1, 1, 0], events=[Event(0.1, 0.1, 0.3, 1.0)])
    assert '<rect class="event" x="250.0" y="0" height="30" width="500.0"/>' in line
    assert 'y1="15.0"' in line
    assert "threshold" not in drawn([0, 1], threshold=float("nan"))


def test_the_matrix_shows_what_is_known():
    share = np.array([[0.5, 0.25], [0.25, 0.3]])
    phi = np.array([[1, -0.4], [-0.4, 1]])
    table = matrix(["AU1", "AU2"], share, phi)
    assert re.findall(r">([^<>]+)</td>", table) == ["50 %", "25 %", "-0.40", "30 %"]
    assert 'class="minus" style="--a:0.30"' in table
    assert re.findall(r">([^<>]+)</td>", matrix(["AU1", "AU2"], share, phi * np.nan)) == [
        "50 %",
        "25 %",
        "30 %",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.25, "3 s"), (59.9, "60 s"), (61, "1:01"), (3600, "1:00:00"), (7325.4, "2:02:05")]
)
def test_times_as_people_write_them(seconds, text):
    assert clock(seconds) == text

"""The page in a real browser: Chromium, headless."""

import csv
import io
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from aucli.sinks.draw.palette import THEMES
from aucli.sinks.report import ReportEntry
from aucli.viewer.recorded import RecordedPages
from aucli.viewer.run import ViewedRun
from tests.cli.commands import EXAMPLES
from tests.viewer.chromium import PATIENCE_SECONDS, Page, browser, programs
from tests.viewer.runs import CARD, Clip, box_of, served, times_of, write_run

LATE_FRAMES = 40
COLOURS = THEMES["light"].persons


def grey_of(frame):
    return 20 + 5 * frame


def write_clip(path, codec, *, first_seconds=0.0, uneven=0):
    """A clip whose frames say by their grey which they are; uneven: ms by which every third is late."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000) if uneven else Fraction(1, 25)
        for number in range(LATE_FRAMES):
            picture = np.full((240, 320, 3), grey_of(number), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base = stream.codec_context.time_base
            step = Fraction(number, 25) + Fraction(uneven * (number % 3), 1000)
            frame.pts = int((Fraction(first_seconds).limit_denominator(1000) + step) / frame.time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def probability(frame, track, au):
    """AU12 of track 0 is high in the middle, AU25 of track 1 from the start, AU43 for one frame."""
    if (au, track) == ("AU12", 0):
        return 0.9 if 30 <= frame < 60 else 0.1
    if (au, track) == ("AU25", 1):
        return 0.85 if frame < 18 else 0.05
    if (au, track, frame) == ("AU43", 0, 40):
        return 0.95
    return 0.001


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    programs()  # before anything is made
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def address(folder):
    write_clip(folder / "late.mp4", "libx264", first_seconds=1.4, uneven=9)
    write_clip(folder / "old.avi", "mpeg4")
    clips = {
        "smile.mp4": Clip(EXAMPLES / "smile.mp4", {0: None}, probability),
        "two <b>people</b>.mp4": Clip(EXAMPLES / "two_people.mp4", {0: None, 1: None}, probability),
        "late.mp4": Clip(folder / "late.mp4", {0: None}, probability),
        "old.avi": Clip(folder / "old.avi", {0: None}, probability),
        "changed.mp4": Clip(folder / "late.mp4", {0: None}, probability),
        "empty.mp4": Clip(EXAMPLES / "two_people.mp4", {}, probability),
        "gone.mp4": Clip(
            EXAMPLES / "smile.mp4",
            {0: None},
            lambda frame, track, au: 0.9 if au == "AU12" and 3000 <= frame < 4500 else 0.95 * (frame == 1500),
            times=[frame / 25 for frame in range(6000)],
            moved="/nowhere/gone.mp4",
        ),
    }
    failed = [
        ReportEntry("broken.mp4", "broken.mp4", "failed", reason="is cut off: 24,746 bytes are missing")
    ]
    output = write_run(folder / "out.parquet", clips, failed)
    report = output.with_suffix(".report.json")
    (folder / "changed.mp4").write_bytes((EXAMPLES / "smile.mp4").read_bytes())
    text = report.read_text().split('"video": "changed.mp4"')
    text[1] = text[1].replace("late.mp4", "changed.mp4", 1)
    report.write_text('"video": "changed.mp4"'.join(text))
    with served(RecordedPages(ViewedRun.open(output))) as server:
        yield server.address


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def session(address, downloads):
    with browser(downloads) as session:
        yield session


@pytest.fixture
def page(session, address):
    page = Page(session, address)
    page.drawn()
    page.js("localStorage.clear()")
    return page


def playhead(page):
    return float(page.js("document.getElementById('playhead').dataset.seconds"))


def shown_grey(page):
    """The grey of the picture that the video element shows."""
    return page.js(
        "((video) => { const canvas = document.createElement('canvas'); canvas.width = canvas.height = 8;"
        "const context = canvas.getContext('2d'); context.drawImage(video, 0, 0, 8, 8);"
        "return context.getImageData(4, 4, 1, 1).data[0]; })(document.getElementById('video'))"
    )


def clock(page):
    return page.js("document.getElementById('clock').textContent")


def close_to(pixel, colour, tolerance=12):
    return all(abs(a - b) <= tolerance for a, b in zip(pixel[:3], colour, strict=True))


# -- loading -----------------------------------------------------------------------------------


def test_the_page_loads_without_a_complaint(page):
    page.playing()
    for tab in ("marks", "relations", "persons"):
        page.js(f"document.getElementById('tab-{tab}').click()")
    page.press("?", "\ue00c")  # help, Escape
    assert page.complaints() == []
    assert page.session.title == "smile.mp4 – aucli view"
    assert page.js("document.querySelectorAll('.row').length") == len(CARD.au_names)
    weak = page.js(
        "[...document.querySelectorAll('.row .weak')].map((each) => each.closest('.row').dataset.au)"
    )
    assert set(weak) == set(CARD.weak_aus)


def test_nothing_is_asked_of_any_other_address(page, address):
    page.playing()
    asked = page.js("performance.getEntriesByType('resource').map((each) => each.name)")
    assert len(asked) > 20
    assert all(name.startswith(address) for name in asked)


def test_all_videos_are_listed_with_their_status(page):
    listed = page.js(
        "[...document.querySelectorAll('#video-list button')].map((each) => ["
        "each.querySelector('.name').textContent, each.querySelector('.state').textContent, each.disabled])"
    )
    assert [name for name, _, _ in listed][-1] == "broken.mp4"
    assert listed[-1][1:] == ["failed: is cut off: 24,746 bytes are missing", True]
    assert ["two <b>people</b>.mp4", "0:02", False] in listed  # a name is text, never markup
    assert any(name == "empty.mp4" and "no face found" in state for name, state, _ in listed)


# -- the video and its clock -------------------------------------------------------------------


def test_a_click_on_a_line_seeks_the_video_and_moves_the_cursor(page):
    page.playing()
    times = times_of(EXAMPLES / "smile.mp4")
    page.mouse("AU12", 0.62)
    page.until(
        "Math.abs(document.getElementById('video').currentTime - arguments[0]) < 0.06", 0.62 * times[-1]
    )
    frame = int(np.searchsorted(times, 0.62 * times[-1] + 0.002, side="right")) - 1
    page.until("document.getElementById('clock').textContent.endsWith('frame ' + arguments[0])", frame)
    page.until(
        "Math.abs(document.getElementById('playhead').dataset.seconds - arguments[0]) < 0.001", times[frame]
    )
    left = page.js(
        "((head, over) => (head.x + head.width / 2 - over.x) / over.width)"
        "(document.getElementById('playhead').getBoundingClientRect(),"
        " document.getElementById('over').getBoundingClientRect())"
    )
    assert left == pytest.approx(times[frame] / times[-1], abs=0.002)


def test_it_plays_and_pauses(page):
    page.playing()
    page.press(" ")
    page.until("document.getElementById('playhead').dataset.seconds > 0.3")
    page.press(" ")
    page.until("document.getElementById('video').paused")
    assert 0.3 < playhead(page) <= times_of(EXAMPLES / "smile.mp4")[-1]


def test_arrows_go_frame_by_frame_by_their_true_times(page, folder):
    """A video that begins at 1.4 s with frames at uneven times; the grey tells which one is shown."""
    page.open("late.mp4")
    page.playing()
    times = page.module("state.js", "m.state.range")
    real = times_of(folder / "late.mp4")
    assert times == [pytest.approx(1.4), pytest.approx(real[-1])]
    expected = 0
    for key, step in (("\ue014", 1),) * 5 + (("\ue012", -1),) * 2 + (("\ue014", 1),):
        page.press(key)
        expected += step
        page.until("document.getElementById('clock').textContent.endsWith('frame ' + arguments[0])", expected)
        page.until("!document.getElementById('video').seeking")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while abs(shown_grey(page) - grey_of(expected)) > 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert abs(shown_grey(page) - grey_of(expected)) <= 2
        assert playhead(page) == pytest.approx(real[expected], abs=0.001)
    assert page.complaints() == []


def test_the_clock_of_players_that_let_every_video_begin_at_0(page):
    offset = "m.clockOffset(v[0], v[1])"
    assert page.module("player.js", offset, 0, 1.4) == 1.4
    assert page.module("player.js", offset, 1.4, 1.4) == 0
    assert page.module("player.js", offset, 0, 0) == 0


# -- what cannot be played ---------------------------------------------------------------------


def test_a_video_that_the_browser_cannot_play_is_told_and_its_lines_work(page):
    page.open("old.avi")
    page.until("!document.getElementById('screen-message').hidden")
    told = page.js("document.getElementById('screen-message').textContent")
    assert "This browser cannot play this video." in told
    assert "old.avi: MPEG4 in avi" in told
    page.mouse("AU12", 0.5)
    page.until("document.getElementById('playhead').dataset.seconds > 0.7")
    page.press("\ue014")
    page.until("/frame 20$/.test(document.getElementById('clock').textContent)")
    assert page.js("document.getElementById('play').disabled")


def test_a_video_that_was_moved_is_told_and_its_many_frames_are_drawn(page):
    """More frames than pixels: bars from the least to the greatest value, in which no peak is lost."""
    page.open("gone.mp4")
    told = page.js("document.getElementById('screen-message').textContent")
    assert "not where it was" in told
    assert "/nowhere/gone.mp4" in told
    page.js("document.querySelector('.row[data-au=AU12]').scrollIntoView({block: 'center'})")
    page.until("document.querySelector('.row[data-au=AU12] canvas')")
    wait_for_pixel(page, "AU12", 0.625, 0.3, 0.3 * 255)  # filled from the threshold to the curve
    assert colour_under(page, "AU12", 0.4, 0.3)[3] == 0
    peak = {
        round(0.25 + shift / 900, 5): colour_under(page, "AU12", 0.25 + shift / 900, 0.3)
        for shift in range(-3, 4)
    }
    seen = [pixel for pixel in peak.values() if pixel[3] == 255]
    assert 1 <= len(seen) <= 3  # one frame of 6000, on about 900 pixels
    assert close_to(seen[0], COLOURS[0])


def test_a_video_that_has_changed_is_told(page):
    page.open("changed.mp4")
    assert "changed.mp4 has changed since the analysis" in page.js(
        "document.getElementById('notices').textContent"
    )
    page.open("smile.mp4")
    assert page.js("document.getElementById('notices').textContent") == ""


def test_a_video_without_a_face_says_so(page):
    page.js(
        "[...document.querySelectorAll('#video-list button')]"
        ".find((each) => each.textContent.startsWith('empty')).click()"
    )
    page.until("/No face was found/.test(document.getElementById('rows-message').textContent)")
    page.playing()
    assert page.complaints() == []


# -- the lines ---------------------------------------------------------------------------------


def colour_under(page, au, x, y):
    return page.pixel(f".row[data-au={au}] canvas", x, y)


def wait_for_pixel(page, au, x, y, opacity):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while abs(colour_under(page, au, x, y)[3] - opacity) > 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert colour_under(page, au, x, y)[3] == pytest.approx(opacity, abs=3)


def set_slider(page, au, value):
    page.js(
        "((slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); })"
        "(document.querySelector(`.row[data-au=${arguments[0]}] input[type=range]`), arguments[1])",
        au,
        value,
    )


def test_the_threshold_recolours_at_once(page):
    page.playing()
    page.js("document.querySelector('.row[data-au=AU12]').scrollIntoView({block: 'center'})")
    page.until("document.querySelector('.row[data-au=AU12] canvas')")
    # Frame 45 of 90 is at 0.9: between there and the threshold the area is filled.
    wait_for_pixel(page, "AU12", 0.5, 0.2, 0.3 * 255)
    assert close_to(colour_under(page, "AU12", 0.5, 0.2), COLOURS[0])
    set_slider(page, "AU12", 0.95)
    page.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.until("document.getElementById('changed-text').textContent === '1 threshold moved'")
    assert colour_under(page, "AU12", 0.5, 0.2)[3] == 0
    page.js("document.getElementById('reset-thresholds').click()")
    page.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert colour_under(page, "AU12", 0.5, 0.2)[3] == pytest.approx(0.3 * 255, abs=3)
    assert page.js("document.getElementById('changed').hidden")


def test_the_threshold_decides_what_is_written_on_the_picture(page):
    page.playing()
    page.mouse("AU12", 0.5)
    row = "document.querySelector('.row[data-au=AU12] .now span')"
    page.until(f"{row}.textContent === '0.90' && {row}.classList.contains('on')")
    set_slider(page, "AU12", 0.93)
    page.until(f"!{row}.classList.contains('on')")


def test_zoom_pan_and_reset(page):
    def view():
        return page.module("state.js", "m.state.view")

    whole = view()
    page.press("+", "+")
    zoomed = view()
    assert zoomed[1] - zoomed[0] == pytest.approx((whole[1] - whole[0]) / 4)
    page.press("]")
    assert view()[0] > zoomed[0]
    page.press("0")
    assert view() == whole


def test_the_wheel_zooms_and_moves_and_the_strip_jumps(page):
    def view():
        return page.module("state.js", "m.state.view")

    wheel = (
        "((box, options) => { const [clientX, clientY] = [box.x + box.width / 2, box.y + 5];"
        "const all = {...options, clientX, clientY, bubbles: true, cancelable: true};"
        "document.elementFromPoint(clientX, clientY).dispatchEvent(new WheelEvent('wheel', all)); })"
        "(document.querySelector(arguments[0]).getBoundingClientRect(), arguments[1])"
    )
    start, end = view()
    page.js(wheel, ".row .plot", {"deltaY": -100, "ctrlKey": True})
    low, high = view()
    assert high - low < end - start
    assert (low + high) / 2 == pytest.approx((start + end) / 2, abs=0.01)  # around the mouse
    page.js(wheel, ".row .plot", {"deltaY": 100, "shiftKey": True})
    moved = view()
    assert moved[0] > low
    assert moved[1] - moved[0] == pytest.approx(high - low)
    page.js(wheel, "#axis", {"deltaY": -100})  # nothing to scroll there: it zooms
    assert view()[1] - view()[0] < high - low
    unmoved = view()
    page.js(wheel, ".row .plot", {"deltaY": 100})  # that scrolls the rows
    assert view() == unmoved
    strip = page.session.find_element("id", "overview")
    strip.click()
    assert sum(view()) / 2 == pytest.approx((start + end) / 2, abs=0.01)


def test_the_list_of_persons_keeps_the_keyboard_where_it_is(page):
    page.open("two <b>people</b>.mp4")
    name = "document.querySelector('.person[data-track=\"1\"] input[type=text]')"
    page.js(f"{name}.focus()")
    rename(page, 1, "Bo")
    assert page.js(f"document.activeElement === {name}")
    page.until("document.querySelector('.mark select') === null")
    page.js("document.querySelector('.person input').focus()")
    page.js("document.querySelector('.person input').click()")
    assert page.js("document.activeElement === document.querySelector('.person input')")
    page.until("document.querySelector('.person').classList.contains('off')")


def test_full_data_comes_with_the_zoom(page):
    """A blink of one frame is seen in the whole, and alone in close-up."""
    page.module("state.js", "m.setView(1.55, 1.75)")
    page.js("document.querySelector('.row[data-au=AU43]').scrollIntoView({block: 'center'})")
    page.until("document.querySelector('.row[data-au=AU43] canvas')")
    x = (1.6 - 1.55) / 0.2
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and not close_to(colour_under(page, "AU43", x, 0.25), COLOURS[0]):
        time.sleep(0.05)
    assert close_to(colour_under(page, "AU43", x, 0.25), COLOURS[0])
    assert colour_under(page, "AU43", x + 0.3, 0.25)[3] == 0


def test_the_filter_shows_some_aus(page):
    for words, aus in {
        "12": ["AU12", "AU12L", "AU12R"],
        "au9 25": ["AU9", "AU25"],
        "wrinkler": ["AU9"],
        "xyz": [],
    }.items():
        page.js(
            "((field, words) => { field.value = words; field.dispatchEvent(new Event('input')); })"
            "(document.getElementById('au-filter'), arguments[0])",
            words,
        )
        assert page.js("[...document.querySelectorAll('.row')].map((each) => each.dataset.au)") == aus
        assert page.js("document.getElementById('rows-message').hidden") == bool(aus)


def test_a_line_for_each_person(page):
    page.open("two <b>people</b>.mp4")
    page.js("document.getElementById('split').click()")
    page.until("document.querySelectorAll('.row').length === arguments[0]", 2 * len(CARD.au_names))


# -- persons -----------------------------------------------------------------------------------


def box_pixel(page, track):
    """The overlay on the left edge of a track's box, half way down."""
    left, top, _, height = box_of(track)
    area = page.js(
        "((canvas) => [canvas.clientWidth, canvas.clientHeight])(document.getElementById('overlay'))"
    )
    scale = min(area[0] / 320, area[1] / 240)
    x = ((area[0] - 320 * scale) / 2 + left * scale) / (area[0] - 1)
    y = ((area[1] - 240 * scale) / 2 + (top + height / 2) * scale) / (area[1] - 1)
    pixels = [page.pixel("#overlay", x + shift / area[0], y) for shift in (-1, 0, 1)]
    return max(pixels, key=sum)  # the line has a dark edge


def wait_for_box(page, track, colour):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        pixel = box_pixel(page, track)
        if (pixel[3] == 0) if colour is None else (pixel[3] and close_to(pixel, colour, 30)):
            return
        time.sleep(0.05)
    raise AssertionError(f"track {track}: {pixel}, not {colour}")


def test_hiding_a_track_hides_its_box_and_its_lines(page):
    page.open("two <b>people</b>.mp4")
    page.playing()
    wait_for_box(page, 0, COLOURS[0])
    wait_for_box(page, 1, COLOURS[1])
    page.until("document.querySelectorAll('.row[data-au=AU1] .now span').length === 2")
    page.js("document.querySelector('.person[data-track=\"1\"] input').click()")
    wait_for_box(page, 1, None)
    wait_for_box(page, 0, COLOURS[0])
    page.until("document.querySelectorAll('.row[data-au=AU1] .now span').length === 1")
    page.press("1")  # the other one
    wait_for_box(page, 0, None)
    page.until("/All persons are hidden/.test(document.getElementById('rows-message').textContent)")
    page.press("b", "1", "b")
    wait_for_box(page, 0, COLOURS[0])
    assert page.complaints() == []


def rename(page, track, name):
    page.js(
        "((field, name) => { field.value = name; field.dispatchEvent(new Event('change')); })"
        "(document.querySelector(`.person[data-track='${arguments[0]}'] input[type=text]`), arguments[1])",
        track,
        name,
    )


# -- marks -------------------------------------------------------------------------------------


def test_marks_are_saved_as_csv_with_names(page, downloads):
    page.open("two <b>people</b>.mp4")
    end = times_of(EXAMPLES / "two_people.mp4")[-1]
    rename(page, 1, 'Anna "A", née Ö')
    page.mouse("AU4", 0.25, 0.75)
    page.until("document.activeElement.getAttribute('aria-label') === 'Label'")
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(page.session).send_keys('frown, then "smile"').perform()
    page.js(
        "((field) => { field.value = '1'; field.dispatchEvent(new Event('change')); })"
        "(document.querySelector('.mark select'))"
    )
    page.module("player.js", "m.seek(0.2)")
    page.press("i")
    page.module("player.js", "m.seek(0.6)")
    page.press("o")
    page.until("document.querySelectorAll('.mark').length === 2")
    page.until("document.querySelectorAll('#bands > div').length === 2")
    page.js("document.getElementById('save-csv').click()")
    file = downloads / "out.marks.csv"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    text = file.read_bytes().decode()
    file.unlink()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["video"] for row in rows] == ["two <b>people</b>.mp4"] * 2
    assert [row["name"] for row in rows] == ["", 'Anna "A", née Ö']
    assert [row["track"] for row in rows] == ["", "1"]
    assert [row["label"] for row in rows] == ["", 'frown, then "smile"']
    assert float(rows[0]["start_s"]) == pytest.approx(0.2, abs=0.07)  # one frame: the player settles on one
    assert float(rows[1]["start_s"]) == pytest.approx(0.25 * end, abs=0.005)
    assert float(rows[1]["end_s"]) == pytest.approx(0.75 * end, abs=0.005)
    for row in rows:
        assert float(row["duration_s"]) == pytest.approx(
            float(row["end_s"]) - float(row["start_s"]), abs=2e-6
        )
    page.js("document.querySelector('.mark button.icon').click()")
    page.until("document.querySelectorAll('.mark').length === 1")
    assert page.complaints() == []


def test_names_and_marks_are_there_after_a_reload(page, session, address):
    rename(page, 0, "Anna")
    page.mouse("AU4", 0.25, 0.75)
    page.until("document.querySelectorAll('.mark').length === 1")
    page.js("document.getElementById('save-csv').click()")  # else the browser asks before it leaves
    again = Page(session, address)
    again.drawn()
    assert again.js("document.querySelector('.person input[type=text]').value") == "Anna"
    assert again.js("document.querySelectorAll('#bands > div').length") == 1
    again.js("localStorage.clear()")


def test_csv_is_read_back_by_another_reader(page):
    for text in ("plain", "a,b", 'say "no"', "two\nlines", "é 漢", ""):
        mark = {"video": text, "start": 0.1, "end": 1 / 3, "label": text, "track": 0}
        written = page.module("csv.js", "m.csvOf([v[0]], () => v[1])", mark, text)
        (row,) = csv.DictReader(io.StringIO(written, newline=""))
        assert (row["video"], row["label"], row["name"]) == (text, text, text)
        assert (row["start_s"], row["end_s"], row["track"]) == ("0.1", "0.333333", "0")


# -- together ----------------------------------------------------------------------------------


def test_aus_that_are_active_together(page):
    page.js("document.getElementById('tab-relations').click()")
    set_slider(page, "AU43", 0.97)
    page.until("/No two AUs/.test(document.getElementById('relations').textContent)")
    set_slider(page, "AU12", 0.05)  # active in all 90 frames now, AU43 in one of them
    set_slider(page, "AU43", 0.9)
    page.until("document.querySelector('#relations tbody tr')")
    pair = page.js(
        "[...document.querySelector('#relations tbody tr').children].map((each) => each.textContent)"
    )
    assert pair == ["AU12 + AU43", "1 %", "1"]
    assert page.js("document.querySelectorAll('#graph .edge').length") == 0  # too rare for a line
    page.module("state.js", "m.setView(1.56, 1.64)")
    page.until("document.querySelectorAll('#graph .edge').length === 1")

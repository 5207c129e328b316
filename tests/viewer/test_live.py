"""The live page: the networks frame by frame, and dropping what there is no time for."""

import io
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from aucli.config import ExtractConfig
from aucli.datatypes import Selection, Source
from aucli.errors import InputNotFoundError, MediaError, UsageError
from aucli.inference.analyser import Analyser
from aucli.media.decode import open_decoder
from aucli.media.probe import probe
from aucli.viewer.camera import camera_frames, file_frames
from aucli.viewer.latest import Latest
from aucli.viewer.live import Live, LiveAnalyser, LivePages
from aucli_models.au import facs_order
from tests.cli.commands import EXAMPLES
from tests.models.small_mdhr import card_file
from tests.viewer.chromium import Page, browser, programs
from tests.viewer.runs import served, unpack

CLIP = EXAMPLES / "two_people.mp4"
CONFIG = ExtractConfig(model="builtin", detect_every=1)


@pytest.fixture(scope="module")
def frames():
    with open_decoder(Source(CLIP, CLIP.name), Selection()) as decoder:
        return list(decoder.frames())[:12]


def new_analyser():
    return LiveAnalyser(CONFIG, "cpu")


def test_the_newest_wins():
    place = Latest()
    for item in "abc":
        place.put(item)
    assert place.after(0) == (3, "c")
    taken = []
    reader = threading.Thread(target=lambda: taken.append(place.after(3)))
    reader.start()
    place.put("d")
    reader.join(10)
    assert taken == [(4, "d")]
    place.close()
    assert place.after(0) == (4, "d")  # the last one is still to be had
    assert place.after(4) is None


def test_close_wakes_who_waits():
    place = Latest()
    taken = []
    reader = threading.Thread(target=lambda: taken.append(place.after(0)))
    reader.start()
    place.close()
    reader.join(10)
    assert taken == [None]


def test_frame_by_frame_gives_what_extract_gives(frames):
    source = Source(CLIP, CLIP.name)
    with closing(Analyser(CONFIG, "cpu", 1).results(source, probe(source))) as results:
        expected = [next(results) for _ in frames]
    analyser = new_analyser()
    for frame, wanted in zip(frames, expected, strict=True):
        found = analyser(frame)
        assert (found.index, found.pts_seconds) == (wanted.index, wanted.pts_seconds)
        assert found.faces.tracks.tolist() == wanted.faces.tracks.tolist() == [0, 1]
        np.testing.assert_allclose(found.faces.boxes, wanted.faces.boxes, atol=1e-3)
        np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-4)


def test_frames_that_nobody_has_time_for_are_dropped_and_counted(frames):
    """A camera far faster than the networks: what is analysed is always the newest."""
    captured = []

    def camera(stop):
        for frame in frames:
            captured.append((time.monotonic(), frame.index))
            yield frame
            if stop.wait(0.002):
                return

    class Slow(LiveAnalyser):
        def __call__(self, frame):
            begun.append((time.monotonic(), frame.index))
            time.sleep(0.05)
            return super().__call__(frame)

    begun = []
    live = Live(camera, Slow(CONFIG, "cpu"))
    live.start()
    number, last = 0, None
    while (taken := live.results.after(number)) is not None:
        number, last = taken
    live.close()
    assert last.result.index == frames[-1].index  # the newest is never lost
    assert last.dropped == len(captured) - len(begun) > 0
    for moment, index in begun:
        newest = max(number for when, number in captured if when <= moment)
        assert index in (newest, newest - 1)  # one may come between the hand-over and this note
    assert last.frames_per_second >= 0
    assert live.problem is None


def test_a_file_is_played_at_its_own_speed():
    stop = threading.Event()
    start = time.monotonic()
    late = [
        time.monotonic() - start - frame.pts_seconds
        for frame, _ in zip(file_frames(CLIP)(stop), range(20), strict=False)
    ]
    assert min(late) >= -0.001
    assert len(late) == 20


def test_a_stop_ends_the_waiting():
    stop = threading.Event()
    frames = file_frames(CLIP)(stop)
    next(frames)
    stop.set()
    assert list(frames) == []


def test_a_message_has_picture_and_rows_of_one_frame(frames):
    analyser = new_analyser()
    order = sorted(
        range(len(analyser.card.au_names)), key=lambda place: facs_order(analyser.card.au_names[place])
    )
    live = Live(lambda stop: iter(frames[:1]), analyser)
    live.start()
    _, frame = live.results.after(0)
    with served(LivePages(live, analyser, "test")) as server:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        connection.request("GET", f"/{server.token}/stream")
        stream = connection.getresponse().read()
        connection.close()
    live.close()
    messages = []
    while stream:
        length = int.from_bytes(stream[:4], "little")
        messages.append(unpack(stream[4 : 4 + length]))
        stream = stream[4 + length :]
    (header, arrays), (end, _) = messages
    assert end == {"ended": True, "problem": None, "arrays": {}}
    assert (header["index"], header["seconds"], header["width"], header["height"]) == (0, 0.0, 320, 240)
    picture = np.asarray(Image.open(io.BytesIO(arrays["jpeg"].tobytes())), np.float32)
    assert np.abs(picture - frames[0].pixels.numpy()).mean() < 4
    np.testing.assert_array_equal(arrays["values"], frame.result.probabilities[:, order])
    assert arrays["tracks"].tolist() == [0, 1]


def test_what_goes_wrong_in_a_camera_is_told():
    def unplugged(stop):
        raise MediaError("the camera was unplugged")
        yield

    live = Live(unplugged, new_analyser())
    live.start()
    assert live.results.after(0) is None
    live.close()
    assert live.problem == "the camera was unplugged"


def test_a_camera_that_is_not_there_names_what_was_tried():
    with pytest.raises(InputNotFoundError, match=r"--camera 97: .*PyAV: there is no /dev/video97; OpenCV: "):
        camera_frames("97")
    with pytest.raises(InputNotFoundError, match=r"PyAV: /dev/null: .*; OpenCV: "):
        camera_frames("/dev/null")


def test_the_page_shows_what_happens(tmp_path):
    programs()
    analyser = new_analyser()
    live = Live(file_frames(CLIP), analyser)
    with served(LivePages(live, analyser, "camera 0")) as server, browser(tmp_path) as session:
        page = Page(session, server.address)
        page.until("document.querySelectorAll('.row').length === arguments[0]", len(analyser.card.au_names))
        live.start()
        page.until("/frames\\/s, [\\d,]+ dropped/.test(document.getElementById('live-numbers').textContent)")
        page.until("document.querySelectorAll('.person').length >= 2")
        page.until("document.querySelector('.row canvas')")
        page.until("document.getElementById('live-status').classList.contains('ended')")
        assert page.js("document.getElementById('picture').width") == 320
        assert page.pixel("#picture", 0.5, 0.5)[3] == 255
        assert "The video has ended." in page.js("document.getElementById('notices').textContent")
        assert page.complaints() == []
    live.close()


def test_a_model_that_needs_frames_to_come_is_refused(tmp_path):
    model = str(card_file(tmp_path))
    with pytest.raises(UsageError, match="tiny_mdhr knows a frame only when seven more have come"):
        LiveAnalyser(ExtractConfig(model=model), "cpu")

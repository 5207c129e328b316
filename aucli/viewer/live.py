"""A camera through the networks of `extract`, as fast as they go.

Three threads and a place for one thing between any two (`Latest`): capture, analyse, send. Each takes the
newest there is. So what is seen is late by one frame of each stage, however slow the machine; frames that
nobody had time for are counted, not kept.
"""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aucli.config import ExtractConfig
from aucli.datatypes import Frame
from aucli.errors import AucliError, UsageError
from aucli.faces.cuts import CutFinder, look_at
from aucli.faces.detect import make_detector
from aucli.faces.track import Tracker
from aucli.inference.devices import resolve_precision
from aucli.inference.pipeline import cut_out, score
from aucli.inference.predictor import Predictor
from aucli.sinks.frames import FrameResult, frames_of
from aucli.viewer.answers import Answer, Stream, as_json
from aucli.viewer.camera import FrameSource
from aucli.viewer.latest import Latest
from aucli.viewer.legend import legend_json, palette_json
from aucli.viewer.packed import packed
from aucli.zoo.catalogue import find
from aucli_models.au import facs_order

_RATE_SECONDS = 2.0  # over which frames per second are measured
_LARGEST_SIDE = 960  # pixels of the pictures sent
_JPEG_QUALITY = 80


class LiveAnalyser:
    """Faces and AUs of one frame after the other, without waiting for the next.

    `analyse` gathers batches and looks a frame ahead; here each frame is known before the next is looked at.

    Raises:
        UsageError: a model that reads clips.
    """

    def __init__(self, config: ExtractConfig, device: str) -> None:
        card = find(config.model).card
        if card.reads_clips:
            raise UsageError(
                f"{card.name} knows a frame only when seven more have come: choose a model that reads single "
                "pictures for a camera, such as --model builtin"
            )
        self._detector = make_detector(config.detector, device=device, min_face=config.min_face)
        self._predictor = Predictor(
            config.model, device=device, precision=resolve_precision(config.precision, device)
        )
        self._tracker = Tracker(sure_score=self._detector.sure_score, max_faces=config.max_faces)
        self._cuts = CutFinder()
        self.card = self._predictor.card

    def __call__(self, frame: Frame) -> FrameResult:
        """The result of the next frame in time."""
        frame = replace(frame, pixels=frame.pixels.to(self._predictor.device))
        cut = self._cuts.update(look_at([frame.pixels])[0])
        found = self._detector.detect([frame.pixels])[0]
        faces = self._tracker.update(found, cut=cut, pts_seconds=frame.pts_seconds)
        cropped = cut_out([(frame, faces)], self.card.crop, self._detector.sure_score)
        (chunk,) = score(cropped, self._predictor)
        (result,) = frames_of(chunk.rows)
        return result


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """An analysed frame; frames_per_second, dropped: of the analysis so far."""

    pixels: NDArray[np.uint8]  # (height, width, 3), RGB
    result: FrameResult
    frames_per_second: float
    dropped: int


class Live:
    """Capture and analysis in threads of their own, from `start` to `close`."""

    def __init__(self, source: FrameSource, analyser: LiveAnalyser) -> None:
        self._source, self._analyser = source, analyser
        self._stop = threading.Event()
        self._captured: Latest[tuple[int, Frame]] = Latest()
        self.results: Latest[LiveFrame] = Latest()
        self.problem: str | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(work, ends), name=name, daemon=True)
            for name, work, ends in (
                ("capture", self._capture, self._captured),
                ("analyse", self._analyse, self.results),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End both threads; returns when they have ended, or after two seconds."""
        self._stop.set()
        self._captured.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=2.0)

    def _run(self, work: Any, ends: Latest[Any]) -> None:
        try:
            work()
        except (AucliError, OSError, RuntimeError) as error:  # shown in the page
            self.problem = self.problem or str(error)
        finally:
            ends.close()

    def _capture(self) -> None:
        for count, frame in enumerate(self._source(self._stop), start=1):
            self._captured.put((count, frame))

    def _analyse(self) -> None:
        number, analysed = 0, 0
        finished: deque[float] = deque()
        while not self._stop.is_set():
            taken = self._captured.after(number)
            if taken is None:
                return
            number, (captured, frame) = taken
            result = self._analyser(frame)
            analysed += 1
            now = time.monotonic()
            finished.append(now)
            while now - finished[0] > _RATE_SECONDS:
                finished.popleft()
            elapsed = now - finished[0]
            rate = (len(finished) - 1) / elapsed if elapsed > 0 else 0.0
            pixels = np.asarray(frame.pixels.cpu().numpy(), np.uint8)
            self.results.put(LiveFrame(pixels, result, rate, captured - analysed))


class LivePages:
    """See `answers.Pages`.

    run.json    what is shown
    stream      for each frame the length (4 bytes, little-endian) of what `message` makes, and that
    """

    def __init__(self, live: Live, analyser: LiveAnalyser, name: str) -> None:
        self._live, self._name = live, name
        names = analyser.card.written_aus
        self._order = sorted(range(len(names)), key=lambda place: facs_order(names[place]))
        self._legend = legend_json(analyser.card, [names[place] for place in self._order])

    def answer(self, parts: tuple[str, ...], query: dict[str, str]) -> Answer:
        if parts == ("run.json",):
            about = {"mode": "live", "name": self._name, "key": "live", "notes": [], "legend": self._legend}
            return as_json({**about, "palette": palette_json()})
        if parts == ("stream",):
            return Stream(self._messages(), "application/octet-stream")
        raise LookupError("/".join(parts))

    def _messages(self) -> Iterator[bytes]:
        number = 0
        while (taken := self._live.results.after(number)) is not None:
            number, frame = taken
            yield _framed(message(frame, self._order))
        yield _framed(packed({"ended": True, "problem": self._live.problem}, {}))


def message(frame: LiveFrame, order: list[int]) -> bytes:
    """A frame with its faces, packed: arrays as in `ViewedRun.frames`, of one frame, and `jpeg`.

    order: of the AUs in the message, as places in the result.
    """
    result, faces = frame.result, frame.result.faces
    height, width = frame.pixels.shape[:2]
    picture = Image.fromarray(frame.pixels)
    picture.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    assert faces.tracks is not None  # results are of tracked faces
    return packed(
        {
            "ended": False,
            "index": result.index,
            "seconds": result.pts_seconds,
            "frames_per_second": round(frame.frames_per_second, 1),
            "dropped": frame.dropped,
            "width": width,
            "height": height,
        },
        {
            "tracks": faces.tracks,
            "boxes": faces.boxes,
            "valid": result.valid,
            "values": result.probabilities[:, order],
            "jpeg": np.frombuffer(file.getvalue(), np.uint8),
        },
    )


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + content

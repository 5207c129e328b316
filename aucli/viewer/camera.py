"""Frames as they happen: of a camera, or of a file at its own speed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from aucli.datatypes import Frame, Source
from aucli.errors import InputNotFoundError, MediaError
from aucli.media.decode import open_decoder
from aucli.media.display import Orientation

_MICROSECONDS = Fraction(1, 1_000_000)

FrameSource = Callable[[threading.Event], Iterator[Frame]]
"""Yields frames, each when it is due, until it has no more or the event is set."""


def file_frames(path: Path) -> FrameSource:
    """The frames of a video, each not before its time.

    Raises:
        InputNotFoundError: there is no such file.
    """
    if not path.exists():
        raise InputNotFoundError(f"--live {path}: there is no such file")
    with open_decoder(
        Source(path, path.name)
    ):  # whether it can be opened is to be known before the page opens
        pass

    def frames(stop: threading.Event) -> Iterator[Frame]:
        with open_decoder(Source(path, path.name)) as decoder:
            began: float | None = None
            for frame in decoder.frames():
                if began is None:
                    began = time.monotonic() - frame.pts_seconds
                if stop.wait(max(0.0, began + frame.pts_seconds - time.monotonic())):
                    return
                yield frame

    return frames


def camera_frames(camera: str) -> FrameSource:
    """The frames of a camera: its number, or its device file. PyAV first, OpenCV where that cannot.

    Raises:
        InputNotFoundError: no way to open it; names what was tried.
    """
    device = f"/dev/video{camera}" if camera.isdecimal() else camera
    tried = []
    for opened in (_pyav_camera, _opencv_camera):
        try:
            return opened(device)
        except MediaError as error:
            tried.append(str(error))
    raise InputNotFoundError(f"--camera {camera}: cannot be opened: {'; '.join(tried)}")


def _pyav_camera(device: str) -> FrameSource:
    import av

    if not Path(device).exists():
        raise MediaError(f"PyAV: there is no {device}")
    try:
        container = av.open(device, format="v4l2")
    except (av.error.FFmpegError, ValueError) as error:
        said = error.strerror if isinstance(error, av.error.FFmpegError) else str(error)
        raise MediaError(f"PyAV: {device}: {said}") from error

    def frames(stop: threading.Event) -> Iterator[Frame]:
        clock = _Clock()
        with container:
            for picture in container.decode(video=0):
                if stop.is_set():
                    return
                stored = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
                yield clock.frame(Orientation.of(picture).apply(stored))

    return frames


def _opencv_camera(device: str) -> FrameSource:
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # it prints a page where there is no camera
    try:
        import cv2
    except ImportError as error:
        raise MediaError(f"OpenCV: not usable here ({error})") from error
    number = device.removeprefix("/dev/video")
    capture = cv2.VideoCapture(int(number) if number.isdecimal() else device, cv2.CAP_V4L2)
    if not capture.isOpened():
        capture.release()
        raise MediaError(f"OpenCV: no camera answers as {device}")

    def frames(stop: threading.Event) -> Iterator[Frame]:
        clock = _Clock()
        try:
            while not stop.is_set():
                there, picture = capture.read()
                if not there:
                    return
                yield clock.frame(np.asarray(picture, np.uint8)[:, :, ::-1])
        finally:
            capture.release()

    return frames


class _Clock:
    """Numbers frames, and gives each the time of its arrival: cameras' own clocks begin anywhere."""

    def __init__(self) -> None:
        self._index = 0
        self._began = time.monotonic()

    def frame(self, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Frame:
        index, self._index = self._index, self._index + 1
        micros = round((time.monotonic() - self._began) * 1e6)
        return Frame(index, micros, _MICROSECONDS, torch.from_numpy(np.ascontiguousarray(pixels)))

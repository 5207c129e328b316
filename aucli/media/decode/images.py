"""Single pictures, animated WebP and folders of numbered pictures as if they were videos.

An animation has its times. Other pictures have no clock: the picture in place k gets PTS k with time base
1, so what is called seconds elsewhere (`time_s`, `--start`, `--end`, `--fps`) counts pictures there.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import torch

from aucli.datatypes import DecodeSummary, Frame, Selection, Source
from aucli.errors import MediaError
from aucli.media.decode.choose import FrameChooser
from aucli.media.decode.protocol import Decoder
from aucli.media.pictures import describe_picture, folder_pictures, read_animation, read_picture


class ImagesDecoder(Decoder):
    """See `aucli.media.decode.protocol.Decoder`. Pictures that are not selected are not opened.

    A picture of a folder that cannot be read is counted as a failed packet and left out; those after it
    keep their place.

    Raises:
        MediaError: the folder cannot be read.
    """

    name = "images"

    def __init__(self, source: Source, selection: Selection) -> None:
        self._source = source
        self._pictures = folder_pictures(source.path) if source.kind == "image_folder" else [source.path]
        self._chooser = FrameChooser(selection)
        self._frames_decoded = 0
        self._packets_failed = 0
        self._stopped_early: str | None = None
        self._notes: list[str] = []
        self._frames_from_header = len(self._pictures)
        self._animation: Path | None = None
        if source.kind == "image":
            header = describe_picture(source.path)
            if header.is_animation:
                self._animation, self._frames_from_header = source.path, header.pictures
            elif header.pictures > 1:
                self._notes.append(
                    f"the file holds {header.pictures} pictures and only the first was read; a video or a "
                    "folder of numbered pictures would be read whole"
                )

    @property
    def summary(self) -> DecodeSummary:
        return DecodeSummary(
            decoder=self.name,
            frames_decoded=self._frames_decoded,
            frames_from_header=self._frames_from_header,
            packets_failed=self._packets_failed,
            stopped_early=self._stopped_early,
            notes=tuple(self._notes),
        )

    def frames(self) -> Iterator[Frame]:
        yield from self._still_frames() if self._animation is None else self._moving_frames(self._animation)
        if self._chooser.note:
            self._notes.append(self._chooser.note)

    def _moving_frames(self, path: Path) -> Iterator[Frame]:
        """Of an animated WebP, which stores for each picture how many ms it is shown."""
        pictures = read_animation(path)
        while True:
            try:
                found = next(pictures, None)
            except MediaError as error:
                if not self._frames_decoded:
                    raise
                self._stopped_early = f"reading stopped after {self._frames_decoded} pictures ({error})"
                return
            if found is None:
                return
            milliseconds, pixels = found
            decision = self._chooser.decide(Fraction(milliseconds, 1000))
            if decision == "stop":
                return
            index = self._frames_decoded
            self._frames_decoded += 1
            if decision == "take":
                yield Frame(index, milliseconds, Fraction(1, 1000), torch.from_numpy(pixels))

    def _still_frames(self) -> Iterator[Frame]:
        failure: MediaError | None = None
        for index, path in enumerate(self._pictures):
            decision = self._chooser.decide(Fraction(index))
            if decision == "stop":
                break
            if decision == "leave":
                self._frames_decoded += 1
                continue
            try:
                pixels = torch.from_numpy(read_picture(path))
            except MediaError as error:
                failure = failure or error
                self._packets_failed += 1
                continue
            self._frames_decoded += 1
            yield Frame(index, index, Fraction(1), pixels)
        if failure is not None and not self._frames_decoded:
            raise failure

    def close(self) -> None:
        """Nothing stays open."""

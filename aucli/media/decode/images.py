"""Single pictures and folders of numbered pictures as if they were videos.

Pictures have no clock. The picture in place k gets PTS k with time base 1, so what is called seconds
elsewhere (`time_s`, `--start`, `--end`, `--fps`) counts pictures here.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Self

import torch

from aucli.datatypes import DecodeSummary, Frame, Selection, Source
from aucli.errors import MediaError
from aucli.media.decode.choose import FrameChooser
from aucli.media.pictures import folder_pictures, read_picture


class ImagesDecoder:
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
        self._note: str | None = None

    @property
    def summary(self) -> DecodeSummary:
        return DecodeSummary(
            decoder=self.name,
            frames_decoded=self._frames_decoded,
            frames_from_header=len(self._pictures),
            packets_failed=self._packets_failed,
            notes=(self._note,) if self._note else (),
        )

    def frames(self) -> Iterator[Frame]:
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
        self._note = self._chooser.note
        if failure is not None and not self._frames_decoded:
            raise failure

    def close(self) -> None:
        """Nothing stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

"""The networks of `extract` in one process, for one video after the other, frame by frame."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.faces.detect import make_detector
from aucli.faces.detect_every import detect_every_for
from aucli.inference.devices import resolve_precision
from aucli.inference.parallel_detector import WorkerDetector
from aucli.inference.pipeline import analyse
from aucli.inference.portions import gpu_portions
from aucli.inference.predictor import Predictor
from aucli.media.decode import open_decoder
from aucli.media.decode.choose import selected_rate, window_of
from aucli.media.probe import VideoProbe
from aucli.sinks.frames import FrameResult, frames_of


class Analyser:
    """The networks of `extract`, and its analysis of one video; `edges`: results have `pairs`; `heatmaps`:
    results have those.
    """

    def __init__(
        self, config: ExtractConfig, device: str, threads: int, *, edges: bool = False, heatmaps: bool = False
    ) -> None:
        self._config, self._device = config, device
        detector = make_detector(config.detector, device=device, min_face=config.min_face)
        self._predictor = Predictor(
            config.model,
            device=device,
            precision=resolve_precision(config.precision, device),
            batch_size=config.batch_size,
            edges=edges,
            heatmaps=heatmaps,
            clips=config.clips,
        )
        self.card = self._predictor.card
        portions = gpu_portions(device, 1, self._predictor.batch_size)
        self._detector = WorkerDetector(detector, threads, portions)

    def results(self, source: Source, probed: VideoProbe) -> Generator[FrameResult, None, None]:
        """The results of all frames, or of those in the window of a list.csv.

        The pictures are decoded apart from those that are drawn: those of a batch of faces would have to
        be kept until it is full, and at 4K that is more than a gigabyte.
        """
        selection, config = self._config.selection, self._config
        every = config.detect_every
        if every is None:
            every = detect_every_for(selected_rate(probed.frame_rate, window_of(source, selection)))
            config = replace(config, detect_every=every)
        detector, portions = self._detector.every(every)
        with (
            open_decoder(source, selection, config.decoder, self._device) as decoder,
            closing(analyse(decoder, detector, self._predictor, config, portions=portions)) as chunks,
        ):
            for chunk in chunks:
                yield from frames_of(chunk.rows, chunk.pairs, chunk.heatmaps)

"""One worker process of `annotate`: its networks where it needs them, and the whole of one video."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from aucli import __version__
from aucli.config import ExtractConfig
from aucli.datatypes import Selection
from aucli.errors import MediaError, OutputError
from aucli.inference.annotate_plan import COMMENT, AnnotateTask, drawn_before
from aucli.inference.annotate_resume import attachment_of
from aucli.inference.annotate_video import Seen, draw_video
from aucli.inference.clip_mode import clip_notes
from aucli.inference.events import EventHook, VideoProgress, VideoStarted
from aucli.inference.top_aus import top_aus
from aucli.media.attachment import attach
from aucli.media.codecs import Encoding
from aucli.media.decode import open_decoder
from aucli.media.decode.choose import selected_rate
from aucli.media.encode import FALLBACK_SUFFIXES, FORMATS, SoundTracks, VideoWriter, fits
from aucli.media.probe import probe
from aucli.media.tone import tone_for
from aucli.sinks.atomic import atomic_file, cannot_write
from aucli.sinks.draw.annotator import Annotator
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.look import Look
from aucli.sinks.report import ReportEntry
from aucli.zoo.card import Card

if TYPE_CHECKING:
    from aucli.inference.analyser import Analyser

_PROGRESS_SECONDS = 0.5
_HDR = "HDR: brightness and colours were made to look right on a usual screen, roughly"


def set_up(
    *,
    config: ExtractConfig,
    look: Look,
    encoding: Encoding,
    analyses: bool,
    device: str,
    threads: int,
    worker: int,
) -> Callable[[AnnotateTask, EventHook], ReportEntry]:
    """Load what is needed; returns the function that does one video after the other.

    analyses: False where all tasks come with their rows, so that no network is loaded.
    """
    torch.set_num_threads(1)
    analyser = (
        _analyser(config, device, threads, edges=look.graph, heatmaps=look.heatmaps) if analyses else None
    )

    def process(task: AnnotateTask, send: EventHook) -> ReportEntry:
        try:
            return _annotate(
                task,
                analyser,
                look=look,
                encoding=replace(encoding, threads=threads),
                worker=worker,
                send=send,
            )
        except OutputError as error:
            # Its own words promise to go on from there; here an unfinished video begins anew.
            why = error.__cause__.strerror if isinstance(error.__cause__, OSError) else str(error)
            raise OutputError(
                f"cannot write {task.output}: {why}; make room or choose another output with -o"
            ) from error

    return process


def _analyser(config: ExtractConfig, device: str, threads: int, *, edges: bool, heatmaps: bool) -> Analyser:
    from aucli.inference.analyser import Analyser  # timm takes seconds, for nothing where the rows are there

    return Analyser(config, device, threads, edges=edges, heatmaps=heatmaps)


def _annotate(
    task: AnnotateTask,
    analyser: Analyser | None,
    *,
    look: Look,
    encoding: Encoding,
    worker: int,
    send: EventHook,
) -> ReportEntry:
    start = last_sent = time.perf_counter()
    source = task.source
    refused = drawn_before(source)
    if refused is not None:
        return refused
    probed = probe(source)
    send(VideoStarted(source.name, probed.frames_from_header, worker))
    if task.extracted is not None:
        card = Card.from_json(task.extracted.card, str(task.extracted.file))
        results = task.extracted.frames(card.written_aus)
    else:
        assert analyser is not None  # loaded where there are no rows
        card, results = analyser.card, analyser.results(source, probed)
    annotator = Annotator(
        Legend.of(
            card.written_aus,
            card.thresholds,
            card.weak_aus,
            "probability" if card.probabilities else "intensity",
        ),
        look,
        probed.width,
        probed.height,
        card.crop,
    )
    seen, whole = Seen(), replace(source, start_seconds=None, end_seconds=None)
    with closing(SoundTracks(source.path)) as sound, open_decoder(whole, Selection(), "pyav") as decoder:
        output, copied = _file_and_sound(task, sound)
        _make_folder(output.parent)
        frames = draw_video(
            source.path, decoder.frames(), results, annotator, tone=tone_for(probed.transfer), seen=seen
        )
        container = FORMATS[output.suffix.lower()]
        with atomic_file(output) as file:
            with (
                VideoWriter(
                    Path(file.name),
                    container,
                    width=annotator.layout.width,
                    height=annotator.layout.height,
                    time_base=probed.time_base,
                    frame_rate=probed.frame_rate,
                    encoding=encoding,
                    sound=copied,
                    comment=f"{COMMENT} {__version__}, model {card.name}",
                ) as writer,
                closing(frames),
            ):
                for picture, pts in frames:
                    writer.write(picture, pts)
                    if time.perf_counter() - last_sent >= _PROGRESS_SECONDS:
                        last_sent = time.perf_counter()
                        send(VideoProgress(source.name, seen.frames))
            problem = decoder.summary.problem
            hdr = (_HDR,) if probed.transfer else ()
            rates = () if task.extracted else clip_notes(card, selected_rate(probed.frame_rate, Selection()))
            seconds = time.perf_counter() - start
            entry = ReportEntry(
                source.name,
                str(source.path),
                "partial" if problem else "ok" if seen.faces else "no_face",
                reason=problem,
                subject=source.subject,
                frames=seen.frames,
                faces=seen.faces,
                tracks=len(seen.tracks),
                duration_seconds=round(seen.last_seconds - (seen.first_seconds or 0.0), 6),
                wall_seconds=round(seconds, 3),
                fps=round(seen.frames / seconds, 2),
                decoder=decoder.summary.decoder,
                top_aus=_top_aus(seen, card),
                notes=tuple(
                    note for note in (*decoder.summary.notes, *sound.notes, *hdr, *rates, writer.note) if note
                ),
                key=task.key,
                file=str(output),
            )
            attach(file, container, attachment_of(entry))
    return entry


def _file_and_sound(task: AnnotateTask, sound: SoundTracks) -> tuple[Path, SoundTracks | None]:
    """The file to write, and what sound to copy into it: None, with a note, where that fits nowhere.

    Raises:
        MediaError: the sound does not fit into the file that was asked for, but into another.
    """
    for path in task.candidates:
        if fits(FORMATS[path.suffix.lower()], sound):
            return path, sound
    codecs = ", ".join(sound.codecs)
    other = next((suffix for suffix in FALLBACK_SUFFIXES if fits(FORMATS[suffix], sound)), None)
    if other is not None:
        raise MediaError(
            f"{task.source.path}: its sound ({codecs}) does not fit into {task.output.suffix}: "
            f"give -o {task.output.with_suffix(other)}"
        )
    sound.notes.append(f"without its sound ({codecs}), which fits into none of {', '.join(FORMATS)}")
    return task.output, None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _top_aus(seen: Seen, card: Card) -> tuple[tuple[str, float], ...]:
    if not seen.faces or seen.occurrences is None:
        return ()
    return top_aus(card.written_aus, seen.occurrences, seen.faces)

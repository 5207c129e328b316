"""What an export will write, decided and checked before anything is written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from aucli.errors import UsageError
from aucli.sinks.export import Exporter, make_exporter
from aucli.sinks.export.media import MediaPlaces
from aucli.sinks.export.names import file_names
from aucli.sinks.export.read import read_videos
from aucli.sinks.extraction import ExtractedVideo, read_extraction


@dataclass(frozen=True)
class Target:
    """A file to write: about one video, or one person in it."""

    path: Path
    track: int | None = None


@dataclass(frozen=True)
class ExportPlan:
    """What an export will write; nothing has been written yet.

    place: the output, a file or a folder. note: where the note goes: beside the output, because readers of
    OpenFace's files, OpenFaceR for one, take every file in a folder for a table. rows: how many rows are
    read, for showing progress.
    """

    source: Path
    format: str
    exporter: Exporter
    place: Path
    note: Path
    videos: tuple[ExtractedVideo, ...]
    targets: tuple[tuple[Target, ...], ...]  # of each video, or of all of them together

    @property
    def rows(self) -> int:
        return sum(video.rows for video in self.videos)


def plan_export(
    source: Path,
    format_name: str,
    output: str | os.PathLike[str] | None = None,
    *,
    only: Sequence[str] = (),
    overwrite: bool = False,
    media: Path | None = None,
) -> ExportPlan:
    """Decide what to write, and refuse what cannot or must not be written.

    source: the Parquet file that extract wrote, or its folder. output: a file, or a folder for formats with
    one file per video; by default beside `source`. only: names of videos, all by default. overwrite:
    whether files may be there already. media: folder below which the videos lie, by default where extract
    found them.

    Raises:
        UsageError: no such format, video, folder, or files that are there already.
        MediaError: rows that cannot be read.
    """
    exporter = make_exporter(format_name, media=MediaPlaces(source, media))
    if media is not None and format_name != "elan":
        raise UsageError(
            f"--media is for --format elan, which links to the videos: leave it out with {format_name}"
        )
    everything = read_extraction(source)
    videos = _chosen(everything, only)
    if exporter.whole:
        _check_one_table(videos, source)
    given = None if output is None else os.fspath(output)
    place = _beside(source, format_name, exporter) if given is None else Path(given)
    targets = _targets(exporter, format_name, given, place, everything=everything, videos=videos)
    _check_targets([target.path for group in targets for target in group], everything, overwrite=overwrite)
    note = _note_of(place, is_file=targets[0][0].path == place)
    return ExportPlan(source, format_name, exporter, place, note, tuple(videos), tuple(targets))


def _note_of(place: Path, *, is_file: bool) -> Path:
    """`x.csv.note.txt`, `folder.note.txt`; in the folder where nothing can be written beside it."""
    beside = is_file or (
        place.name not in ("", "..") and os.access(place.absolute().parent, os.W_OK | os.X_OK)
    )
    return place.with_name(f"{place.name}.note.txt") if beside else place / "note.txt"


def _chosen(videos: Sequence[ExtractedVideo], only: Sequence[str]) -> list[ExtractedVideo]:
    there = {video.video for video in videos}
    for name in only:
        if name not in there:
            some = ", ".join(sorted(there)[:3]) + (", ..." if len(there) > 3 else "")
            raise UsageError(f"--video {name}: the extraction has no such video; it has {some}")
    return [video for video in videos if not only or video.video in only]


def _check_one_table(videos: Sequence[ExtractedVideo], source: Path) -> None:
    """Whether the rows of all videos mean the same: one model, the same columns."""
    models = {(video.card.get("name"), video.card.get("sha256")): video for video in videos}
    if len(models) > 1:
        names = " and ".join(str(name) for name, _ in list(models)[:2])
        raise UsageError(
            f"{source}: holds extractions by different models ({names}), which do not fit into one table: "
            "give one of its Parquet files at a time"
        )
    first = videos[0].file
    columns = pq.read_schema(first).names
    for file in dict.fromkeys(video.file for video in videos):
        if pq.read_schema(file).names != columns:
            raise UsageError(
                f"{file} has other columns than {first}, so they do not fit into one table: export them one "
                "by one, or extract them in one run"
            )


def _targets(
    exporter: Exporter,
    format_name: str,
    given: str | None,
    place: Path,
    *,
    everything: Sequence[ExtractedVideo],
    videos: Sequence[ExtractedVideo],
) -> list[tuple[Target, ...]]:
    """The files for each of `videos`, or the one file for all of them.

    given: the output as named with -o; None where `place` is the default.
    """
    if given == "":
        raise UsageError("the output has no name: give for instance -o exported/")
    shown, suffix = given or str(place), exporter.suffixes[0]
    is_folder = place.is_dir() or shown.endswith(os.sep) or not place.suffix
    if given is None:
        is_folder = not exporter.whole
    if not place.absolute().parent.is_dir():
        raise UsageError(f"-o {shown}: the folder {place.parent} does not exist: mkdir -p {place.parent}")
    if is_folder and exporter.whole:
        instead = place / f"out{suffix}" if place.is_dir() else f"{place}{suffix}"
        raise UsageError(f"-o {shown}: {format_name} is one file: give for instance -o {instead}")
    if is_folder and place.exists() and not place.is_dir():
        raise UsageError(f"-o {shown} is a file: remove it, or give a folder or a name in {suffix}")
    if not is_folder and place.suffix.lower() not in exporter.suffixes:
        raise UsageError(f"-o {shown}: the file is {suffix}: give -o {place.with_suffix(suffix)}")
    if exporter.whole:
        return [(Target(place),)]
    if is_folder:
        # Named among all videos: a later export of others cannot clash with these.
        tracks = _tracks(everything) if exporter.per_person else [()] * len(everything)
        wanted = {(video.file, video.start) for video in videos}
        return [
            tuple(Target(place / name, track) for name, track in of_video)
            for video, of_video in zip(everything, _named(everything, tracks, suffix), strict=True)
            if (video.file, video.start) in wanted
        ]
    instead = f"give a folder, -o {place.stem}{os.sep}"
    if len(videos) > 1:
        raise UsageError(f"-o {shown} is one file for {len(videos)} videos: {instead}, or --video")
    people = len(_tracks(videos)[0]) if exporter.per_person else 0
    if people:
        raise UsageError(
            f"-o {shown} is one file, but {format_name} has a file for each person, and {videos[0].video} "
            f"shows {people}: {instead}"
        )
    return [(Target(place),)]


def _named(
    videos: Sequence[ExtractedVideo], tracks: Sequence[tuple[int, ...]], suffix: str
) -> Iterator[list[tuple[str, int | None]]]:
    """For each video its file names, with the tracks that they are about."""
    labels = [
        [(video.video, f".track{track}") for track in people] or [(video.video, "")]
        for video, people in zip(videos, tracks, strict=True)
    ]
    names = iter(file_names([label for of_video in labels for label in of_video], suffix))
    for people, of_video in zip(tracks, labels, strict=True):
        yield [(next(names), track) for track, _ in zip(people or (None,), of_video, strict=True)]


def _beside(source: Path, format_name: str, exporter: Exporter) -> Path:
    """`out.parquet` -> `out.csv`, `out_openface`, ...: what is written where no output is named."""
    path = source if source.name else source.resolve()
    stem = path.name.removesuffix(".parquet")
    if not exporter.whole:
        return path.with_name(f"{stem}_{format_name}")
    # What is not the whole extraction says so in its name.
    return path.with_name(
        f"{stem}{'' if format_name in ('csv', 'json') else f'_{format_name}'}{exporter.suffixes[0]}"
    )


def _tracks(videos: Sequence[ExtractedVideo]) -> list[tuple[int, ...]]:
    """The tracks of each video that has more than one, else nothing."""
    found: list[tuple[int, ...]] = []
    for video in read_videos(videos, ["track"]):
        seen: set[int] = set()
        for batch in video.batches:
            seen.update(np.unique(batch.column("track").drop_null().to_numpy()).tolist())
        found.append(tuple(sorted(seen)) if len(seen) > 1 else ())
    return found


def _check_targets(paths: Sequence[Path], read: Sequence[ExtractedVideo], *, overwrite: bool) -> None:
    inputs = {os.path.realpath(file) for file in {video.file for video in read}}
    there = []
    for path in paths:
        if os.path.realpath(path) in inputs:
            raise UsageError(f"-o {path} is the input: choose another output")
        if path.is_dir():
            raise UsageError(f"{path} is a folder: choose another output with -o")
        if path.exists() or path.is_symlink():
            there.append(path)
    if there and not overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise UsageError(f"{there[0]}{more} exists: add --overwrite, or choose another output with -o")
    for path in paths:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"cannot write in {folder}: no permission; choose another output with -o")

"""What `annotate` is going to write: a file for each input, checked before anything is drawn."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from aucli.datatypes import Source
from aucli.errors import UsageError
from aucli.media.encode import FALLBACK_SUFFIXES, FORMATS, comment_of
from aucli.media.names import cut_name
from aucli.sinks.atomic import TEMPORARY_SUFFIX
from aucli.sinks.extraction import ExtractedVideo
from aucli.sinks.report import ReportEntry

COMMENT = "annotated by aucli"
"""How the metadata of every file begins that `annotate` wrote; by this it knows its own files."""
_ENDING = ".annotated.mp4"


@dataclass(frozen=True)
class AnnotateTask:
    """One video to do.

    output: the file to write; with `any_suffix` it may get one of `FALLBACK_SUFFIXES`, where its sound asks
    for that.
    extracted: the rows to draw; None: they are computed. key: see `annotate_resume`.
    """

    source: Source
    output: Path
    any_suffix: bool
    extracted: ExtractedVideo | None = None
    key: str = ""

    @property
    def candidates(self) -> tuple[Path, ...]:
        """The files that it may write."""
        if not self.any_suffix:
            return (self.output,)
        return self.output, *(self.output.with_suffix(suffix) for suffix in FALLBACK_SUFFIXES)


def plan_annotate(
    sources: Sequence[Source],
    inputs: Sequence[str | Path],
    output: str | Path | None,
    rows_from: Path | None,
) -> list[AnnotateTask]:
    """A task for each source, with the file that it writes; creates nothing.

    Raises:
        UsageError: a file that cannot be written, is an input, or is somebody else's.
    """
    given = {os.path.realpath(each) for each in inputs}

    def without(written: Iterable[Path]) -> list[Source]:
        # In a folder lie the videos that an earlier run wrote there: they are no inputs unless named.
        ours = {os.path.realpath(path) for path in written} - given
        return [source for source in sources if os.path.realpath(source.path) not in ours]

    if output is not None and Path(output).is_file():
        others = without([Path(output)])
        if sources and not others:
            raise UsageError(f"{output} would be written and is also the only input: choose another with -o")
        sources = others
    tasks = _tasks(sources, output)
    sources = without(path for task in tasks for path in task.candidates)
    tasks = _tasks(sources, output)
    read = {os.path.realpath(source.path): source.path for source in sources}
    if rows_from is not None:
        read[os.path.realpath(rows_from)] = rows_from
    for task in tasks:
        for path in task.candidates:
            if os.path.realpath(path) in read:
                raise UsageError(
                    f"{path} would be written and is also an input: choose another output with -o"
                )
            if path.exists() and not is_own(path):
                raise UsageError(
                    f"{path} exists and was not written by aucli annotate: remove it or choose -o"
                )
        folder = next(parent for parent in task.output.absolute().parents if parent.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"cannot write in {folder}: no permission; choose another output with -o")
    return tasks


def _tasks(sources: Sequence[Source], output: str | Path | None) -> list[AnnotateTask]:
    if output is None:
        outputs = _distinct([source.path for source in sources])
        return [AnnotateTask(source, path, True) for source, path in zip(sources, outputs, strict=True)]
    given, path = os.fspath(output), Path(output)
    if not given:
        raise UsageError("the output has no name: give for instance -o annotated/")
    is_folder = path.is_dir() or given.endswith(os.sep) or not path.suffix
    if is_folder:
        if path.exists() and not path.is_dir():
            raise UsageError(f"-o {given} is a file: remove it, or give a folder or a name in .mp4")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"-o {given}: the folder {path.parent} does not exist: mkdir -p {path.parent}")
        names = [
            PurePath(*(part for part in PurePath(s.name).parts if part not in ("..", "/"))) for s in sources
        ]
        outputs = _distinct([path / name for name in names])
        return [AnnotateTask(source, one, True) for source, one in zip(sources, outputs, strict=True)]
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"-o {given}: write {', '.join(FORMATS)}, or a folder with a {os.sep} behind its name"
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"-o {given}: the folder {path.parent} does not exist: mkdir -p {path.parent}")
    if len(sources) > 1:
        raise UsageError(
            f"-o {given} is one file for {len(sources)} videos: give a folder, -o {path.stem}{os.sep}"
        )
    # Written where a link points to.
    return [AnnotateTask(source, path.resolve() if path.is_symlink() else path, False) for source in sources]


def _distinct(paths: Sequence[Path]) -> list[Path]:
    """`clip.annotated.mp4` for each `clip.mov`; where two would be the same, `clip.mov.annotated.mp4`."""
    paths = [path.with_name(cut_name(path.name, len(f"{_ENDING}{TEMPORARY_SUFFIX}"))) for path in paths]
    short = [path.with_suffix(_ENDING) for path in paths]
    count = Counter(short)
    outputs = [
        one if count[one] == 1 else path.with_name(f"{path.name}{_ENDING}")
        for path, one in zip(paths, short, strict=True)
    ]
    twice = next((path for path, times in Counter(outputs).items() if times > 1), None)
    if twice is not None:
        raise UsageError(
            f"{twice} would be written twice: an input is given with several times; choose -o FOLDER/"
        )
    return outputs


def is_own(path: Path) -> bool:
    """Whether `annotate` wrote this file."""
    return path.is_file() and comment_of(path).startswith(COMMENT)


def drawn_before(source: Source) -> ReportEntry | None:
    """The entry of a source that `annotate` wrote, whatever its name; None for any other."""
    if not is_own(source.path):
        return None
    why = "was drawn by aucli annotate: give the video that it was made from"
    return ReportEntry(source.name, str(source.path), "skipped", reason=why, subject=source.subject)


def failed_entry(source: Source, reason: str) -> ReportEntry:
    """The entry of an input of which nothing came."""
    return ReportEntry(source.name, str(source.path), "failed", reason=reason, subject=source.subject)

"""OpenGraphAU's hybrid set: six datasets, 27 AUs and 14 sided ones, what a source does not code is missing.

Layout, that of the authors' tool: labels in a folder for each source, crops in `img/` with a folder for each.
Sources that are not there are left out, and logged.

BP4D      `BP4D/AUCoding/AU_OCC/`; 9 is not coded. Crops `img/BP4D/F001/T1/12.jpg`
DISFA     `DISFA/ActionUnit_Labels/`; present from intensity 1 (not 2). Crops `img/DISFA/SN001/0.png`
CK+       `CK+/FACS/S005/001/S005_001_00000011_facs.txt`; present above intensity 1, so that an AU listed
          without intensity counts as absent. Crops `img/CK+/S005/001/S005_001_00000011.png`
RAF-AU    `RAF-AU/RAFAU_label.txt` and `RAF-AU/RAF-AU-train_ids.txt` (val, test): numbers of its lines, from
          0. Crops `img/RAF-AU/0001_aligned.jpg`
CASME2    `CASME2/CASME2-coding-20140508.csv`, the sheet saved as CSV; all frames from onset to offset.
          Crops `img/CASME2/sub01/EP02_01f/reg_img46.jpg`
AFFW-2    `AFFW-2/list/AU_Set/` with `TrainFromTrain_Set`, `ValFromTrain_Set`, `Validation_Set` (test), a .txt
          for each video; frames with any -1 are left out. Crops `img/AFFW/<video>/00001.jpg`

BP4D, DISFA and CK+ may be folders made by `aucli prepare` instead. Where a sided AU is present, so is its
main AU.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.bp4d import read_bp4d
from aucli.datasets.ckplus import read_ckplus
from aucli.datasets.disfa import read_disfa
from aucli.datasets.labelled import MISSING, LabelledFaces
from aucli.datasets.prepared import TABLE, prepared_metadata
from aucli.datasets.protocols import Part, hybrid_subjects
from aucli.datasets.recordings import Recording, faces_of
from aucli.datasets.selection import of_subjects, with_aus
from aucli.datasets.table import read_table
from aucli.datasets.texts import check_values, read_csv_rows, read_lines, whole_numbers
from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import AU_SETS

_LOG = logging.getLogger(__name__)

AU_NAMES = AU_SETS["hybrid"]
DISFA_OCCURS_FROM = 1
# To which main AU a sided one adds. The authors have AU11 for AU12L and AU12R, and their weights learned it.
_MAIN_OF = {
    f"AU{number}{side}": f"AU{11 if number == 12 else number}"
    for number in (1, 2, 4, 6, 10, 12, 14)
    for side in "LR"
}
_SIDED = tuple(_MAIN_OF)
_RAF_AUS = (
    *(
        f"AU{n}"
        for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 25, 26, 27, 32, 39)
    ),
    *_SIDED,
)
_CASME2_AUS = (
    *(f"AU{n}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 18, 20, 24, 25, 26, 38)),
    *_SIDED,
)
_AFFW_AUS = tuple(f"AU{n}" for n in (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26))
_AFFW_FOLDERS = {"train": "TrainFromTrain_Set", "val": "ValFromTrain_Set", "test": "Validation_Set"}
_CASME2_COLUMNS = ("Subject", "Filename", "OnsetFrame", "OffsetFrame", "Action Units")


def read_hybrid(root: Path, part: Part) -> LabelledFaces:
    """One part of the sources that are there, in the order above; columns as the AU set `hybrid`.

    Raises:
        InputNotFoundError: no source at all, or a file of one is missing.
        UsageError: a file that is malformed, or no row in this part.
    """
    there = {name: read for name, read in _SOURCES.items() if (root / name).is_dir()}
    if not there:
        raise InputNotFoundError(
            f"{root}: none of {', '.join(_SOURCES)} is here; give the folder that holds them"
        )
    if len(there) < len(_SOURCES):
        _LOG.warning("%s: without %s", root, ", ".join(name for name in _SOURCES if name not in there))
    found = [faces for read in there.values() if len(faces := read(root, part))]
    if not found:
        raise UsageError(f"{root}: the sources there ({', '.join(there)}) have no row in part {part}")
    joined = _joined(root, [_with_main_aus(with_aus(faces, AU_NAMES)) for faces in found])
    return replace(joined, dataset="hybrid")


def _with_main_aus(faces: LabelledFaces) -> LabelledFaces:
    labels = faces.labels.copy()
    for sided, main in _MAIN_OF.items():
        labels[labels[:, AU_NAMES.index(sided)] == 1, AU_NAMES.index(main)] = 1
    return replace(faces, labels=labels)


def _joined(root: Path, parts: Sequence[LabelledFaces]) -> LabelledFaces:
    crops = {one.crop for one in parts}
    return LabelledFaces(
        dataset="hybrid",
        root=root,
        au_names=AU_NAMES,
        paths=tuple(path for one in parts for path in one.paths),
        subjects=tuple(subject for one in parts for subject in one.subjects),
        videos=tuple(video for one in parts for video in one.videos),
        frames=np.concatenate([one.frames for one in parts]),
        labels=np.concatenate([one.labels for one in parts]),
        # Crops cut in several ways are all treated in the authors' way.
        crop=crops.pop() if len(crops) == 1 else None,
    )


def _named(faces: LabelledFaces, source: str) -> LabelledFaces:
    """People and recordings with their source before them: `S005` would say nothing."""
    return replace(
        faces,
        subjects=tuple(f"{source}/{subject}" for subject in faces.subjects),
        videos=tuple(f"{source}/{video}" for video in faces.videos),
        intensity=None,
    )


def _prepared(root: Path, source: str, part: Part) -> LabelledFaces | None:
    """The part of a source's folder that `aucli prepare` made; None where it did not."""
    if prepared_metadata(root / source) is None:
        return None
    faces = read_table(root / source / TABLE).faces
    faces = replace(faces, paths=tuple(f"{source}/{path}" for path in faces.paths))
    return of_subjects(faces, _wanted(source, part, set(faces.subjects)))


def _wanted(source: str, part: Part, there: set[str]) -> list[str]:
    """The people of a part that are there; who is not is logged."""
    wanted = sorted(hybrid_subjects(source, part) or ())
    missing = [subject for subject in wanted if subject not in there]
    if missing:
        _LOG.warning("%s, part %s: without %s", source, part, ", ".join(missing))
    return [subject for subject in wanted if subject in there]


def _from_recordings(
    root: Path,
    source: str,
    part: Part,
    read: Callable[[Path], list[Recording]],
    path_of: Callable[[Recording, int], str],
) -> LabelledFaces:
    recordings = read(root / source)
    wanted = _wanted(source, part, {one.subject for one in recordings})
    recordings = [one for one in recordings if one.subject in wanted]
    return faces_of("hybrid", root, recordings, path_of) if recordings else _empty(root)


def _empty(root: Path) -> LabelledFaces:
    return LabelledFaces(
        "hybrid", root, AU_NAMES, (), (), (), np.zeros(0, np.int32), np.zeros((0, len(AU_NAMES)), np.int8)
    )


def _bp4d(root: Path, part: Part) -> LabelledFaces:
    faces = _prepared(root, "BP4D", part)
    if faces is None:
        faces = _from_recordings(
            root, "BP4D", part, read_bp4d, lambda one, row: f"img/BP4D/{one.name}/{one.frames[row]}.jpg"
        )
    return _named(faces, "BP4D")


def _disfa(root: Path, part: Part) -> LabelledFaces:
    faces = _prepared(root, "DISFA", part)
    if faces is None:
        faces = _from_recordings(
            root, "DISFA", part, read_disfa, lambda one, row: f"img/DISFA/{one.name}/{one.frames[row]}.png"
        )
    if faces.intensity is not None:
        labels = np.where(faces.intensity >= DISFA_OCCURS_FROM, 1, 0).astype(np.int8)
        faces = replace(faces, labels=np.where(np.isnan(faces.intensity), MISSING, labels).astype(np.int8))
    return _named(faces, "DISFA")


def _ckplus(root: Path, part: Part) -> LabelledFaces:
    faces = _prepared(root, "CK+", part)
    if faces is None:
        faces = _from_recordings(
            root,
            "CK+",
            part,
            lambda folder: read_ckplus(folder, pictures=root / "img" / "CK+"),
            lambda one, row: f"img/CK+/{(one.pictures or ())[row]}",
        )
    return _named(faces, "CK+")


def _raf_au(root: Path, part: Part) -> LabelledFaces:
    folder = root / "RAF-AU"
    label_file, id_file = folder / "RAFAU_label.txt", folder / f"RAF-AU-{part}_ids.txt"
    lines = read_lines(
        label_file, expected="RAF-AU's labels (a line such as 0001.jpg 1+2+L10 for each picture)"
    )
    ids = whole_numbers(
        read_lines(
            id_file,
            expected="the split, which is not published: numbers of lines of RAFAU_label.txt, from 0",
        ),
        id_file,
        columns=1,
        separator=None,
    )
    check = ids[(ids < 0) | (ids >= len(lines))]
    if len(check):
        raise UsageError(f"{id_file}: {check[0]} is no line of {label_file.name}, which has {len(lines)}")
    names, labels = [], []
    for number in ids[:, 0].tolist():
        cells = lines[number].split()
        if len(cells) < 2:
            raise UsageError(
                f"{label_file}, line {number + 1}: {lines[number]!r} is not a picture and its AUs"
            )
        coded = _listed_aus(cells[1], _RAF_AUS)
        if coded is not None:
            names.append(f"{cells[0].partition('.')[0].zfill(4)}_aligned")
            labels.append(coded)
    people = [f"RAF-AU/{name}" for name in names]
    return _pictures(
        root,
        paths=[f"img/RAF-AU/{name}.jpg" for name in names],
        people=people,
        videos=people,
        frames=None,
        labels=labels,
        au_names=_RAF_AUS,
    )


def _casme2(root: Path, part: Part) -> LabelledFaces:
    path = root / "CASME2" / "CASME2-coding-20140508.csv"
    header, rows = read_csv_rows(path, expected="CASME II's coding sheet, saved as CSV from its .xlsx,")
    places = {name.strip().lower(): place for place, name in enumerate(header)}
    lacking = [name for name in _CASME2_COLUMNS if name.lower() not in places]
    if lacking:
        raise UsageError(f"{path}, line 1: no column {', '.join(lacking)}; save the whole sheet as CSV")
    wanted = hybrid_subjects("CASME2", part) or frozenset()
    paths, people, videos, frames, labels = [], [], [], [], []
    for line, row in enumerate(rows, start=2):
        subject, sequence, onset, offset, aus = (row[places[name.lower()]] for name in _CASME2_COLUMNS)
        try:
            person = f"sub{int(subject):02d}"
            first, last = int(onset), int(offset)
        except ValueError:
            raise UsageError(f"{path}, line {line}: subject, onset or offset is no whole number") from None
        coded = _listed_aus(aus, _CASME2_AUS)
        if coded is None or person not in wanted:
            continue
        if last < first:
            raise UsageError(f"{path}, line {line}: offset {last} is before onset {first}")
        for frame in range(first, last + 1):
            paths.append(f"img/CASME2/{person}/{sequence}/reg_img{frame}.jpg")
            people.append(f"CASME2/{person}")
            videos.append(f"CASME2/{person}/{sequence}")
            frames.append(frame)
            labels.append(coded)
    return _pictures(
        root, paths=paths, people=people, videos=videos, frames=frames, labels=labels, au_names=_CASME2_AUS
    )


def _affw(root: Path, part: Part) -> LabelledFaces:
    folder = root / "AFFW-2" / "list" / "AU_Set" / _AFFW_FOLDERS[part]
    if not folder.is_dir():
        raise InputNotFoundError(
            f"{folder} does not exist: Aff-Wild2's label files of part {part} are expected there, a .txt for "
            "each video; which training videos are val is not published and up to you"
        )
    paths, people, frames, labels = [], [], [], []
    for path in sorted(folder.glob("*.txt")):
        lines = read_lines(path, expected="labels of a video")[1:]  # the first line names the AUs
        values = whole_numbers(lines, path, columns=len(_AFFW_AUS), separator=",")
        check_values(values, (1, 0, MISSING), path, first_line=2, columns=_AFFW_AUS)
        for row in np.flatnonzero((values != MISSING).all(axis=1)).tolist():
            paths.append(f"img/AFFW/{path.stem}/{row + 1:05d}.jpg")
            people.append(f"AFFW/{path.stem}")
            frames.append(row + 1)
            labels.append(values[row].astype(np.int8))
    return _pictures(
        root, paths=paths, people=people, videos=people, frames=frames, labels=labels, au_names=_AFFW_AUS
    )


def _listed_aus(text: str, known: tuple[str, ...]) -> NDArray[np.int8] | None:
    """Labels from a list such as `4+L10`: 1 for what stands there, else 0; None if nothing known does."""
    listed = {
        f"AU{item[1:]}{item[0]}" if item[:1] in ("L", "R") else f"AU{item}"
        for item in text.strip().split("+")
    }
    labels = np.array([au in listed for au in known], np.int8)
    return labels if labels.any() else None


def _pictures(
    root: Path,
    *,
    paths: Sequence[str],
    people: Sequence[str],
    videos: Sequence[str],
    frames: Sequence[int] | None,
    labels: Sequence[NDArray[np.int8]],
    au_names: tuple[str, ...],
) -> LabelledFaces:
    if not paths:
        return _empty(root)
    return LabelledFaces(
        dataset="hybrid",
        root=root,
        au_names=au_names,
        paths=tuple(paths),
        subjects=tuple(people),
        videos=tuple(videos),
        frames=np.full(len(paths), -1, np.int32) if frames is None else np.array(frames, np.int32),
        labels=np.stack(labels),
    )


_SOURCES: dict[str, Callable[[Path, Part], LabelledFaces]] = {
    "BP4D": _bp4d,
    "DISFA": _disfa,
    "CK+": _ckplus,
    "RAF-AU": _raf_au,
    "CASME2": _casme2,
    "AFFW-2": _affw,
}

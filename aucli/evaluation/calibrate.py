"""`calibrate`: a card with thresholds and calibration fitted to validation subjects, beside its weights."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from aucli.datasets.labelled import LabelledFaces
from aucli.datasets.open import open_dataset, subjects_of_part
from aucli.datasets.protocols import Part
from aucli.errors import InputNotFoundError, UsageError
from aucli.evaluation.fit import Fit, fit
from aucli.evaluation.leak import dataset_name
from aucli.evaluation.predict import Progress, predict, sample_of
from aucli.evaluation.run import checked_leak, shared_aus
from aucli.evaluation.sample import Sample
from aucli.evaluation.scores import Scores, score
from aucli.inference.devices import resolve_device, resolve_precision
from aucli.inference.predictor import Predictor
from aucli.sinks.atomic import atomic_file, write_json
from aucli.zoo.card import Card
from aucli.zoo.catalogue import find
from aucli.zoo.store import Entry

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NOTE = "Thresholds and calibration were fitted"


@dataclass(frozen=True)
class Request:
    """What is fitted to what, and where the card and a copy of the weights go.

    name: of the new card; by default the old one with `_calibrated` behind it.
    """

    dataset: str
    root: Path
    model: str
    output: Path
    fold: int | None = None
    part: Part = "val"
    name: str | None = None
    allow_leak: bool = False
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch_size: int | None = None
    on_progress: Progress | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The new card and where it lies; before, after: scores on the faces that it was fitted to.

    left: AU -> why it keeps the threshold and the calibration that it had.
    """

    card: Card
    path: Path
    before: Scores
    after: Scores
    left: Mapping[str, str]
    unreadable: Mapping[str, str]
    leak: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.card.name,
            "path": str(self.path),
            "fitted_on": dict(self.card.fitted_on),
            "thresholds": dict(self.card.thresholds),
            "left_as_they_were": dict(self.left),
            "unreadable": dict(self.unreadable),
            "leak": self.leak,
            "before": self.before.to_json(),
            "after_on_the_same_faces": self.after.to_json(),
        }


def calibrate(request: Request) -> Calibrated:
    """Fit, and write the card and the weights; the weights are not changed.

    Raises:
        UsageError: another part than val; subjects of the test part are among those of val; the model was
            trained on these people; the name or the place is taken, or no AU can be fitted.
        UnknownModelError, CheckpointError: see `zoo.load`. OutputError: the card cannot be written.
    """
    _check_part(request.part)
    entry = find(request.model)
    if not entry.card.probabilities:
        raise UsageError(
            f"{entry.card.name} gives intensities alone: there is no probability to calibrate; "
            "`aucli evaluate` says how near the intensities are to coders'"
        )
    name = request.name or f"{entry.card.name}_calibrated"
    target = _checked_place(request.output, name)
    faces = open_dataset(request.dataset, request.root, request.part, fold=request.fold)
    _check_subjects(faces, request)
    au_names = shared_aus(entry.card, faces.au_names)
    leak = checked_leak(
        entry.card, request.dataset, faces.au_names, request.part, request.fold, allowed=request.allow_leak
    )
    device = resolve_device(request.device)[0]
    predictor = Predictor(
        request.model,
        device=device,
        precision=resolve_precision(request.precision, device),
        batch_size=request.batch_size,
    )
    outputs = predict(faces, predictor, request.on_progress)
    before = sample_of(faces, outputs, entry.card, au_names)
    fitted = fit(
        before.outputs,
        before.labels,
        au_names,
        intensities=before.intensities,
        measured=before.measured,
    )
    if not fitted.thresholds:
        reasons = "; ".join(f"{au}: {reason}" for au, reason in fitted.left.items())
        raise UsageError(f"no AU can be fitted to this set ({reasons}): give one with more labelled faces")
    card = _new_card(entry, name, fitted, before, request, au_names=faces.au_names, leak=leak)
    after = sample_of(faces, outputs, card, au_names)
    _write(entry, card, target)
    left = {
        **fitted.left,
        **{au: "not labelled in this set" for au in card.au_names if au not in au_names},
    }
    return Calibrated(
        card, target, score(before, draws=0), score(after, draws=0), left, outputs.unreadable, leak
    )


def _check_part(part: str) -> None:
    if part == "test":
        raise UsageError(
            "--part test: thresholds are never fitted to test subjects, because figures measured on them "
            "later would flatter the model; leave --part out to take val"
        )
    if part != "val":
        raise UsageError(
            f"--part {part}: the network has learnt these labels, and thresholds fitted to them would not "
            "fit anybody else; leave --part out to take val"
        )


def _check_subjects(faces: LabelledFaces, request: Request) -> None:
    tested = subjects_of_part(request.dataset, "test", request.fold)
    both = sorted(set(faces.subjects) & (tested or frozenset()))
    if both:
        raise UsageError(
            f"{', '.join(both[:5])} of val are test subjects: thresholds are never fitted to those"
        )


def _checked_place(folder: Path, name: str) -> Path:
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"--name {name!r}: letters, digits, dots, hyphens and underscores only, up to 100")
    if not folder.parent.is_dir():
        raise InputNotFoundError(
            f"{folder}: its folder {folder.parent} does not exist; make it first (mkdir)"
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; -o wants the folder for the card and the weights")
    target = folder / f"{name}.json"
    if target.exists():
        raise UsageError(
            f"{target} exists: give the new card another --name or another -o, or remove it first"
        )
    return target


def _new_card(
    entry: Entry,
    name: str,
    fitted: Fit,
    sample: Sample,
    request: Request,
    *,
    au_names: tuple[str, ...],
    leak: str | None,
) -> Card:
    old = entry.card
    dataset = dataset_name(request.dataset, au_names)
    subjects = len(set(sample.subjects))
    of_fold = "" if request.fold is None else f" of fold {request.fold}"
    note = (
        f"{_NOTE} to {len(sample)} faces of {subjects} people: {dataset}, part {request.part}{of_fold}. "
        "The validation figures are of the same faces, so they flatter a little."
    )
    if leak is not None:
        note += f" A leak was allowed: {leak}."
    return replace(
        old,
        name=name,
        weights=f"{name}{entry.weights_path.suffix}",
        thresholds={**old.thresholds, **fitted.thresholds},
        calibration={**old.calibration, **fitted.calibration},
        validation=dict(fitted.validation),
        weak_aus=tuple(
            au
            for au in old.au_names
            if au in fitted.weak_aus or (au in old.weak_aus and au not in fitted.thresholds)
        ),
        intensity_aus=tuple(
            au
            for au in old.au_names
            if au in fitted.intensity_aus
            or (au in old.intensity_aus and "icc" not in fitted.validation.get(au, {}))
        ),
        fitted_on={
            "dataset": dataset,
            "part": request.part,
            "fold": request.fold,
            "faces": len(sample),
            "subjects": subjects,
        },
        notes=(*(text for text in old.notes if not text.startswith(_NOTE)), note),
    )


def _write(entry: Entry, card: Card, target: Path) -> None:
    """The weights first, so that a card without weights never lies there."""
    target.parent.mkdir(exist_ok=True)
    with entry.weights_path.open("rb") as weights, atomic_file(target.with_name(card.weights)) as copy:
        shutil.copyfileobj(weights, copy)
    write_json(target, card.to_json())

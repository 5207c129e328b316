"""`evaluate`: a model on a labelled dataset, fold by fold, or an extraction beside labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from aucli.config import ClipMode
from aucli.datasets.labelled import LabelledFaces
from aucli.datasets.open import open_dataset
from aucli.datasets.protocols import Part
from aucli.datasets.table import find_table, read_table
from aucli.errors import UsageError
from aucli.evaluation.bootstrap import DRAWS
from aucli.evaluation.choose import folds_of, models_of_folds
from aucli.evaluation.decide import remark
from aucli.evaluation.frame_labels import FrameLabels
from aucli.evaluation.join import Extraction, join
from aucli.evaluation.leak import doubts, find_leak
from aucli.evaluation.papers import paper_rows, protocol_of
from aucli.evaluation.predict import Progress, predict, sample_of
from aucli.evaluation.result import Evaluation, Tested
from aucli.evaluation.scores import score
from aucli.inference.clip_mode import check_clip_mode
from aucli.inference.devices import resolve_device, resolve_precision
from aucli.inference.predictor import Predictor
from aucli.zoo.card import Card

Fold = int | Literal["all"] | None


@dataclass(frozen=True)
class Request:
    """What is to be tested on what. models: see `models_of_folds`; au_set: the AUs wanted, None for all.

    draws, seed: of the bootstrap over subjects. on_progress: called with the fold, for a function that is
    called with the pictures done and the pictures there are.
    """

    dataset: str
    root: Path
    models: Sequence[str]
    fold: Fold = None
    part: Part = "test"
    au_set: str | None = None
    allow_leak: bool = False
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch_size: int | None = None
    clips: ClipMode = "track"
    draws: int = DRAWS
    seed: int = 0
    on_progress: Callable[[int | None], Progress] | None = field(default=None, compare=False)


def evaluate(request: Request) -> Evaluation:
    """Test every fold with its own weights.

    All labels are read and all leaks looked for before the first network is loaded.

    Raises:
        UsageError: the dataset cannot be read, no AU is in both, or the model has seen the people tested.
        UnknownModelError, CheckpointError: see `zoo.load`.
    """
    folds = _folds(request)
    chosen = models_of_folds(request.models, folds)
    for _, card in chosen:
        check_clip_mode(request.clips, card)
    sets = [
        open_dataset(request.dataset, request.root, request.part, fold=fold, au_set=request.au_set)
        for fold in folds
    ]
    cases = [_case(request, *one) for one in zip(chosen, folds, sets, strict=True)]
    if len({case.au_names for case in cases}) > 1:
        raise UsageError("the models of the folds predict different AUs: give weights of one family")
    aus = sets[0].au_names
    protocol = protocol_of(request.dataset, aus) if request.part == "test" else None
    return Evaluation(
        dataset=sets[0].dataset,
        part=request.part,
        tested=tuple(_test(request, case) for case in cases),
        missing_aus=tuple(au for au in aus if au not in cases[0].au_names),
        papers=tuple(paper_rows(protocol)) if protocol else (),
    )


def compare(
    extraction: Extraction,
    labels: FrameLabels,
    *,
    labels_of: tuple[str, Part, int | None] | None = None,
    name: str = "table",
    track: int | None = None,
    allow_leak: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> Evaluation:
    """Test what an extraction has written against labels of its frames.

    labels_of: dataset, part and fold where the labels are a dataset's, to look for a leak.
    name: what the labels are called in the result.

    Raises:
        UsageError: no AU is in both, no label finds a row, or the model has seen the people tested.
    """
    card = extraction.card
    au_names = shared_aus(card, labels.au_names)
    dataset, part, fold = labels_of or ("table", "test", None)
    leak = checked_leak(card, dataset, labels.au_names, part, fold, allowed=allow_leak)
    sample, joined = join(extraction, labels, au_names, track=track)
    remarks = [*doubts(card, dataset, labels.au_names, part, fold), *remark(card)]
    if labels.subjects is None and set(sample.subjects) <= set(labels.videos):
        remarks.append("No subjects are named: each video counts as a person of its own in the intervals.")
    tested = Tested(
        card, fold, sample, score(sample, draws=draws, seed=seed), {}, leak, tuple(remarks), joined
    )
    missing = tuple(au for au in labels.au_names if au not in au_names)
    protocol = protocol_of(dataset, labels.au_names) if part == "test" else None
    return Evaluation(name, part, (tested,), missing, tuple(paper_rows(protocol)) if protocol else ())


def shared_aus(card: Card, labelled: Sequence[str], *, all_of_them: bool = False) -> tuple[str, ...]:
    """The labelled AUs that the model predicts, in the order of the labels.

    Raises:
        UsageError: there are none; or with `all_of_them`, not all.
    """
    shared = tuple(au for au in labelled if au in card.written_aus)
    missing = [au for au in labelled if au not in card.written_aus]
    if not shared or (all_of_them and missing):
        raise UsageError(
            f"{card.name} does not predict {', '.join(missing)}: choose a model that does (aucli models list "
            f"shows their AU sets); this one has {', '.join(card.au_names)}"
        )
    return shared


def checked_leak(
    card: Card, dataset: str, au_names: tuple[str, ...], part: Part, fold: int | None, *, allowed: bool
) -> str | None:
    """Why the figures would flatter the model, None where nothing is known to.

    Raises:
        UsageError: there is such a reason and it is not allowed.
    """
    leak = find_leak(card, dataset, au_names, part, fold)
    if leak is not None and not allowed:
        raise UsageError(
            f"{leak}: figures on people that a model was trained on say nothing about others; choose weights "
            "that have not seen them, or add --allow-leak to compute them all the same, marked as such"
        )
    return leak


def _folds(request: Request) -> tuple[int | None, ...]:
    if request.fold == "all" and request.dataset.lower() == "table":
        own = read_table(find_table(request.root)).folds
        if own is not None:
            return tuple(sorted(set(own.tolist())))
    return folds_of(request.fold)


@dataclass(frozen=True, eq=False)
class _Case:
    """One fold, read and checked. model: what `zoo.load` finds the weights by."""

    model: str
    card: Card
    fold: int | None
    faces: LabelledFaces
    au_names: tuple[str, ...]
    leak: str | None


def _case(request: Request, chosen: tuple[str, Card], fold: int | None, faces: LabelledFaces) -> _Case:
    model, card = chosen
    names = shared_aus(card, faces.au_names, all_of_them=request.au_set is not None)
    leak = checked_leak(card, request.dataset, faces.au_names, request.part, fold, allowed=request.allow_leak)
    return _Case(model, card, fold, faces, names, leak)


def _test(request: Request, case: _Case) -> Tested:
    device = resolve_device(request.device)[0]
    predictor = Predictor(
        case.model,
        device=device,
        precision=resolve_precision(request.precision, device),
        batch_size=request.batch_size,
        clips=request.clips,
    )
    progress = request.on_progress(case.fold) if request.on_progress else None
    outputs = predict(case.faces, predictor, progress)
    sample = sample_of(case.faces, outputs, case.card, case.au_names)
    scores = score(sample, draws=request.draws, seed=request.seed)
    remarks = doubts(case.card, request.dataset, case.faces.au_names, request.part, case.fold)
    remarks += remark(case.card)
    return Tested(case.card, case.fold, sample, scores, outputs.unreadable, case.leak, tuple(remarks))

"""The card and the weights that come out of a stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from aucli import __version__
from aucli.errors import CheckpointError
from aucli.evaluation.fit import fit
from aucli.evaluation.leak import dataset_name
from aucli.evaluation.papers import PROTOCOLS
from aucli.inference.predictor import Predictions
from aucli.training.export import export_model
from aucli.training.job import Job
from aucli.training.stage_run import StageResult
from aucli.training.validate import outputs
from aucli.zoo.card import INTENSITY_SYSTEMS, Card
from aucli.zoo.published import THRESHOLD, generic
from aucli_models.registry import create_model

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


@dataclass(frozen=True, eq=False)
class Written:
    """card: None on every rank but the first. scores: float32 (faces, aus), the network's outputs for the
    people that figures are taken on; None where there are none.
    """

    card: Card | None
    scores: NDArray[np.float32] | None


def write_model(job: Job, result: StageResult) -> Written:
    """Write a stage's model into the run's folder.

    Calibration, thresholds and figures are of the weights as they are in the file, and only of people who
    were not trained on and are not those of the test part; without such people the threshold is one half.

    Raises:
        CheckpointError: the weights do not fit their type. OutputError: a file cannot be written.
    """
    spec, device = job.spec(result.stage), job.arithmetic.device
    dtype = _DTYPES[job.config.weights]
    network = create_model(spec)
    kept = {key: value.to(dtype).to(value.dtype) for key, value in result.network.state_dict().items()}
    network.load_state_dict(kept, strict=True)
    network.to(device).to(memory_format=torch.channels_last)
    fields = _fields(job, result)
    fields["thresholds"] = dict.fromkeys(spec.au_names, THRESHOLD)
    without_probabilities = spec.system in INTENSITY_SYSTEMS
    if without_probabilities:
        fields |= {"thresholds": {}, "probabilities": False, "intensity": True}
        fields |= {"intensity_aus": spec.au_names, "node_layout": spec.node_layout}
    scores = None
    if job.watch is not None:
        views = job.views(job.recipes[result.stage])
        found = outputs(network, job.watch, views, device=device, ranks=job.ranks)
        scores = found.outputs
        if _may_be_fitted(job):
            fitted = _fitted(job, found, spec.au_names)
            if without_probabilities:
                # Nothing is calibrated, and all that it measures is written: those that agree badly are weak.
                poor = [au for au in spec.au_names if au not in fitted["intensity_aus"]]
                fitted = {
                    "validation": fitted["validation"],
                    "fitted_on": fitted["fitted_on"],
                    "weak_aus": tuple(poor),
                }
            fields |= fitted
    if not job.ranks.first:
        return Written(None, scores)
    try:
        card = export_model(network, job.config.out, job.name(result.stage), fields, dtype=dtype)
    except ValueError as error:
        raise CheckpointError(f"{error}: give --weights fp32") from error
    return Written(card, scores)


def _may_be_fitted(job: Job) -> bool:
    return job.watch is not None and job.config.select_on == "val"


def _fitted(job: Job, found: Predictions, au_names: tuple[str, ...]) -> dict[str, Any]:
    """What a card says after the fit to the people of `val`. An AU that cannot be fitted is weak."""
    assert job.parts.watch is not None
    assert job.watch is not None
    assert found.outputs is not None  # also where they were made of intensities
    fitted = fit(
        found.outputs,
        job.watch.labels,
        au_names,
        intensities=found.intensities,
        measured=job.watch.intensity,
    )
    return {
        "thresholds": dict.fromkeys(au_names, THRESHOLD) | dict(fitted.thresholds),
        "calibration": dict(fitted.calibration),
        "validation": dict(fitted.validation),
        "weak_aus": tuple(au for au in au_names if au in fitted.weak_aus or au in fitted.left),
        "intensity_aus": fitted.intensity_aus,
        "fitted_on": {
            "dataset": dataset_name(job.config.dataset, job.parts.watch.au_names),
            "part": "val",
            "fold": job.config.fold,
            "faces": len(job.watch),
            "subjects": len(set(job.parts.watch.subjects)),
        },
    }


def _fields(job: Job, result: StageResult) -> dict[str, Any]:
    config, faces, recipe = job.config, job.parts.train, job.recipes[result.stage]
    system, backbone = job.spec(result.stage).system, job.spec(result.stage).backbone
    of_fold = "" if config.fold is None else f", fold {config.fold}"
    without = ", without the people held out" if config.hold_out else ""
    people = len(set(faces.subjects))
    notes = [f"Trained with aucli {__version__}, recipe {config.recipe}, {recipe.epochs} epochs."]
    if _may_be_fitted(job):
        assert job.watch is not None
        notes.append(
            f"Thresholds, calibration and validation figures are of {len(job.watch)} faces of people who "
            "were not trained on."
        )
    if recipe.select == "best-val":
        notes.append(f"Its epoch ({result.epoch}) was chosen by figures on the part {config.select_on}.")
    return {
        "system": system,
        "backbone": backbone,
        "au_set": job.au_set,
        "stage": result.stage,
        "intensity": config.intensity,
        "fold": config.fold,
        "learnt_val": job.parts.learnt_val,
        "crop": asdict(job.views(recipe).seen),
        "licence": "not stated; the terms of the training data apply",
        "training_data": f"{faces.dataset}, part train{of_fold}{without}: {len(job.train)} faces of "
        f"{people} people.",
        **_clip_fields(job),
        "description": f"{system} on {backbone}, stage {result.stage}, {len(faces.au_names)} AUs"
        + (" with intensities." if config.intensity else "."),
        "notes": notes,
    }


def _clip_fields(job: Job) -> dict[str, Any]:
    """Of a network of clips; the frame rate is known of the two datasets of the papers only."""
    if job.train.clips is None:
        return {}
    dataset = dataset_name(job.config.dataset, job.parts.train.au_names).lower()
    rate = generic("mdhr", job.spec(1).backbone, dataset, 1).frame_rate if dataset in PROTOCOLS else None
    return {"clip_frames": job.train.clips.frames, "frame_rate": rate}

"""Cards of the models released by the authors of ME-GraphAU and OpenGraphAU, from one table. No torch."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from aucli.datatypes import CropConvention
from aucli.zoo.card import IMAGENET_MEAN, IMAGENET_STD, INTENSITY_SYSTEMS, Card, Download
from aucli_models.au import AU_SETS

LICENCE = "no licence stated; trained on data for non-commercial research only"
THRESHOLD = 0.5
"""The authors' threshold, for every AU."""
INPUT_SIZE = 224
_FOLD_NOTE = (
    "Fold {fold} is what the name of the authors' file says. Their training script for stage 2 wrote numbers "
    "one too high, so do not infer from it which people the model has not seen."
)
_MEAN_NOTE = "The published figures are means over the folds, each tested on its own third of the people."


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "published.toml").read_text(encoding="utf-8"))


@cache
def published() -> Mapping[str, Card]:
    """Every released model by name, whether installed or not; `sha256` is None."""
    cards = (_card(file, fold) for file in _table()["file"] for fold in file.get("folds", [None]))
    return {card.name: card for card in cards}


def generic(system: str, backbone: str, au_set: str, stage: int) -> Card:
    """The card of a checkpoint in the authors' form about which nothing else is known: no link, no figures.

    Raises:
        KeyError: a system or AU set that the authors have not.
    """
    about, data = _table()["systems"][system], _table()["sets"][au_set]
    aus, intensity = AU_SETS[au_set], system in INTENSITY_SYSTEMS
    kept = about.get("kept", 1.0)
    name = f"{system}_{backbone}.{au_set}"
    title = f"{about['title']} on {backbone}"
    clips: dict[str, Any] = {}
    if "clip_frames" in about:  # those have one stage
        clips = {"clip_frames": about["clip_frames"], "frame_rate": data["frame_rate"]}
    else:
        name, title = f"{name}_stage{stage}", f"{title}, stage {stage}"
    return Card(
        name=name,
        system=system,
        backbone=backbone,
        au_set=au_set,
        stage=stage,
        weights=f"{name}.safetensors",
        sha256=None,
        licence=LICENCE,
        training_data=f"Not known from the file; the authors train these AUs on {data['training_data']}",
        description=f"{title}, {len(aus)} AUs of {data['title']}.",
        thresholds={} if intensity else dict.fromkeys(aus, THRESHOLD),
        probabilities=not intensity,
        intensity=intensity,
        intensity_aus=aus if intensity else (),
        node_layout=about.get("node_layout", "channels"),
        crop=CropConvention(
            about.get("input_size", INPUT_SIZE), data["scale"] * kept, data["shift_y"] * kept
        ),
        mean=tuple(part / 255 for part in about["mean"]) if "mean" in about else IMAGENET_MEAN,
        std=tuple(part / 255 for part in about["std"]) if "std" in about else IMAGENET_STD,
        citations=(about["citation"],),
        notes=(*about["notes"], *data["notes"]),
        **clips,
    )


def _card(file: Mapping[str, Any], fold: int | None) -> Card:
    card = generic(file["system"], file["backbone"], file["au_set"], file["stage"])
    about, data = _table()["systems"][card.system], _table()["sets"][card.au_set]
    name, notes = card.name, card.notes
    if fold is not None:
        name = f"{card.system}_{card.backbone}.{card.au_set}_fold{fold}"
        notes = (*notes, _FOLD_NOTE.format(fold=fold), _MEAN_NOTE)
    return replace(
        card,
        name=name,
        weights=f"{name}.safetensors",
        fold=fold,
        training_data=data["training_data"],
        description=f"{card.description} Released by the authors: {about['repository']}, "
        f"whose code is under {about['code_licence']}.",
        source=f"https://drive.google.com/file/d/{file['drive_id']}/view",
        download=Download(f"https://drive.google.com/uc?id={file['drive_id']}", archive=fold is not None),
        published={key: file[key] for key in ("mean_f1", "accuracy") if key in file},
        published_f1=file.get("f1", {}),
        notes=notes,
    )

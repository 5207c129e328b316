"""Recipes: DISFA as the authors' list files have it, from the rendered faces; and models of its folds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from safetensors.torch import load_file

from aucli.zoo.catalogue import find
from aucli.zoo.store import install
from aucli_models.au import AU_SETS

FACES = Path(__file__).parents[1] / "data" / "synthfaces"
DISFA = AU_SETS["disfa"]


def disfa_lists(folder, *, per_person=6):
    """`folder` with list/ and img/: nine people, three tested in each fold. Returns labels and folds."""
    table = pd.read_parquet(FACES / "labels.parquet")
    people = sorted(table["subject"].unique())[:9]
    (folder / "list").mkdir(parents=True)
    lines, labels, tested = [], [], []
    for place, person in enumerate(people):
        rows = table[table["subject"] == person].head(per_person)
        name = f"SN{place + 1:03d}"
        (folder / "img" / name).mkdir(parents=True)
        for number, (_, row) in enumerate(rows.iterrows()):
            Image.open(FACES / row["path"]).resize((256, 256)).save(folder / "img" / name / f"{number}.png")
            lines.append(f"{name}/{number}.png")
            labels.append([int(row[f"{au}_occ"]) for au in DISFA])
            tested.append(place % 3 + 1)
    for fold in (1, 2, 3):
        for part in ("train", "test"):
            chosen = [i for i, of in enumerate(tested) if (of == fold) == (part == "test")]
            text = "".join(f"{lines[i]}\n" for i in chosen)
            (folder / "list" / f"DISFA_{part}_img_path_fold{fold}.txt").write_text(text)
            text = "".join(" ".join(map(str, labels[i])) + "\n" for i in chosen)
            (folder / "list" / f"DISFA_{part}_label_fold{fold}.txt").write_text(text)
    return np.array(labels), np.array(tested)


def install_folds(family="lab_resnet10.disfa", **changes):
    """The built-in weights under the names of three folds that say they were trained on DISFA."""
    entry = find("builtin")
    tensors = load_file(entry.weights_path)
    fields = {"training_data": "DISFA, train part.", "fitted_on": {}, **changes}
    for fold in (1, 2, 3):
        install(replace(entry.card, name=f"{family}_fold{fold}", fold=fold, **fields), tensors, {})


def card_file(folder, name="own", **changes):
    """A card of the built-in weights in a folder of one's own; returns its path."""
    entry = find("builtin")
    weights = folder / entry.weights_path.name
    weights.write_bytes(entry.weights_path.read_bytes())
    card = replace(entry.card, name=name, weights=weights.name, **changes)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(card.to_json()))
    return path


def disfa_folder(folder, *, frames=2):
    """DISFA as its owners ship the labels, with ready crops in img/: 27 people."""
    table = pd.read_parquet(FACES / "labels.parquet")
    people = [f"SN{number:03d}" for number in range(1, 33) if number not in (14, 15, 19, 20, 22)]
    for place, person in enumerate(people):
        rows = table.iloc[place * frames : (place + 1) * frames]
        for kind in ("ActionUnit_Labels", "img"):
            (folder / kind / person).mkdir(parents=True)
        for number, path in enumerate(rows["path"]):
            picture = Image.open(FACES / path).resize((256, 256))
            picture.save(folder / "img" / person / f"{number}.png")
        for au in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26):
            coded = rows[f"AU{au}"].round().astype(int)
            text = "".join(f"{number + 1},{value}\n" for number, value in enumerate(coded))
            (folder / "ActionUnit_Labels" / person / f"{person}_au{au}.txt").write_text(text)

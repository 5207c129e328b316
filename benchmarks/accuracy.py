"""How well does the built-in model tell AUs apart, on whom, and on what pictures?

    python benchmarks/accuracy.py SYNTHFACES [--part val] [--model builtin] [--into-card]

The faces of a part of the synthfaces folder are scored twice: as crops cut out at the true landmarks, and
through the whole tool, where its own detector finds the face first. The figures of the second way are then
given by head turn, skin tone and glasses, and for pictures that were made worse:

- blur: Gaussian, standard deviation 2 pixels (of 160)
- jpeg30: saved as JPEG of quality 30
- small: shrunk until the detected face is 64 pixels wide or high, whichever is less
- dark: a quarter of the light, darker pixels drowned in the rounding to 8 bits

A group's AUC is the mean over the AUs that have both classes at least `FEWEST` times in it, and over the same
AUs for all groups of one kind; left and right of an AU stand in the table, but in no mean. JSON goes into the
results, the table of the README to stdout; --into-card writes what was found of groups into the card's notes.
Thresholds and calibration of the built-in model were fitted to `val`, so its F1 at the card's thresholds
flatters there.
"""

import argparse
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from machine import RESULTS, machine
from PIL import Image, ImageFilter

import aucli.zoo.catalogue
from aucli.datasets.open import open_dataset
from aucli.evaluation.bootstrap import interval, mean_over_aus
from aucli.evaluation.leak import find_leak
from aucli.evaluation.predict import Outputs, predict, sample_of
from aucli.evaluation.scores import number, numbers, score
from aucli.faces.align import crop_faces
from aucli.faces.detect import make_detector
from aucli.inference.predictor import Predictor
from aucli.sinks.atomic import write_json
from aucli.zoo.catalogue import find
from aucli_models.au import unsided

CARDS = Path(aucli.zoo.catalogue.__file__).parent / "cards"
FEWEST = 10
SMALL_PIXELS = 64
INVISIBLE = ("AU38", "AU39")  # at this size, says the data's own description
COMMON = 0.05  # base rate
YAW = {"0-15": (0, 15), "15-30": (15, 30), "30+": (30, 91)}
TONE = {"light": (0, 1 / 3), "middle": (1 / 3, 2 / 3), "dark": (2 / 3, 1.01)}
GLASSES = {"without": (0, 1), "with": (1, 2)}


def blurred(picture, _):
    return picture.filter(ImageFilter.GaussianBlur(2))


def compressed(picture, _):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=30)
    return Image.open(file).convert("RGB")


def shrunk(picture, box):
    factor = min(1.0, SMALL_PIXELS / min(box[2:]))
    return picture.resize([max(1, round(side * factor)) for side in picture.size], Image.Resampling.BOX)


def darkened(picture, _):
    return picture.point(lambda value: value // 4)


WORSE = {"blur": blurred, "jpeg30": compressed, "small": shrunk, "dark": darkened}


class Tool:
    """The detector and the network as `extract` uses them, on single pictures."""

    def __init__(self, predictor):
        self.detector, self.predictor = make_detector("mtcnn"), predictor

    def outputs(self, picture):
        """What the predictor gives for the surest face, and its box; None where there is none."""
        pixels = torch.from_numpy(np.array(picture)).unsqueeze(0)
        faces = self.detector.detect(pixels)[0]
        if not len(faces):
            return None
        best = faces.select(np.array([faces.scores.argmax()]))
        crops = crop_faces(pixels, np.zeros(1, np.int64), best.landmarks, self.predictor.card.crop)
        return self.predictor(crops), best.boxes[0]


def through_the_tool(faces, tool, change=None, boxes=None):
    """The outputs of rows in which a face was found, and their boxes."""
    rows, given, found_boxes = [], [], {}
    for row, path in enumerate(faces.paths):
        if row % 200 == 0:
            print(f"{change.__name__ if change else 'as they are'}: {row} of {len(faces)}", file=sys.stderr)
        picture = Image.open(faces.root / path).convert("RGB")
        if change is not None:
            if row not in boxes:
                continue  # no face was found in the picture as it is: nothing to make worse
            picture = change(picture, boxes[row])
        found = tool.outputs(picture)
        if found is not None:
            rows.append(row)
            given.append(found[0])
            found_boxes[row] = found[1]
    intensities = [one.intensities for one in given if one.intensities is not None]
    outputs = Outputs(
        np.concatenate([one.outputs for one in given]),
        np.array(rows),
        {},
        np.concatenate(intensities) if intensities else None,
    )
    return outputs, found_boxes


def part_of(whole, chosen):
    arrays = ("outputs", "probabilities", "occurrences", "labels", "intensities", "measured")
    parts = {name: None if getattr(whole, name) is None else getattr(whole, name)[chosen] for name in arrays}
    return replace(whole, **parts, subjects=tuple(np.array(whole.subjects)[chosen]))


def enough(one):
    positive, negative = (one.labels == 1).sum(0), (one.labels == 0).sum(0)
    return np.minimum(positive, negative) >= FEWEST


def compared(samples, faces):
    """Mean AUC and F1 of several samples over the AUs that all of them have often enough."""
    shared = np.logical_and.reduce([enough(one) for one in samples.values()])
    names = next(iter(samples.values())).au_names
    shared &= np.isin(names, unsided(names))
    figures = {}
    for name, one in samples.items():
        scores = score(one, draws=1000)
        decisions = scores.modes.get("card", scores.modes["protocol"])
        figures[name] = {
            "faces": len(one),
            "faces_given": faces[name],
            "auc": number(mean_over_aus(scores.auc[shared])),
            "auc_interval": numbers(interval(mean_over_aus(scores.auc_draws[:, shared]))),
            "f1": number(mean_over_aus(decisions.f1[shared])),
        }
    return {"aus": [au for au, some in zip(names, shared, strict=True) if some], "groups": figures}


def measure(folder, part, model):
    faces = open_dataset("synthfaces", folder, part, au_set="synth_sided")
    predictor = Predictor(model)
    card = predictor.card
    leak = find_leak(card, "synthfaces", faces.au_names, part, None)
    if leak is not None:
        raise SystemExit(f"{leak}: choose another --part")
    crops = sample_of(faces, predict(faces, predictor), card, card.au_names)
    tool = Tool(predictor)
    outputs, boxes = through_the_tool(faces, tool)
    found = sample_of(faces, outputs, card, card.au_names)

    about = pd.read_parquet(folder / "labels.parquet").set_index("path").loc[list(faces.paths)]
    groups = {}
    for name, values, bounds in (
        ("yaw_degrees", about["yaw"].abs().to_numpy(), YAW),
        ("tone", about["tone"].to_numpy(), TONE),
        ("glasses", about["glasses"].to_numpy(), GLASSES),
    ):
        chosen = {group: (values >= low) & (values < high) for group, (low, high) in bounds.items()}
        samples = {group: part_of(found, some[outputs.rows]) for group, some in chosen.items()}
        samples = {group: one for group, one in samples.items() if len(one)}
        groups[name] = compared(samples, {group: int(some.sum()) for group, some in chosen.items()})

    worse = {"as they are": found}
    for name, change in WORSE.items():
        changed, _ = through_the_tool(faces, tool, change, boxes)
        worse[name] = sample_of(faces, changed, card, card.au_names)
    return {
        "data": f"synthfaces (synthetic), part {part}",
        "model": card.name,
        "sha256": card.sha256,
        "weak_aus": list(card.weak_aus),
        "faces": len(faces),
        "ready_crops": scored(crops),
        "whole_tool": {"faces_found": len(found), **scored(found)},
        "whole_tool_visible": visible_means(score(found, draws=0).to_json()["aus"]),
        "groups": groups,
        "worse_pictures": compared(worse, dict.fromkeys(worse, len(faces))),
    }


def scored(sample):
    """Figures of all AUs; the means are of the AUs without a side."""
    return score(sample).to_json() | {"mean": score(without_sides(sample)).to_json()["mean"]}


def without_sides(sample):
    places = np.flatnonzero(np.isin(sample.au_names, unsided(sample.au_names)))
    arrays = ("outputs", "probabilities", "occurrences", "labels", "intensities", "measured")
    parts = {
        name: None if getattr(sample, name) is None else getattr(sample, name)[:, places] for name in arrays
    }
    return replace(sample, **parts, au_names=unsided(sample.au_names), thresholds=sample.thresholds[places])


def visible_means(aus):
    """Means over the AUs that can be seen, without sides; F1 at the card's thresholds, of AUs not rare."""
    seen = [figures for au, figures in aus.items() if au in unsided(tuple(aus)) and au not in INVISIBLE]
    common = [figures for figures in seen if figures["base_rate"] > COMMON]
    return {
        "auc": round(sum(figures["auc"] for figures in seen) / len(seen), 4),
        "f1_where_common": round(
            sum(figures.get("card", figures["protocol"])["f1"] for figures in common) / len(common), 4
        ),
        "common_aus": len(common),
    }


def cell(value):
    return "" if value is None else f"{value:.2f}"


def row(cells):
    return "|" + "|".join(f" {text} " if text else " " for text in cells) + "|"


def notes(result):
    """What a user should know of the groups, as sentences for the card."""

    def means(compare):
        return ", ".join(f"{name} {cell(one['auc'])}" for name, one in compare["groups"].items())

    groups = result["groups"]
    tones = [one["auc"] for one in groups["tone"]["groups"].values()]
    return (
        f"Mean AUC through the whole tool on {result['faces']:,} rendered faces of other synthetic people: "
        f"{cell(result['whole_tool_visible']['auc'])} without AU38 and AU39.",
        f"By head turn in degrees: {means(groups['yaw_degrees'])}. By glasses: {means(groups['glasses'])}.",
        f"By skin tone: {means(groups['tone'])}; the largest gap is {max(tones) - min(tones):.3f}.",
        f"On worse pictures: {means(result['worse_pictures'])}.",
        "On people nothing was measured: seven faces in photographs were looked at.",
    )


def table(result):
    """The README's Markdown: AUs without their sides."""
    tool, crops = (result[way]["aus"] for way in ("whole_tool", "ready_crops"))
    graded = any("icc" in figures for figures in tool.values())
    heads = ["AU", "AUC", "95 %", "F1", "AUC, ready crops", "base rate", *(["ICC"] if graded else [])]
    lines = [row(heads), row(["---"] * len(heads)).replace(" ", "")]
    shown = {au: tool[au] for au in unsided(tuple(tool))} | {"mean": result["whole_tool"]["mean"]}
    for au, figures in shown.items():
        ready = result["ready_crops"]["mean"] if au == "mean" else crops[au]
        ends = figures["auc_interval"]
        span = "" if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}"
        f1 = figures.get("card", figures["protocol"])["f1"]
        star = "*" if au in result["weak_aus"] else ""
        agreement = figures.get("icc")
        cells = [cell(figures["auc"]), span, cell(f1), cell(ready["auc"]), cell(figures["base_rate"])]
        lines.append(row([f"{au.removeprefix('AU')}{star}", *cells, *([cell(agreement)] if graded else [])]))
    seen, nothing = result["whole_tool_visible"], [""] * (len(heads) - 4)
    lines.append(row(["mean without 38, 39", cell(seen["auc"]), "", "", *nothing]))
    common = f"of these, mean of {seen['common_aus']} with a base rate above {COMMON}"
    lines.append(row([common, "", "", cell(seen["f1_where_common"]), *nothing]))
    lines += ["", "| faces | found | mean AUC | 95 % | mean F1 |", "|---|---|---|---|---|"]
    for kind, compare in (*result["groups"].items(), ("pictures", result["worse_pictures"])):
        for name, figures in compare["groups"].items():
            ends = figures["auc_interval"]
            shown = "" if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}"
            lines.append(
                f"| {kind.replace('_', ' ')} {name} | {figures['faces']} of {figures['faces_given']} "
                f"| {cell(figures['auc'])} | {shown} | {cell(figures['f1'])} |"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with labels.parquet and images/")
    parser.add_argument("--part", choices=["val", "test"], default="val")
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--output", type=Path, default=RESULTS / "accuracy.json")
    parser.add_argument("--into-card", action="store_true", help="write the notes of the built-in's card")
    args = parser.parse_args()
    result = {"benchmark": "accuracy", **measure(args.data, args.part, args.model), "machine": machine()}
    args.output.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
    if args.into_card:
        card = replace(find("builtin").card, notes=notes(result))
        write_json(CARDS / f"{card.name}.json", card.to_json())
    print(table(result))


if __name__ == "__main__":
    main()

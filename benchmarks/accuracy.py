"""How well does the built-in model tell AUs apart, on whom, and on what pictures?

    python benchmarks/accuracy.py SYNTHFACES [--part val] [--model builtin] [--output accuracy.json]

The faces of a part of the synthfaces folder are scored twice: as crops cut out at the true landmarks, and
through the whole tool, where its own detector finds the face first. The figures of the second way are then
given by head turn and by skin tone, and for pictures that were made worse:

- blur: Gaussian, standard deviation 2 pixels (of 160)
- jpeg30: saved as JPEG of quality 30
- small: shrunk until the detected face is 64 pixels wide or high, whichever is less
- dark: a quarter of the light, darker pixels drowned in the rounding to 8 bits

A group's AUC is the mean over the AUs that have both classes at least `FEWEST` times in it, and over the same
AUs for all groups of one kind. JSON goes into the results, the table of the README to stdout. Thresholds and
calibration of the built-in model were fitted to `val`, so its F1 at the card's thresholds flatters there.
"""

import argparse
import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from machine import RESULTS, machine
from PIL import Image, ImageFilter

from aucli.datasets.open import open_dataset
from aucli.evaluation.bootstrap import interval, mean_over_aus
from aucli.evaluation.leak import find_leak
from aucli.evaluation.predict import predict, sample_of
from aucli.evaluation.sample import Sample
from aucli.evaluation.scores import number, numbers, score
from aucli.faces.align import crop_faces
from aucli.faces.detect import make_detector
from aucli.inference.postprocess import Postprocess
from aucli.inference.predictor import Predictor

FEWEST = 10
SMALL_PIXELS = 64
INVISIBLE = ("AU38", "AU39")  # at this size, says the data's own description
COMMON = 0.05  # base rate
YAW = {"0-15": (0, 15), "15-30": (15, 30), "30+": (30, 91)}
TONE = {"light": (0, 1 / 3), "middle": (1 / 3, 2 / 3), "dark": (2 / 3, 1.01)}


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
        """The network's outputs (AUs,) and the box of the surest face, None where there is none."""
        pixels = torch.from_numpy(np.array(picture)).unsqueeze(0)
        faces = self.detector.detect(pixels)[0]
        if not len(faces):
            return None
        best = faces.select(np.array([faces.scores.argmax()]))
        crops = crop_faces(pixels, np.zeros(1, np.int64), best.landmarks, self.predictor.card.crop)
        return self.predictor(crops).outputs[0], best.boxes[0]


def through_the_tool(faces, tool, change=None, boxes=None):
    """Rows in which a face was found, their outputs, and their boxes."""
    rows, outputs, found_boxes = [], [], {}
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
            outputs.append(found[0])
            found_boxes[row] = found[1]
    return np.array(rows), np.stack(outputs), found_boxes


def sample(faces, card, rows, outputs):
    probabilities, occurrences = Postprocess.of(card)(outputs)
    columns = [faces.au_names.index(au) for au in card.au_names]
    return Sample(
        card.au_names,
        outputs,
        probabilities,
        occurrences,
        np.array([card.thresholds[au] for au in card.au_names], np.float32),
        np.ascontiguousarray(faces.labels[rows][:, columns]),
        tuple(faces.subjects[row] for row in rows),
    )


def part_of(whole, chosen):
    return Sample(
        whole.au_names,
        whole.outputs[chosen],
        whole.probabilities[chosen],
        whole.occurrences[chosen],
        whole.thresholds,
        whole.labels[chosen],
        tuple(np.array(whole.subjects)[chosen]),
    )


def enough(one):
    positive, negative = (one.labels == 1).sum(0), (one.labels == 0).sum(0)
    return np.minimum(positive, negative) >= FEWEST


def compared(samples, faces):
    """Mean AUC and F1 of several samples over the AUs that all of them have often enough."""
    shared = np.logical_and.reduce([enough(one) for one in samples.values()])
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
    return {"aus": [au for au, some in zip(one.au_names, shared, strict=True) if some], "groups": figures}


def measure(folder, part, model):
    faces = open_dataset("synthfaces", folder, part)
    predictor = Predictor(model)
    card = predictor.card
    leak = find_leak(card, "synthfaces", faces.au_names, part, None)
    if leak is not None:
        raise SystemExit(f"{leak}: choose another --part")
    crops = sample_of(faces, predict(faces, predictor), card, card.au_names)
    tool = Tool(predictor)
    rows, outputs, boxes = through_the_tool(faces, tool)
    found = sample(faces, card, rows, outputs)

    about = pd.read_parquet(folder / "labels.parquet").set_index("path").loc[list(faces.paths)]
    groups = {}
    for name, values, bounds in (
        ("yaw_degrees", about["yaw"].abs().to_numpy(), YAW),
        ("tone", about["tone"].to_numpy(), TONE),
    ):
        chosen = {group: (values >= low) & (values < high) for group, (low, high) in bounds.items()}
        samples = {group: part_of(found, some[rows]) for group, some in chosen.items()}
        samples = {group: one for group, one in samples.items() if len(one)}
        groups[name] = compared(samples, {group: int(some.sum()) for group, some in chosen.items()})

    worse = {"as they are": found}
    for name, change in WORSE.items():
        rows_found, changed, _ = through_the_tool(faces, tool, change, boxes)
        worse[name] = sample(faces, card, rows_found, changed)
    return {
        "data": f"synthfaces (synthetic), part {part}",
        "model": card.name,
        "sha256": card.sha256,
        "weak_aus": list(card.weak_aus),
        "faces": len(faces),
        "ready_crops": score(crops).to_json(),
        "whole_tool": {"faces_found": len(rows), **score(found).to_json()},
        "whole_tool_visible": visible_means(score(found, draws=0).to_json()["aus"]),
        "groups": groups,
        "worse_pictures": compared(worse, dict.fromkeys(worse, len(faces))),
    }


def visible_means(aus):
    """Means over the AUs that can be seen; F1 at the card's thresholds, of AUs that are not rare."""
    seen = [figures for au, figures in aus.items() if au not in INVISIBLE]
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


def table(result):
    """The README's Markdown."""
    tool, crops = (result[way]["aus"] for way in ("whole_tool", "ready_crops"))
    lines = ["| AU | AUC | 95 % | F1 | AUC, ready crops | base rate |", "|---|---|---|---|---|---|"]
    for au, figures in [*tool.items(), ("mean", result["whole_tool"]["mean"])]:
        ready = result["ready_crops"]["mean"] if au == "mean" else crops[au]
        ends = figures["auc_interval"]
        shown = "" if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}"
        f1 = figures.get("card", figures["protocol"])["f1"]
        star = "*" if au in result["weak_aus"] else ""
        lines.append(
            f"| {au.removeprefix('AU')}{star} | {cell(figures['auc'])} | {shown} | {cell(f1)} "
            f"| {cell(ready['auc'])} | {cell(figures['base_rate'])} |"
        )
    seen = result["whole_tool_visible"]
    lines.append(f"| mean without 38, 39 | {cell(seen['auc'])} | | | | |")
    lines.append(
        f"| of these, mean of {seen['common_aus']} with a base rate above {COMMON} "
        f"| | | {cell(seen['f1_where_common'])} | | |"
    )
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
    args = parser.parse_args()
    result = {"benchmark": "accuracy", **measure(args.data, args.part, args.model), "machine": machine()}
    args.output.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()

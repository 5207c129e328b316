"""Train the built-in model from the synthfaces folder, both stages, and write its card and weights.

    python benchmarks/train_builtin.py ../shared/synthfaces/trainval --work runs/builtin --install

It is `aucli train --recipe synth` with the built-in's name and the words on its card, and goes on where it
was stopped. Calibration and thresholds are then fitted again, to the validation subjects as the tool sees
them: cut out where its own detector finds the face, not at the true landmarks, and from pictures as they are,
small, blurred and compressed. `--install` puts the result into aucli/zoo. `--finish CARD` does all but the
training, for a stage-2 model that is there.

The weights that ship were trained in several sittings, the later ones with `--init` from what was there:
results/train_builtin.json says how, and what did not help.
"""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from accuracy import WORSE, Tool, through_the_tool

import aucli.zoo.catalogue
from aucli.datasets.open import open_dataset
from aucli.evaluation.fit import fit
from aucli.evaluation.metrics import f1
from aucli.evaluation.predict import sample_of
from aucli.inference.predictor import Predictor
from aucli.sinks.atomic import write_json
from aucli.training.events import EpochDone
from aucli.training.run import TrainConfig, train
from aucli_models.au import unsided

NAME = aucli.zoo.catalogue.BUILTIN_NAME
CROP = (1.28, -0.17)
"""Nearer than the default: eyes 45 of 112 pixels apart, as fine as the rendered pictures are (48 of 160)."""
FITTED_WORSE = ("blur", "jpeg30", "small")
INVISIBLE = ("AU38", "AU39")  # at this size, says the data's own description

TRAINING_DATA = (
    "synthfaces: {faces:,} rendered faces of {people} synthetic people with exact labels, made with "
    "ICT-FaceKit Light (MIT). No photograph of anybody was used."
)
DESCRIPTION = (
    "Small two-stage ME-GraphAU network for a first look without a download. All figures here are on "
    "rendered faces of other synthetic people, which the tool found itself; calibration and thresholds were "
    "fitted to them too, also made worse, and they were watched during training. Accuracy on people has not "
    "been measured. Occurrence means an intensity of 2 (B) or more; of an AU without a side, that of the "
    "stronger side."
)
CITATIONS = (
    "Luo et al., Learning Multi-dimensional Edge Feature-based AU Relation Graph for Facial Action Unit "
    "Recognition, IJCAI 2022",
    "Li et al., Learning Formation of Physically-Based Face Attributes (ICT-FaceKit), CVPR 2020",
)


def show(event):
    if isinstance(event, EpochDone):
        print(event, flush=True)


def fitted_through_the_tool(path, data):
    """The card at `path` with calibration and thresholds fitted to the validation subjects' pictures as they
    are and made worse, since few videos are as sharp as renders; figures are of the pictures as they are.
    """
    predictor = Predictor(str(path))
    card = predictor.card
    faces = open_dataset("synthfaces", data, "val", au_set="synth_sided")
    tool = Tool(predictor)
    outputs, boxes = through_the_tool(faces, tool)
    worse = [through_the_tool(faces, tool, WORSE[kind], boxes)[0] for kind in FITTED_WORSE]
    clean, *others = (sample_of(faces, one, card, card.au_names) for one in (outputs, *worse))
    both = [
        np.concatenate([getattr(one, name) for one in (clean, *others)]) for name in ("outputs", "labels")
    ]
    fitted = fit(*both, card.au_names)
    if fitted.left:
        raise SystemExit(f"too few faces to fit: {dict(fitted.left)}")
    card = replace(card, calibration=dict(fitted.calibration), thresholds=dict(fitted.thresholds))
    clean = sample_of(faces, outputs, card, card.au_names)
    figures = fit(
        clean.outputs, clean.labels, card.au_names, intensities=clean.intensities, measured=clean.measured
    ).validation
    at_thresholds = {
        au: round(f1(clean.probabilities[:, place], clean.labels[:, place], card.thresholds[au]), 4)
        for place, au in enumerate(card.au_names)
    }
    figures = {au: {**figures[au], "f1": at_thresholds[au]} for au in card.au_names}
    found = replace(fitted, validation=figures)
    return replace(card, validation=figures, weak_aus=found.weak_aus, intensity_aus=found.intensity_aus)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with labels.parquet and images/")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--epochs", type=int, nargs=2, help="of stage 1 and stage 2; default: the recipe's")
    parser.add_argument("--rate", type=float, nargs=2, help="of stage 1 and stage 2; default: the recipe's")
    parser.add_argument("--init", default="scratch", help="a stage-1 model to go on from")
    parser.add_argument(
        "--precision", default="auto", help="bf16 is twice as fast where there is AVX512-BF16"
    )
    parser.add_argument("--install", action="store_true", help="put the result into the package")
    parser.add_argument("--finish", type=Path, metavar="CARD", help="a stage-2 model; nothing is trained")
    args = parser.parse_args()
    trained = args.finish or stage_2(args)
    labels = open_dataset("synthfaces", args.data, "train")
    card = replace(
        fitted_through_the_tool(trained, args.data),
        name=NAME,
        weights=f"{NAME}.safetensors",
        licence="MIT",
        training_data=TRAINING_DATA.format(faces=len(labels), people=len(set(labels.subjects))),
        description=DESCRIPTION,
        citations=CITATIONS,
    )
    args.work.mkdir(parents=True, exist_ok=True)
    shutil.copy(trained.with_suffix(".safetensors"), args.work / card.weights)
    write_json(args.work / f"{NAME}.json", card.to_json())
    figures = {au: values["auc"] for au, values in card.validation.items()}
    visible = [figures[au] for au in unsided(figures) if au not in INVISIBLE]
    print(
        json.dumps(
            {
                "mean_auc": round(sum(figures.values()) / len(figures), 4),
                "mean_auc_visible": round(sum(visible) / len(visible), 4),
            }
        )
    )
    if args.install:
        zoo = Path(aucli.zoo.catalogue.__file__).parent
        shutil.copy(args.work / f"{NAME}.json", zoo / "cards")
        shutil.copy(args.work / card.weights, zoo / "weights")


def stage_2(args):
    """Train; the path of the card."""
    config = TrainConfig(
        "synthfaces",
        args.data,
        args.work,
        arch="me_graphau_resnet10_small",
        au_set="synth_sided",
        recipe="synth",
        intensity=True,
        crop=CROP,
        epochs=tuple(args.epochs) if args.epochs else None,
        rate=tuple(args.rate) if args.rate else None,
        init=args.init,
        precision=args.precision,
        device=args.device,
        weights="fp16",
    )
    result = train(config, show)
    return args.work / f"{Path(result.cards[-1].weights).stem}.json"


if __name__ == "__main__":
    main()

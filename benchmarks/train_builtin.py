"""Train the built-in model from the synthfaces folder, both stages, and write its card and weights.

    python benchmarks/train_builtin.py ../shared/synthfaces/trainval --work runs/builtin

Goes on where it was stopped: checkpoints lie in the work folder. The shipped weights took about 80
minutes on two CPU cores with AMX, in several sittings; as one run this script has not been timed.
An allocator that keeps its memory (LD_PRELOAD of jemalloc) makes stage 2 about twice as fast.
`--install` puts the result into aucli/zoo. How the shipped weights came about, with what did not help, is in
results/train_builtin.json.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np
import torch

import aucli.zoo.catalogue
from aucli.datasets.synthfaces import load_synthfaces
from aucli.datatypes import CropConvention
from aucli.training.engine import Recipe, Trainer, aucs, outputs
from aucli.training.export import export_model
from aucli.training.model_card import fit_card
from aucli.training.stages import start_graph_from_stage1, transfer_stage1
from aucli_models.au import AU_SETS
from aucli_models.me_graphau import MEGraphAU

NAME = aucli.zoo.catalogue.BUILTIN_NAME
BACKBONE, AU_SET = "resnet10_small", "synth"
CONVENTION = CropConvention()
AUS = AU_SETS[AU_SET]
INVISIBLE = ("AU38", "AU39")  # at this size, says the data's own description

TRAINING_DATA = (
    "synthfaces: 26,800 rendered faces of 280 synthetic people with exact labels, made with ICT-FaceKit "
    "Light (MIT). No photograph of anybody was used."
)
DESCRIPTION = (
    "Small two-stage ME-GraphAU network for a first look without a download. All figures here are on 2,400 "
    "rendered faces of 30 other synthetic people, to which calibration and thresholds were fitted too, and "
    "which were watched during training; "
    "accuracy on people has not been measured. Occurrence means an intensity of 2 (B) or more."
)
CITATIONS = [
    "Luo et al., Learning Multi-dimensional Edge Feature-based AU Relation Graph for Facial Action Unit "
    "Recognition, IJCAI 2022",
    "Li et al., Learning Formation of Physically-Based Face Attributes (ICT-FaceKit), CVPR 2020",
]

STAGE1 = Recipe(iterations=4800)
# The last stretch of stage 1 and all of stage 2 see half of the pictures without changed appearance.
STAGE1_LAST = Recipe(iterations=2000, rate=9e-4, warmup=50, average=0.995, clean=0.5)
STAGE2 = Recipe(
    iterations=240, batch_size=48, rate=8e-4, front_rate_factor=0.4, warmup=20, average=0.99, clean=0.5
)


def mean_auc(values, without=()):
    return float(np.nanmean([v for v, au in zip(values, AUS, strict=True) if au not in without]))


def train(trainer, checkpoint, val, log, every):
    if checkpoint.exists():
        trainer.load(checkpoint)
    start, first, smooth = time.perf_counter(), trainer.iteration, None

    def on_step(iteration, loss):
        nonlocal smooth
        smooth = loss if smooth is None else 0.98 * smooth + 0.02 * loss
        if iteration % every and iteration != trainer.recipe.iterations:
            return
        trainer.save(checkpoint)
        values = aucs(outputs(trainer.average, val, CONVENTION), val)
        rate = (iteration - first) * trainer.recipe.batch_size / (time.perf_counter() - start)
        line = {
            "stage": trainer.network.stage, "iteration": iteration, "loss": round(smooth, 4),
            "mean_auc": round(mean_auc(values), 4), "mean_auc_visible": round(mean_auc(values, INVISIBLE), 4),
            "pictures_per_second": round(rate, 1),
        }  # fmt: skip
        print(json.dumps(line), flush=True)
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")

    trainer.run(on_step)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with labels.parquet and images/")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--install", action="store_true", help="put the result into the package")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    args.work.mkdir(parents=True, exist_ok=True)
    train_faces, val = (load_synthfaces(args.data, split) for split in ("train", "val"))
    log = args.work / "log.jsonl"

    first = Trainer(MEGraphAU(BACKBONE, AU_SET, 1), train_faces, CONVENTION, STAGE1)
    train(first, args.work / "stage1.pt", val, log, every=600)

    last = Trainer(first.average.requires_grad_(True), train_faces, CONVENTION, STAGE1_LAST, seed=1)
    last.heads.load_state_dict(first.heads.state_dict())
    train(last, args.work / "stage1_last.pt", val, log, every=200)

    network = MEGraphAU(BACKBONE, AU_SET, 2)
    transfer_stage1(last.average, network)
    start_graph_from_stage1(last.average, network)
    second = Trainer(network, train_faces, CONVENTION, STAGE2, seed=2)
    second.heads.load_state_dict(last.heads.state_dict())
    train(second, args.work / "stage2.pt", val, log, every=100)

    # The weights that ship are float16: measured as they ship.
    shipped = second.average.half().float()
    fitted = fit_card(outputs(shipped, val, CONVENTION), val.occurrence, AUS)
    fields = {
        "system": "me_graphau",
        "backbone": BACKBONE,
        "au_set": AU_SET,
        "stage": 2,
        "licence": "MIT",
        "training_data": TRAINING_DATA,
        "description": DESCRIPTION,
        "citations": CITATIONS,
        **fitted,
    }
    card = export_model(shipped, args.work, NAME, fields)
    values = [card.validation[au]["auc"] for au in AUS]
    print(f"mean AUC {mean_auc(values):.4f}, without AU38 and AU39 {mean_auc(values, INVISIBLE):.4f}")
    if args.install:
        zoo = Path(aucli.zoo.catalogue.__file__).parent
        shutil.copy(args.work / f"{NAME}.json", zoo / "cards")
        shutil.copy(args.work / card.weights, zoo / "weights")


if __name__ == "__main__":
    main()

"""Does the data keep up with the device? Pictures per second of training, three ways.

    python benchmarks/bench_train.py SYNTHFACES [--arch me_graphau_resnet50] [--batch-size 64]

- alone: forward and backward of one batch that lies on the device, again and again: what is possible
- loop: the training loop of `aucli train`: packed crops, gathered by a thread, augmented on the device, with
  optimiser and checks
- naive: what the original code does: each picture opened, resized, cropped, jittered by Pillow in the workers
  of a DataLoader, then the same forward, backward and optimiser

The published recipe's stage 1 at 224 pixels. The pictures for all three are crops of 256 pixels, on disk as
JPEGs for the naive way and packed for the loop. Three rounds in turn; the median counts, all are kept.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from machine import save
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from aucli.datasets.open import open_dataset
from aucli.datasets.selection import take
from aucli.datatypes import CropConvention
from aucli.inference.devices import available_cores, resolve_device, resolve_precision
from aucli.training.batches import batches
from aucli.training.distributed import Ranks
from aucli.training.engine import Arithmetic, Engine
from aucli.training.losses import labelled_entries, labelled_pairs
from aucli.training.material import examples_of, weights_of
from aucli.training.options import architecture
from aucli.training.recipe import stage_recipe
from aucli.training.views import Views
from aucli.zoo.card import IMAGENET_MEAN, IMAGENET_STD
from aucli_models.registry import ModelSpec, create_model

CONVENTION = CropConvention(size=224)
WORKERS = 4  # the authors' number


class Pictures(Dataset):
    """The originals' data loading."""

    def __init__(self, folder, labels):
        self.paths = sorted(folder.iterdir())
        self.labels = torch.from_numpy(labels).float()
        self.change = transforms.Compose(
            [
                transforms.Resize(256),
                transforms.RandomCrop(224),
                transforms.RandomHorizontalFlip(),
                transforms.ColorJitter(0.4, 0.4, 0.4),
                transforms.ToTensor(),
                transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
            ]
        )

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.change(Image.open(self.paths[index]).convert("RGB")), self.labels[index]


def finish(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def counts_of(labels):
    return labelled_entries(labels), labelled_pairs(labels), 0


def alone(engine, examples, recipe, device, steps):
    batch = next(all_batches(examples, recipe, device, 0))
    part = engine.seen(batch, batch.parts[0])
    counts = (batch.counts.labels, batch.counts.pairs, 0)

    def step():
        engine.objective.zero_grad(set_to_none=True)
        engine.objective(part.images, part.labels, None, counts).backward()

    engine.network.train()
    step()
    finish(device)
    start = time.perf_counter()
    for _ in range(steps):
        step()
    finish(device)
    return steps * len(part.images) / (time.perf_counter() - start)


def all_batches(examples, recipe, device, epoch):
    return batches(
        examples,
        batch_size=recipe.batch_size,
        epoch=epoch,
        first_step=0,
        seed=0,
        ranks=Ranks(),
        device=device,
    )


def whole_loop(engine, examples, recipe, device, steps):
    pictures, start = 0, None
    for epoch in range(1000):
        for batch in all_batches(examples, recipe, device, epoch):
            engine.step(batch)
            if start is None:  # the first step warms up
                finish(device)
                start = time.perf_counter()
                continue
            pictures += len(batch.faces)
            steps -= 1
            if steps == 0:
                engine.check()
                finish(device)
                return pictures / (time.perf_counter() - start)
    raise AssertionError


def naive(engine, examples, recipe, device, steps, *, folder):
    loader = DataLoader(
        Pictures(folder, examples.labels),
        batch_size=recipe.batch_size,
        shuffle=True,
        num_workers=WORKERS,
        drop_last=True,
    )
    optimiser = engine._optimiser
    pictures, start = 0, None
    for _ in range(1000):
        for pictures_read, labels_read in loader:
            images, labels = pictures_read.to(device), labels_read.to(device)
            optimiser.zero_grad(set_to_none=True)
            engine.objective(
                images.contiguous(memory_format=torch.channels_last), labels, None, counts_of(labels)
            ).backward()
            optimiser.step()
            if start is None:
                finish(device)
                start = time.perf_counter()
                continue
            pictures += len(images)
            steps -= 1
            if steps == 0:
                finish(device)
                return pictures / (time.perf_counter() - start)
    raise AssertionError


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the synthfaces folder")
    parser.add_argument("--arch", default="me_graphau_resnet50")
    parser.add_argument("--au-set", default="disfa")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=30, help="measured in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--name", default="bench_train")
    args = parser.parse_args()
    device = torch.device(resolve_device(args.device)[0])
    precision = resolve_precision(args.precision, device.type)
    torch.set_num_threads(available_cores())
    torch.backends.cudnn.benchmark = True
    system, backbone = architecture(args.arch)
    faces = open_dataset("synthfaces", args.data, "train", au_set=args.au_set)
    rows = np.sort(np.random.default_rng(0).permutation(len(faces))[: args.pictures])
    faces = replace(take(faces, rows), intensity=None)
    recipe = replace(stage_recipe("published", system, backbone, 1), batch_size=args.batch_size)
    with tempfile.TemporaryDirectory() as work:
        start = time.perf_counter()
        examples = examples_of(
            *(faces, CONVENTION, Path(work) / "crops.u8"),
            part="train",
            ranks=Ranks(),
            on_event=lambda event: None,
        )
        packed = len(faces) / (time.perf_counter() - start)
        folder = Path(work) / "pictures"
        folder.mkdir()
        for row, crop in enumerate(examples.crops):
            Image.fromarray(crop).save(folder / f"{row:06}.jpg", quality=95)
        engine = Engine(
            create_model(ModelSpec(system, backbone, args.au_set, 1)),
            recipe,
            weights_of(faces),
            Views(CONVENTION, recipe.augmentation, flip=True),
            steps=10**6,
            seed=0,
            names=examples.names,
            arithmetic=Arithmetic(device, precision),
        )
        found = {"alone": [], "loop": [], "naive": []}
        for _ in range(args.rounds):
            found["alone"].append(alone(engine, examples, recipe, device, args.steps))
            found["loop"].append(whole_loop(engine, examples, recipe, device, args.steps))
            found["naive"].append(naive(engine, examples, recipe, device, args.steps, folder=folder))
    median = {way: statistics.median(values) for way, values in found.items()}
    save(
        args.name,
        {
            "arch": args.arch,
            "batch_size": args.batch_size,
            "device": str(device),
            "precision": precision,
            "threads": torch.get_num_threads(),
            "naive_workers": WORKERS,
            "pictures_per_second": {way: round(value, 2) for way, value in median.items()},
            "loop_of_alone": round(median["loop"] / median["alone"], 4),
            "naive_of_alone": round(median["naive"] / median["alone"], 4),
            "packing_pictures_per_second": round(packed, 1),
            "rounds": {way: [round(value, 2) for value in values] for way, values in found.items()},
        },
    )


if __name__ == "__main__":
    main()

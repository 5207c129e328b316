"""How well could AUs be told from landmarks alone, and how exactly must they be placed?

A small perceptron reads the 68 landmarks of synthfaces, turned upright and in distances between the eyes,
with noise of so many pixels (of 160) on each coordinate. Means are without AU38 and AU39.

    python benchmarks/landmark_ceiling.py ../shared/synthfaces/trainval
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from machine import save
from sklearn.metrics import roc_auc_score
from torch import nn

from aucli.datasets.open import open_dataset
from aucli_models.au import AU_SETS

NOISE_PIXELS = (0.0, 0.5, 1.0, 2.0)
EPOCHS, BATCH = 12, 256
INVISIBLE = ("AU38", "AU39")


def upright(faces):
    """float32 (faces, 136), and the distance between the eyes in pixels, (faces,)."""
    left, right = faces.points[:, 0], faces.points[:, 1]
    between = right - left
    distance = np.linalg.norm(between, axis=1)
    cos, sin = (between / distance[:, None]).T
    turn = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], 1)
    away = faces.landmarks - (left + right)[:, None] / 2
    turned = np.einsum("nij,nkj->nki", turn, away) / distance[:, None, None]
    return turned.reshape(len(faces), -1).astype(np.float32), distance.astype(np.float32)


def aucs(train, val, noise_pixels):
    """AUC of each AU on the validation people."""
    torch.manual_seed(0)
    (given, distance), (seen, seen_distance) = upright(train), upright(val)
    mean, spread = given.mean(0), given.std(0)
    x, x_val = (torch.from_numpy((some - mean) / spread) for some in (given, seen))
    noise, noise_val = (
        torch.from_numpy(noise_pixels / some[:, None] / spread) for some in (distance, seen_distance)
    )
    labels = torch.from_numpy(train.labels).float()
    intensity = torch.from_numpy(train.intensity) / 5
    aus = labels.shape[1]
    net = nn.Sequential(
        nn.Linear(136, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 2 * aus)
    )
    steps = EPOCHS * (len(x) // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
            out = net(x[rows] + torch.randn(BATCH, 136) * noise[rows])
            loss = F.binary_cross_entropy_with_logits(out[:, :aus], labels[rows])
            loss = loss + 4 * F.mse_loss(out[:, aus:], intensity[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        out = net(x_val + torch.randn(x_val.shape) * noise_val)[:, :aus].numpy()
    return {
        au: round(float(roc_auc_score(val.labels[:, place], out[:, place])), 4)
        for place, au in enumerate(val.au_names)
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with labels.parquet and landmarks68.npz")
    args = parser.parse_args()
    train, val = (open_dataset("synthfaces", args.data, part, au_set="synth") for part in ("train", "val"))
    assert train.au_names == AU_SETS["synth"]
    found = {pixels: aucs(train, val, pixels) for pixels in NOISE_PIXELS}
    means = {
        pixels: round(float(np.mean([auc for au, auc in each.items() if au not in INVISIBLE])), 4)
        for pixels, each in found.items()
    }
    save("landmark_ceiling", {"faces": len(val), "mean_auc_by_noise_pixels": means, "aucs": found})


if __name__ == "__main__":
    main()

"""Formula weights, pictures and nodes of SCC's golden files; the reference values are the official code's.

Names and axes are TensorFlow's: convolutions `[height, width, in, out]`, transposed ones
`[height, width, out, in]`.
"""

from functools import cache

import numpy as np
import torch

from aucli_models.registry import create_model
from aucli_models.scc_official import MEAN, recognise, to_ours
from tests.models import golden

NAME = "scc_bp4d_resnet50"


def manifest():
    return golden.manifest(f"{NAME}_manifest")


SEED = manifest()["seed"]


def generator(key):
    return golden.generator(key, SEED)


def formula(key, shape):
    rng = generator(key)
    if key.endswith("moving_variance"):
        value = rng.uniform(0.5, 1.5, shape)
        factors = {"conv1/BatchNorm": 2e-5, "resnet_v1_50/conv1/BatchNorm": 1e4}
        value = factors.get(key.removesuffix("/moving_variance"), 1.0) * value
    elif key.endswith("moving_mean"):
        value = 0.1 * rng.standard_normal(shape) * (0.05 if key.startswith("conv1/") else 1.0)
    elif key.endswith("gamma"):
        value = rng.uniform(0.5, 1.5, shape) * (0.004 if key.startswith("conv1/") else 1.0)
        value = value * (0.2 if key.endswith("bottleneck_v1/conv3/BatchNorm/gamma") else 1.0)
    elif len(shape) == 1:
        value = 0.1 * rng.standard_normal(shape) * (100.0 if key == "out/biases" else 1.0)
    elif key in {"up1/weights", "up2/weights", "up3/weights"}:
        value = rng.standard_normal(shape) * np.sqrt(2.0 / (4 * shape[3]))
        value = value - value.mean(axis=(0, 1, 3), keepdims=True)
    else:
        value = rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[:-1]))
        value = value - value.mean(axis=(0, 1, 2), keepdims=True)
        value = value * (200.0 if key == "out/weights" else 1.0)
    return value.astype(np.float32)


@cache
def variables():
    """Name -> array of the authors' network for BP4D. Takes seconds: 68 million numbers."""
    return {key: formula(key, tuple(shape)) for key, shape, _, _ in manifest()["tensors"]}


@cache
def network():
    """The spec that their names and shapes tell, and its network with their weights, in eval mode."""
    theirs = {name: torch.from_numpy(value) for name, value in variables().items()}
    spec = recognise({name: tuple(value.shape) for name, value in theirs.items()})
    made = create_model(spec)
    state = to_ours(theirs)
    counters = {key: value for key, value in made.state_dict().items() if key not in state}
    assert all(key.endswith("num_batches_tracked") for key in counters)
    made.load_state_dict(state | counters, strict=True)
    return spec, made.eval().requires_grad_(False)


def picture(name):
    """uint8 (256, 256, 3), blue, green, red."""
    rng = generator(name)
    value = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((32, 32, 1))) * 0.5
    value = value + np.kron(rng.integers(0, 128, (64, 64, 3)), np.ones((4, 4, 1)))
    return np.clip(np.floor(value), 0, 255).astype(np.uint8)


def network_input(bgr):
    """float32 (1, 3, 256, 256) of red, green, blue."""
    rgb = torch.from_numpy(bgr[..., ::-1].copy()).permute(2, 0, 1).float()
    return (rgb - torch.tensor(MEAN).view(3, 1, 1)).unsqueeze(0)


def nodes(name, count, values):
    rng = generator(name)
    made = rng.standard_normal((count, 5)) @ rng.standard_normal((5, values))
    return np.maximum(made + 0.3 * rng.standard_normal((count, values)), 0).astype(np.float32)


def heatmaps(name="scc/heatmaps", batch=4, points=10):
    """float32 (batch, 64, 64, points)."""
    rng = generator(name)
    rows, columns = np.mgrid[0:64, 0:64].astype(np.float64)
    made = np.empty((batch, 64, 64, points))
    for i in range(batch):
        for j in range(points):
            cx, cy = rng.uniform(0, 63, 2)
            if j == 0:
                cx, cy = [(0.2, 30.3), (1.3, 1.2), (62.6, 63), (2.4, 61.7)][i % 4]
            height = rng.uniform(0, 5) * 255
            made[i, :, :, j] = height * np.exp(-((columns - cx) ** 2 + (rows - cy) ** 2) / 8.0)
            made[i, :, :, j] += 3.0 * rng.standard_normal((64, 64))
    made[:, :, :, points - 1] -= 40.0
    made[batch - 1, :, :, points - 1] = -5.0 - np.abs(made[batch - 1, :, :, points - 1])
    return made.astype(np.float32)

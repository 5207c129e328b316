"""Formula weights and pictures of the golden files.

The reference values were computed with the official code; its weights are a formula of key, shape and
seed, so that no weights need to be stored. Rules as written in the manifests.
"""

import json
import re
import zlib
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent / "goldens"


def manifest(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def arrays(name):
    return np.load(FOLDER / f"{name}.npz")


def formula(key, shape, rule, seed):
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()) ^ seed))
    if rule == "running_var":
        value = rng.uniform(0.5, 1.5, size=shape)
    elif rule in {"running_mean", "bias"}:
        value = 0.1 * rng.standard_normal(size=shape)
    elif rule == "sc":
        value = rng.standard_normal(size=shape)
        value = value + rng.uniform(-1.0, 2.0, size=(shape[0], 1))
    elif rule.startswith("norm_weight"):
        value = rng.uniform(0.5, 1.5, size=shape) * (0.4 if rule.endswith("0.4") else 1.0)
    else:
        assert re.match(r"weight(_1\.5|_10)?$", rule), rule
        value = rng.standard_normal(size=shape)
        value = value - value.mean(axis=tuple(range(1, len(shape))), keepdims=True)
        value = value * np.sqrt(2.0 / np.prod(shape[1:]))
        value = value * {"weight": 1.0, "weight_1.5": 1.5, "weight_10": 10.0}[rule]
    return np.asarray(value, dtype=np.float32)


def official_state(name):
    """The authors' state dict of a golden file, filled by formula and checked by CRC."""
    info = manifest(name)
    state = {}
    for entry in info["state_dict"]:
        if entry["rule"] == "keep":
            value = np.zeros(entry["shape"], dtype=entry["dtype"])
        else:
            value = formula(entry["key"], tuple(entry["shape"]), entry["rule"], info["weight_seed"])
            assert zlib.crc32(value.tobytes()) == entry["crc32"], entry["key"]
        state[entry["key"]] = torch.from_numpy(value)
    return state


def normalised(images_u8):
    """uint8 (batch, height, width, 3) -> the float32 network input."""
    mean = np.array((0.485, 0.456, 0.406), np.float32)
    std = np.array((0.229, 0.224, 0.225), np.float32)
    pictures = (images_u8.astype(np.float32) / np.float32(255) - mean) / std
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))


def images(seed, count):
    """The made-up pictures 0 to count - 1 of a seed: uint8 (count, 224, 224, 3)."""
    pictures = []
    for index in range(count):
        rng = np.random.Generator(np.random.PCG64(seed + index))
        coarse = rng.integers(0, 256, size=(4, 4, 3))
        up = np.repeat(np.repeat(coarse, 56, axis=0), 56, axis=1)
        noise = rng.integers(-32, 33, size=(224, 224, 3))
        pictures.append(np.clip(up + noise, 0, 255).astype(np.uint8))
    return np.stack(pictures)

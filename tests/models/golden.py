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

from aucli_models.official import from_ours, to_ours
from aucli_models.registry import ModelSpec, create_model

FOLDER = Path(__file__).parent / "goldens"


def manifest(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def arrays(name):
    return np.load(FOLDER / f"{name}.npz")


def generator(key, seed):
    """Of the numbers of a tensor or input by its name; all golden files share this rule."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()) ^ seed))


def rule_of(key, shape, dtype):
    """The rule of an entry of the authors' state dict, as the manifests name it (checked there)."""
    rules = (
        ("keep", "int" in dtype or key.endswith(("attn_mask", "relative_position_index"))),
        ("bias_table", key.endswith("relative_position_bias_table")),
        ("running_var", key.endswith("running_var")),
        ("running_mean", key.endswith("running_mean")),
        ("sc", key.endswith(("sc", "main_sc", "sub_sc"))),
        ("bias", key.endswith("bias")),
        ("norm_weight_0.4", re.search(r"^backbone\.layer\d+\.\d+\.bn[23]\.weight$", key)),
        ("norm_weight", len(shape) == 1),
        ("weight_1.5", key.endswith(("linear_q.weight", "linear_k.weight"))),
        ("weight_10", re.match(r"head\.gnn\.(V1|V2|graph_layers\.\d+\.V)\.weight$", key)),
        ("weight", key.endswith("weight")),
    )
    return next(rule for rule, applies in rules if applies)


def formula(key, shape, rule, seed):
    rng = generator(key, seed)
    if rule == "running_var":
        value = rng.uniform(0.5, 1.5, size=shape)
    elif rule in {"running_mean", "bias"}:
        value = 0.1 * rng.standard_normal(size=shape)
    elif rule == "bias_table":
        value = 0.5 * rng.standard_normal(size=shape)
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


SEED = 20220723


def formula_state(spec):
    """The authors' state dict of any network, filled by formula: what their training code would save."""
    state = from_ours(spec, create_model(spec).state_dict())
    for key, value in state.items():
        rule = rule_of(key, tuple(value.shape), str(value.dtype))
        if rule != "keep":
            state[key] = torch.from_numpy(formula(key, tuple(value.shape), rule, SEED))
    return state


def spec_of(name):
    """The network of a model's golden file."""
    info = manifest(name)
    system = {"ME-GraphAU": "me_graphau", "OpenGraphAU": "open_graphau"}[info["family"]]
    backbone = info["constructor"]["kwargs"]["backbone"].replace("swin_transformer", "swin")
    return ModelSpec(system, backbone, info["dataset"], info["stage"])


def official_state(name):
    """The authors' state dict of a golden file, filled by formula; keys, shapes, types and each tensor's CRC
    are checked against the manifest.
    """
    info = manifest(name)
    assert info["weight_seed"] == SEED
    state = formula_state(spec_of(name))
    entries = {entry["key"]: entry for entry in info["state_dict"]}
    assert state.keys() == entries.keys()
    for key, value in state.items():
        entry = entries[key]
        assert list(value.shape) == entry["shape"], key
        assert str(value.dtype) == f"torch.{entry['dtype']}", key
        assert rule_of(key, tuple(value.shape), entry["dtype"]) == entry["rule"], key
        assert zlib.crc32(value.contiguous().numpy().tobytes()) == entry["crc32"], key
    return state


def loaded(spec, state):
    """The spec's network with the authors' weights, in eval mode without gradients."""
    network = create_model(spec)
    network.load_state_dict(to_ours(spec, state), strict=True)
    return network.eval().requires_grad_(False)


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

"""Formula weights and clips of MDHR's golden files; the rules are those of their README.

The reference values were computed with the authors' code, unedited.
"""

import numpy as np
import torch

from aucli_models.official import from_ours
from aucli_models.registry import ModelSpec, create_model
from tests.models import golden

SEED = 20240404
NAME = "mdhr_bp4d_resnet50"


def formula(key, shape):
    r = golden.generator(key, SEED)
    if key.endswith("running_var"):
        value = r.uniform(0.5, 1.5, shape)
    elif key.endswith("running_mean"):
        value = 0.1 * r.standard_normal(shape)
    elif len(shape) == 1 and key.endswith("weight"):
        value = r.uniform(0.5, 1.5, shape) * (0.2 if key.endswith("bn3.weight") else 1.0)
    elif len(shape) == 1:
        value = 0.1 * r.standard_normal(shape)
    elif key == "node_classifier.sc":
        value = r.uniform(-0.25, 1.0, shape)
    elif key.startswith("TCN.temporal_cnn.") and key.endswith("weight"):
        value = r.uniform(-0.2, 0.6, shape)
    else:
        value = r.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:]))
        value = value - value.mean(axis=tuple(range(1, len(shape))), keepdims=True)
        value = value * (4.0 if key == "MFD.convcat.weight" else 1.0)
    return torch.from_numpy(value.astype(np.float32))


def formula_state(spec):
    """The authors' state dict of any MDHR, filled by formula: what their training code would save."""
    state = from_ours(spec, create_model(spec).state_dict())
    kept = ("num_batches_tracked", "relative_position_index", "attn_mask")
    return {k: v if k.endswith(kept) else formula(k, tuple(v.shape)) for k, v in state.items()}


def official_state():
    """That of the golden file; keys, their order in each module, shapes and types are the manifest's."""
    state = formula_state(ModelSpec("mdhr", "resnet50", "bp4d", 1))
    info = golden.manifest(f"{NAME}_manifest")
    entries = {key: (shape, dtype) for key, shape, dtype, _ in info["tensors"]}
    assert info["seed"] == SEED
    assert len(entries) == info["n_tensors"] == len(state)
    assert {k: (list(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in state.items()} == entries
    return state


def make_clip(name, clips, frames):
    """float32 (clips, frames, 3, 224, 224), normalised: coarse pictures that change along time."""
    r = golden.generator(name, SEED)
    out = np.empty((clips, frames, 3, 224, 224), np.float32)
    for clip in range(clips):
        low = r.standard_normal((3, 7, 7))
        for frame in range(frames):
            if frame:
                low = 0.6 * low + 0.8 * r.standard_normal((3, 7, 7))
            shift = 3.0 * r.standard_normal((3, 1, 1))
            out[clip, frame] = np.kron(low + shift, np.ones((1, 32, 32)))
    return torch.from_numpy(out)

"""A trained network as the two files that `--model` takes: weights in half precision and a card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from aucli.sinks.atomic import write_json
from aucli.zoo.card import Card


def export_model(network: nn.Module, folder: Path, name: str, card: Mapping[str, Any]) -> Card:
    """Write `NAME.safetensors` (float16) and `NAME.json` into the folder; returns the card.

    card: the fields of `Card` but `name`, `weights` and `sha256`.

    Raises:
        CheckpointError: the fields are no card. ValueError: a weight does not fit float16.
    """
    tensors = {}
    for key, value in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue  # matters to training only
        tensors[key] = value.detach().to(torch.float16).contiguous()
        if not bool(tensors[key].isfinite().all()):
            raise ValueError(f"{key} has values that float16 cannot hold")
    content = save(tensors)
    made = Card.from_json(
        {
            **card,
            "name": name,
            "weights": f"{name}.safetensors",
            "sha256": hashlib.sha256(content).hexdigest(),
        },
        name,
    )
    (folder / made.weights).write_bytes(content)
    write_json(folder / f"{name}.json", made.to_json())
    return made

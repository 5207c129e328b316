"""A trained network as the two files that `--model` takes: weights and a card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from aucli.sinks.atomic import atomic_file, write_json
from aucli.zoo.card import Card


def export_model(
    network: nn.Module,
    folder: Path,
    name: str,
    card: Mapping[str, Any],
    *,
    dtype: torch.dtype = torch.float16,
) -> Card:
    """Write `NAME.safetensors`, then `NAME.json` into the folder; returns the card.

    card: the fields of `Card` but `name`, `weights` and `sha256`. dtype: of the weights in the file.

    Raises:
        CheckpointError: the fields are no card. ValueError: a weight does not fit the type.
        OutputError: a file cannot be written.
    """
    tensors = {}
    for key, value in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue  # matters to training only
        tensors[key] = value.detach().to("cpu", dtype).contiguous()
        if not bool(tensors[key].isfinite().all()):
            raise ValueError(f"{key} has values that {str(dtype).removeprefix('torch.')} cannot hold")
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
    with atomic_file(folder / made.weights) as file:
        file.write(content)
    write_json(folder / f"{name}.json", made.to_json())
    return made

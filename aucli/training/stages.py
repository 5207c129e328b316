"""Stage 1 to stage 2: what carries over and what starts anew (ME-GraphAU, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Transfer:
    """Keys of the stage-2 network filled from stage 1, keys left as initialised, stage-1 keys not used."""

    filled: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


def transfer_stage1(stage1: nn.Module, stage2: nn.Module) -> Transfer:
    """Copy everything before the graph, and the head, from a stage-1 network into a stage-2 network.

    Raises:
        ValueError: a shared key differs in shape: another backbone or AU set.
    """
    source, target = stage1.state_dict(), stage2.state_dict()
    graph = ("graph.", "edge_fc.")
    filled = tuple(key for key in target if not key.startswith(graph))
    for key in filled:
        if key not in source or source[key].shape != target[key].shape:
            raise ValueError(
                f"stage 1 does not fit stage 2 at {key}: train both with one backbone and AU set"
            )
        target[key] = source[key]
    stage2.load_state_dict(target, strict=True)
    return Transfer(
        filled,
        tuple(key for key in target if key.startswith(graph)),
        tuple(key for key in source if key.startswith(graph)),
    )

"""From a model of other AUs or of the later stage: what of it a network can begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from aucli.training.stages import Transfer
from aucli_models.au import parse, unsided

_FRONT = ("backbone.", "global_linear.")
_OF_NODES = ("au_features.", "graph.bnv.")  # equal parts, one after the other, for each node
_OF_AUS = ("head.", "intensity_head.")  # a row for each AU
_OF_ALL_NODES = ("graph.U.", "graph.V.")  # of the stage-1 graph, the same for any nodes


@torch.no_grad()
def carry_over(
    source: Mapping[str, Tensor],
    source_aus: Sequence[str],
    target: Mapping[str, Tensor],
    target_aus: Sequence[str],
) -> tuple[dict[str, Tensor], Transfer]:
    """The target's entries with everything of the source that fits, and what that was.

    What is before the AUs is taken whole, what belongs to an AU (a node of the graph, a row of a head) from
    the same AU; a sided AU that the source lacks begins as the AU without a side. The nearest-neighbour
    graph is one for all AUs. Entries without anything in common stay as they are; those that are filled in
    part count as filled.

    Raises:
        ValueError: the networks differ before the AUs, at the entry named.
    """
    nodes = _places(unsided(source_aus), unsided(target_aus))
    rows = _places(source_aus, target_aus)
    result, filled = dict(target), []
    for key, value in target.items():
        old = source.get(key)
        if key.startswith(_FRONT) and (old is None or old.shape != value.shape):
            raise ValueError(key)
        if old is None:
            continue
        if key.startswith((*_FRONT, *_OF_ALL_NODES)) or value.ndim == 0:
            result[key] = old
        elif key.startswith(_OF_NODES) and nodes:
            result[key] = _filled_in(value, old, len(unsided(target_aus)), len(unsided(source_aus)), nodes)
        elif key.startswith(_OF_AUS) and rows:
            result[key] = _filled_in(value, old, len(target_aus), len(source_aus), rows)
        else:
            continue
        filled.append(key)
    return result, Transfer(
        tuple(filled),
        tuple(key for key in target if key not in filled),
        tuple(key for key in source if key not in filled),
    )


def as_stage1_graph(stage2: Mapping[str, Tensor], nodes: int) -> dict[str, Tensor]:
    """The entries of a stage-2 network of ME-GraphAU with its graph as stage 1 has one.

    The way back of `start_graph_from_stage1`: the first gated layer's maps and batch norm, its message's
    division by the number of nodes undone. Stage 1's maps have offsets, stage 2's have none.
    """
    result = {key: value for key, value in stage2.items() if not key.startswith(("graph.", "edge_fc."))}
    first = "graph.layers.0."
    for name, factor in (("U", 1.0), ("V", 1.0 / nodes)):
        weight = stage2[f"{first}{name}.weight"] * factor
        result |= {f"graph.{name}.weight": weight, f"graph.{name}.bias": weight.new_zeros(len(weight))}
    norm = f"{first}bnv."
    return result | {
        f"graph.bnv.{key.removeprefix(norm)}": value for key, value in stage2.items() if key.startswith(norm)
    }


def _places(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """For each place in `new` that has one, the place in `old` it begins with."""
    place = {au: number for number, au in enumerate(old)}
    alike = [au if au in place else f"AU{parse(au)[0]}" for au in new]
    return {number: place[au] for number, au in enumerate(alike) if au in place}


def _filled_in(value: Tensor, old: Tensor, count: int, old_count: int, places: Mapping[int, int]) -> Tensor:
    made = value.clone()
    parts, old_parts = made.view(count, -1), old.reshape(old_count, -1).to(made)
    parts[list(places)] = old_parts[list(places.values())]
    return made

"""The authors' SCC variables: what a TensorFlow checkpoint holds, and its names as our keys and back.

The names are those of the public training code of github.com/EvelynFan/FAU. Their pictures have the colours
in the order blue, green, red, from which the means of red, green and blue are taken, in that order. Here the
first convolution's inputs are turned instead, so that a network takes red, green, blue like every other; the
card's mean has the numbers in the order that belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from aucli_models.au_points import point_names
from aucli_models.registry import ModelSpec

INPUT_SIZE = 256
MEAN = (103.94, 116.78, 123.68)
"""Of red, green, blue, 0 to 255; nothing is divided."""
_SETS = {len(point_names(au_set)): au_set for au_set in ("bp4d_intensity", "disfa_intensity")}
_UNITS = (3, 4, 6, 3)  # of the four blocks of a ResNet-50
_AXES = (3, 2, 0, 1)  # outputs first, height and width last; a transposed convolution has inputs first
_FIRST = "resnet_v1_50/conv1/weights"
# What training adds to the variables: the state of Adam and the learning rate.
_TRAINING = re.compile(r".*/Adam(_1)?|beta[12]_power|Variable(_\d+)?|global_step|.*learning_rate")


def is_scc(names: Iterable[str]) -> bool:
    """Whether variables of these names could be the authors' SCC."""
    return {_FIRST, "out/weights", "conv3/weights", "up3/weights"} <= set(names)


def is_training_state(name: str) -> bool:
    """Whether a variable only matters to going on with training."""
    return _TRAINING.fullmatch(name) is not None


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> ModelSpec:
    """The network whose variables have these names and shapes.

    Raises:
        ValueError: not the authors' SCC, or a number of points that they have for no dataset.
    """
    if not is_scc(shapes):
        shown = ", ".join(list(shapes)[:3])
        raise ValueError(f"not variables of SCC: its {len(shapes)} names begin with {shown}")
    points = shapes["out/weights"][-1] if shapes["out/weights"] else 0
    if points not in _SETS:
        raise ValueError(f"SCC with {points} points: only 10 (BP4D) and 24 (DISFA) are known")
    return ModelSpec("scc", "resnet50", _SETS[points], 1, INPUT_SIZE, intensity=True, node_layout="authors")


def to_ours(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The variables under the keys of `create_model(recognise(shapes))`.

    Names that are not theirs pass unchanged, so that a strict load names them; the state of training is left
    out.
    """
    known = {theirs: (ours, axes) for theirs, ours, axes in _names()}
    state: dict[str, Tensor] = {}
    for name, value in variables.items():
        if name not in known:
            if not is_training_state(name):
                state[name] = value
            continue
        key, axes = known[name]
        ordered = value.flip(2) if name == _FIRST and value.ndim == 4 else value
        state[key] = ordered.permute(axes) if value.ndim == len(axes) else ordered
        if key.endswith("correspondence.edge.weight") and value.ndim == 4:
            state[key] = state[key].flatten(1)
    return state


def from_ours(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `to_ours`, in the authors' order; keys that are not there are left out."""
    variables: dict[str, Tensor] = {}
    for name, key, axes in _names():
        if key not in state:
            continue
        value = state[key]
        if axes:
            value = value[..., None, None] if value.ndim == 2 else value
            value = value.permute(tuple(int(axis) for axis in torch.tensor(axes).argsort()))
        variables[name] = (value.flip(2) if name == _FIRST else value).contiguous()
    return variables


def _names() -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(their name, our key, order of their axes in ours)."""
    yield from _normed("resnet_v1_50/conv1", "backbone.net.conv1", "backbone.net.bn1", _AXES)
    for block, units in enumerate(_UNITS, 1):
        for unit in range(units):
            theirs = f"resnet_v1_50/block{block}/unit_{unit + 1}/bottleneck_v1"
            ours = f"backbone.net.layer{block}.{unit}"
            if unit == 0:
                yield from _normed(
                    f"{theirs}/shortcut", f"{ours}.downsample.0", f"{ours}.downsample.1", _AXES
                )
            for conv in (1, 2, 3):
                yield from _normed(f"{theirs}/conv{conv}", f"{ours}.conv{conv}", f"{ours}.bn{conv}", _AXES)
    for number in (1, 2, 3):
        ours = f"doublings.{number - 1}"
        yield from _normed(f"up{number}", f"{ours}.up.0", f"{ours}.up.1", _AXES)
        related = f"{ours}.correspondence"
        yield from _normed(f"conv{number}", f"{related}.edge", f"{related}.bn", _AXES)
    yield "out/weights", "out.weight", _AXES
    yield "out/biases", "out.bias", ()


def _normed(
    theirs: str, conv: str, norm: str, axes: tuple[int, ...]
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    yield f"{theirs}/weights", f"{conv}.weight", axes
    for name, part in (
        ("gamma", "weight"),
        ("beta", "bias"),
        ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
    ):
        yield f"{theirs}/BatchNorm/{name}", f"{norm}.{part}", ()

"""The authors' weights: what a file holds, and their keys as ours and back.

    state = strip_module(checkpoint["state_dict"])
    spec = recognise(state)
    network = create_model(spec)
    network.load_state_dict(to_ours(spec, state), strict=True)

The keys are those of the public training code of github.com/CVI-SZU/ME-GraphAU and
github.com/lingjivoo/OpenGraphAU; those of MDHR's stand in `official_mdhr`. Three things are more than another
name: their separate AU blocks become one wide block, their main and sided AU vectors one matrix, and the
constant tables that their Swin saves are compared with what they must be and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from aucli_models import official_mdhr
from aucli_models.backbones import BACKBONES
from aucli_models.open_graphau import AU_SET, MAIN_AUS, SIDED_AUS
from aucli_models.registry import ModelSpec

_ME_SETS = {12: "bp4d", 8: "disfa"}
_RESNETS = {(False, 2): "resnet18", (True, 6): "resnet50", (True, 23): "resnet101"}
_SWINS = {(6, 96): "swin_tiny", (18, 96): "swin_small", (18, 128): "swin_base"}
_WINDOW, _FIRST_MAP = 7, 56  # of a Swin on 224 pixels: side of a window and of the first stage's map


def strip_module(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict without the `module.` that torch's DataParallel puts before every key.

    Raises:
        ValueError: a key is there with and without it.
    """
    stripped: dict[str, Tensor] = {}
    for key, value in state.items():
        short = key.removeprefix("module.")
        if short in stripped:
            raise ValueError(f"the weights hold {short} twice, with and without 'module.'")
        stripped[short] = value
    return stripped


def recognise(state: Mapping[str, Tensor]) -> ModelSpec:
    """System, stage, backbone and AU set of the authors' weights, from their keys and shapes alone.

    Keys without `module.`. Only what tells the models apart is looked at: missing keys and wrong shapes
    elsewhere are for a strict load to find.

    Raises:
        ValueError: not weights of these systems (says what they look like), or a backbone or a number of
            AUs that the authors never published.
    """
    if official_mdhr.is_mdhr(state):
        au_set = official_mdhr.au_set_of(_rows(state, "node_classifier.sc"))
        alike = {_replace_start(key, [(official_mdhr.BACKBONE, "backbone.")]): state[key] for key in state}
        return ModelSpec("mdhr", _backbone(alike), au_set, 1)
    main = "head.main_sc" if "head.main_sc" in state else "head.sc"
    if not any(key.startswith("backbone.") for key in state) or main not in state:
        raise ValueError(f"not weights of ME-GraphAU, OpenGraphAU, MDHR or SCC: {_looks_like(state)}")
    stage = 2 if any(key.startswith("head.edge_extractor.") for key in state) else 1
    aus = _rows(state, main)
    if main == "head.sc":
        if aus not in _ME_SETS:
            raise ValueError(f"ME-GraphAU with {aus} AUs: only 12 (BP4D) and 8 (DISFA) are known")
        return ModelSpec("me_graphau", _backbone(state), _ME_SETS[aus], stage)
    sided = _rows(state, "head.sub_sc")
    if (aus, sided) != (len(MAIN_AUS), len(SIDED_AUS)):
        raise ValueError(f"OpenGraphAU with {aus} main and {sided} sided AUs: only 27 and 14 are known")
    return ModelSpec("open_graphau", _backbone(state), AU_SET, stage)


def to_ours(spec: ModelSpec, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' state dict with the keys of `create_model(spec)`.

    Keys that are not theirs pass unchanged, so that a strict load names them.

    Raises:
        ValueError: part of what is joined here is missing or has another shape, a table of a Swin is not that
            of windows of 7 on 224 pixels, or two keys mean the same weights. The key is named.
    """
    ours: dict[str, Tensor] = {}
    joined: set[str] = set()
    for key, parts in _joined(spec).items():
        if not any(name in state for name, _ in parts):
            continue  # a strict load names it
        ours[key] = _join(state, parts)
        joined.update(name for name, _ in parts)
    constants = dict(_swin_tables(spec, state))
    for key, value in state.items():
        if key in joined:
            continue
        if key in constants:
            if not torch.equal(value.to(constants[key].dtype), constants[key]):
                raise ValueError(f"{key} is not that of a Swin with windows of 7 on pictures of 224 pixels")
            continue
        renamed = _replace_start(key, _prefixes(spec))
        if renamed in ours:
            raise ValueError(f"{key} means the same weights as another key of the file")
        ours[renamed] = value
    return ours


def from_ours(spec: ModelSpec, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `to_ours`: a state dict of `create_model(spec)` as the authors' code saves it."""
    theirs: dict[str, Tensor] = {}
    back = [(ours, theirs) for theirs, ours in _prefixes(spec)]
    parts_of = _joined(spec)
    for key, value in state.items():
        if key not in parts_of:
            theirs[_replace_start(key, back)] = value
        elif value.ndim == 0:
            theirs.update((name, value.clone()) for name, _ in parts_of[key])
        else:
            pieces = torch.split(value, [rows for _, rows in parts_of[key]])
            names = [name for name, _ in parts_of[key]]
            theirs.update((name, piece.clone()) for name, piece in zip(names, pieces, strict=True))
    if BACKBONES[spec.backbone].family == "swin":
        keys = [key for key in theirs if key.endswith(".attn.relative_position_bias_table")]
        index = {key.replace("_bias_table", "_index"): theirs[key] for key in keys}
        masks = {key.replace("attn.relative_position_bias_table", "attn_mask"): theirs[key] for key in keys}
        theirs.update(_swin_tables(spec, {**index, **masks}))
    return theirs


def _backbone(state: Mapping[str, Tensor]) -> str:
    if any(key.startswith("backbone.encoder.") for key in state):
        width = _rows(state, "backbone.encoder.norm.weight")
        blocks = _count(state, "backbone.encoder.blocks.")
        if (width, blocks) != (768, 12):
            raise ValueError(f"a ViT with {blocks} blocks of {width} channels: only MAE's ViT-B/16 is known")
        return "mae_vit_base"
    if any(key.startswith("backbone.layers.") for key in state):
        width = _rows(state, "backbone.patch_embed.proj.weight")
        blocks = _count(state, "backbone.layers.2.blocks.")
        if (blocks, width) not in _SWINS:
            raise ValueError(
                f"a Swin with {blocks} blocks in its third stage and {width} channels: "
                "only Swin-T, Swin-S and Swin-B are known"
            )
        return _SWINS[blocks, width]
    bottleneck = "backbone.layer1.0.conv3.weight" in state
    blocks = _count(state, "backbone.layer3.")
    if (bottleneck, blocks) not in _RESNETS:
        kind = "bottleneck" if bottleneck else "basic"
        raise ValueError(
            f"a ResNet with {blocks} {kind} blocks in its third stage: only ResNet-18, -50 and -101 are known"
        )
    return _RESNETS[bottleneck, blocks]


def _rows(state: Mapping[str, Tensor], key: str) -> int:
    if key not in state:
        raise ValueError(f"the weights lack {key}")
    return state[key].shape[0] if state[key].ndim else 0


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """One more than the highest number that follows the prefix."""
    numbers = (re.match(r"\d+", key[len(prefix) :]) for key in state if key.startswith(prefix))
    return max((int(number[0]) + 1 for number in numbers if number), default=0)


# The first key that begins so tells; checked in this order.
_OTHERS = (
    ("module.", "saved by DataParallel, take 'module.' off every key first"),
    ("state_dict", "a whole training checkpoint, its weights lie under 'state_dict'"),
    ("param_groups", "the state of an optimiser"),
    ("au_features.", "a network in aucli's own keys"),
    ("MFD.", "MDHR without its AU vectors 'node_classifier.sc'"),
    ("LRM.", "MDHR without its motion 'MFD'"),
    ("linear_global.", "OpenGraphAU with the keys of mexca or facetorch, take the authors' own file"),
    ("head.main_node_linear_layers.", "OpenGraphAU with other keys, take the authors' own file"),
    ("layer1.", "a ResNet alone, without AU head"),
    ("layers.", "a Swin alone, without AU head"),
    ("blocks.", "a vision transformer alone, without AU head"),
    ("encoder.blocks.", "a masked autoencoder alone, without AU head"),
    ("backbone.", "another head on a backbone, without the AU vectors 'head.sc' or 'head.main_sc'"),
)


def _looks_like(state: Mapping[str, Tensor]) -> str:
    for prefix, what in _OTHERS:
        if any(key.startswith(prefix) for key in state):
            return f"this looks like {what}"
    if not state:
        return "there is nothing in it"
    shown = ", ".join(str(key) for key in list(state)[:3])
    return f"its {len(state)} keys begin with {shown}"


def _prefixes(spec: ModelSpec) -> list[tuple[str, str]]:
    """(beginning of their key, beginning of ours), more special ones first."""
    pairs: list[tuple[str, str]] = []
    family = BACKBONES[spec.backbone].family
    theirs = official_mdhr.BACKBONE if spec.system == "mdhr" else "backbone."
    if family == "swin":
        # timm has the merging of patches at the start of the next stage, not at the end of this one.
        pairs += [
            (f"{theirs}layers.{stage}.downsample.", f"backbone.net.layers.{stage + 1}.downsample.")
            for stage in range(3)
        ]
    pairs.append(("backbone.encoder." if family == "mae_vit" else theirs, "backbone.net."))
    if spec.system == "mdhr":
        return pairs + official_mdhr.prefixes(spec.au_set)
    if spec.stage == 2:
        pairs.append(("head.edge_extractor.", "graph.edge_features."))
        if spec.system == "me_graphau":
            pairs.append(("head.edge_fc.", "edge_fc."))
            pairs += [
                (f"head.gnn.{part}{layer + 1}.", f"graph.layers.{layer}.{part}.")
                for layer in range(2)
                for part in ("U", "V", "A", "B", "E", "bnv", "bne")
            ]
        else:
            pairs.append(("head.gnn.graph_layers.", "graph.layers."))
    else:
        pairs.append(("head.gnn.", "graph."))
    return pairs


def _replace_start(key: str, pairs: list[tuple[str, str]]) -> str:
    for old, new in pairs:
        if key.startswith(old):
            return new + key[len(old) :]
    return key


def _joined(spec: ModelSpec) -> dict[str, list[tuple[str, int]]]:
    """Our keys that are made of several of theirs: theirs in order, with the rows of each (0: a number)."""
    if spec.system == "mdhr":
        return official_mdhr.joined(spec.backbone, spec.au_set)
    channels = BACKBONES[spec.backbone].out_channels
    aus = len(spec.au_names)
    blocks, vectors = "head.class_linears", [("head.sc", aus)]
    if spec.system == "open_graphau":
        aus = len(MAIN_AUS)
        blocks, vectors = "head.main_class_linears", [("head.main_sc", aus), ("head.sub_sc", len(SIDED_AUS))]
    rows = dict.fromkeys(
        ("fc.weight", "fc.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"), channels
    )
    rows["bn.num_batches_tracked"] = 0
    joined = {
        f"au_features.{part}": [(f"{blocks}.{au}.{part}", rows[part]) for au in range(aus)] for part in rows
    }
    return {**joined, "head.sc": vectors}


def _join(state: Mapping[str, Tensor], parts: list[tuple[str, int]]) -> Tensor:
    if missing := [name for name, _ in parts if name not in state]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"the weights lack {missing[0]}{more}")
    first = state[parts[0][0]]
    for name, rows in parts:
        shape = tuple(state[name].shape)
        want = (rows, *first.shape[1:]) if rows else ()
        if shape != want:
            raise ValueError(f"{name} has the shape {shape} instead of {want}")
    return torch.cat([state[name] for name, _ in parts]) if first.ndim else first


def _swin_tables(spec: ModelSpec, keys: Mapping[str, object]) -> Iterator[tuple[str, Tensor]]:
    """The constant tables that Microsoft's Swin code saves among its weights, those of them in `keys`."""
    if BACKBONES[spec.backbone].family != "swin":
        return
    index, masks = _relative_positions(), [_shift_mask(_FIRST_MAP >> stage) for stage in range(3)]
    for key in keys:
        if re.fullmatch(r"[Bb]ackbone\.layers\.\d+\.blocks\.\d+\.attn\.relative_position_index", key):
            yield key, index
        # Every second block shifts its windows, but for the last stage, whose map is a single window.
        elif match := re.fullmatch(r"[Bb]ackbone\.layers\.([012])\.blocks\.\d*[13579]\.attn_mask", key):
            yield key, masks[int(match[1])]


def _relative_positions() -> Tensor:
    """int64 (49, 49): row of the bias table for each pair of positions in a window."""
    row, column = torch.meshgrid(torch.arange(_WINDOW), torch.arange(_WINDOW), indexing="ij")
    rows, columns = (x.flatten().unsqueeze(1) - x.flatten() + _WINDOW - 1 for x in (row, column))
    return rows * (2 * _WINDOW - 1) + columns


def _shift_mask(side: int) -> Tensor:
    """float32 (windows, 49, 49): -100 between positions that only the cyclic shift by 3 made neighbours."""
    place = torch.arange(side)
    # Along one axis: 0 in whole windows, 1 and 2 on both sides of the seam in the last one.
    region = (place >= side - _WINDOW).long() + (place >= side - _WINDOW // 2).long()
    regions = 3 * region.unsqueeze(1) + region
    windows = regions.unfold(0, _WINDOW, _WINDOW).unfold(1, _WINDOW, _WINDOW).flatten(2).flatten(0, 1)
    return torch.where(windows.unsqueeze(1) == windows.unsqueeze(2), 0.0, -100.0)

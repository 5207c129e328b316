"""The keys of the authors' MDHR code beside ours; how they are used: `official`.

Their file has no sign of the dataset but the number of AUs and the names of the region heads. Modules for
each AU become one wide module for each region, and the temporal convolutions of all AUs one.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from aucli_models.au import AU_SETS
from aucli_models.backbones import BACKBONES
from aucli_models.mdhr_regions import REGIONS

BACKBONE = "Backbone."
SCALES = 4
_BLOCK = ("fc.weight", "fc.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")


def is_mdhr(state: Mapping[str, Tensor]) -> bool:
    """Whether the keys, without `module.`, are those of an MDHR."""
    return any(key.startswith("MFD.") for key in state) and "node_classifier.sc" in state


def au_set_of(aus: int) -> str:
    """The AU set of a file with that many AUs.

    Raises:
        ValueError: a number that the authors never had.
    """
    for au_set in REGIONS:
        if len(AU_SETS[au_set]) == aus:
            return au_set
    raise ValueError(f"MDHR with {aus} AUs: only 12 (BP4D) and 8 (DISFA) are known")


def prefixes(au_set: str) -> list[tuple[str, str]]:
    """(beginning of their key, beginning of ours), but for the backbone."""
    pairs = [("MFD.convcat.", "motion.joined.0."), ("MFD.bn.", "motion.joined.1.")]
    for scale in range(SCALES):
        number = scale + 1
        pairs += [
            (f"MFD.conv{number}.", f"motion.changes.{scale}.0."),
            (f"MFD.bn{number}.", f"motion.changes.{scale}.1."),
            (f"MFD.weight_{number}.", f"motion.squeezed.{scale}.0."),
            (f"MFD.wbn{number}.", f"motion.squeezed.{scale}.1."),
        ]
    pairs.append(("MFD.weight.", "motion.weights."))
    for place, region in enumerate(REGIONS[au_set]):
        if region.own_block:
            pairs.append((f"LRM.{region.name}_linear.", f"region_heads.{place}.block."))
        pairs.append((f"LRM.{region.name}_fc.", f"region_heads.{place}.state."))
    pairs += [
        ("CRM.gat.scoring_fn_source", "graph.source"),
        ("CRM.gat.scoring_fn_target", "graph.target"),
        ("CRM.gat.bias", "graph.bias"),
        ("CRM.gat.linear.", "graph.linear."),
        ("TCN.bn.", "temporal.norm."),
        ("node_classifier.", "head."),
    ]
    return pairs


def joined(backbone: str, au_set: str) -> dict[str, list[tuple[str, int]]]:
    """Our keys that are made of several of theirs: theirs in order, with the rows of each (0: a number)."""
    channels, aus = BACKBONES[backbone].out_channels, AU_SETS[au_set]
    found: dict[str, list[tuple[str, int]]] = {}
    for place, region in enumerate(REGIONS[au_set]):
        for part in (*_BLOCK, "bn.num_batches_tracked"):
            found[f"region_heads.{place}.au_features.{part}"] = [
                (f"LRM.class_linears.{aus.index(au)}.{part}", channels if part in _BLOCK else 0)
                for au in region.aus
            ]
    for part in ("weight", "bias"):
        found[f"temporal.conv.{part}"] = [
            (f"TCN.temporal_cnn.{au}.{part}", channels) for au in range(len(aus))
        ]
    return found

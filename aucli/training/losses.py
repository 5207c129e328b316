"""The losses of ME-GraphAU (IJCAI 2022, section 3.3) and MDHR (CVPR 2024), as in the authors' code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from aucli_models.au import unsided
from aucli_models.layers import MAX_INTENSITY

_EPSILON = 1e-8


def au_weights(occurrence_rates: Tensor | NDArray[np.floating]) -> Tensor:
    """Weight of each AU, inverse to its rate in the training set: float64 (aus,).

    They sum to the number of AUs, as in the authors' code (the paper's text: to 1).

    Raises:
        ValueError: an AU that never occurs has no finite weight.
    """
    rates = torch.as_tensor(occurrence_rates, dtype=torch.float64)
    if not bool((rates > 0).all()):
        raise ValueError("an AU never occurs in the training set: leave it out of the AU set")
    inverse = 1.0 / rates
    return inverse / inverse.sum() * len(inverse)


def weighted_asymmetric_loss(
    probabilities: Tensor, labels: Tensor, weights: Tensor | None = None, *, count: int | None = None
) -> Tensor:
    """Equation 6: cross entropy whose negatives are scaled by their own probability.

    probabilities, labels (batch, aus); labels 1, 0, or -1 for "not coded", which never counts;
    weights (aus,). Mean over the labelled entries. The focusing factor carries no gradient: the
    authors detach it, which the paper does not say.

    count: divide the sum by this instead, for a part of a batch that has so many labelled entries in all.

    Raises:
        ValueError: no entry is labelled.
    """
    labelled = labels != -1
    count = labelled_entries(labels) if count is None else count
    positive = labels * probabilities.clamp(min=_EPSILON).log()
    negative = (1 - labels) * probabilities.detach() * (1 - probabilities).clamp(min=_EPSILON).log()
    loss = -(positive + negative)
    if weights is not None:
        loss = loss * weights
    return loss.masked_fill(~labelled, 0.0).sum() / count


def intensity_loss(predicted: Tensor, intensity: Tensor, *, count: int) -> Tensor:
    """Smooth L1 distance of intensities 0 to 5, both (batch, aus), in fifths; one that is NaN never counts.

    The distances are summed and divided by `count`, the known intensities of the whole batch.
    """
    errors = F.smooth_l1_loss(
        predicted / MAX_INTENSITY, intensity.nan_to_num() / MAX_INTENSITY, beta=0.2, reduction="none"
    )
    return errors.masked_fill(~intensity.isfinite(), 0.0).sum() / max(count, 1)


def labelled_entries(labels: Tensor) -> int:
    """How many labels are not -1.

    Raises:
        ValueError: none.
    """
    count = int((labels != -1).sum())
    if count == 0:
        raise ValueError("no AU of this batch is labelled")
    return count


def edge_relations(labels: Tensor) -> Tensor:
    """Class of each AU pair (i, k): 2 y_i + y_k, or -1 where either is not coded.

    labels (batch, aus) 1, 0 or -1 -> int64 (batch, aus * aus).
    """
    labels = labels.long()
    end, start = labels.unsqueeze(2), labels.unsqueeze(1)
    relations = (2 * end + start).masked_fill((end == -1) | (start == -1), -1)
    return relations.flatten(1)


def edge_loss(edge_logits: Tensor, labels: Tensor, *, count: int | None = None) -> Tensor:
    """Cross entropy of the co-occurrence classes (section 3.3); edge_logits (batch, aus * aus, 4).

    count: divide the sum by this instead of the number of pairs with both AUs coded.
    """
    logits, relations = edge_logits.flatten(0, 1), edge_relations(labels).flatten()
    if count is None:
        return F.cross_entropy(logits, relations, ignore_index=-1)
    return F.cross_entropy(logits, relations, ignore_index=-1, reduction="sum") / count


def node_places(au_names: Sequence[str]) -> Tensor:
    """Places of the AUs that are nodes of the graph, whose pairs are its edges: int64 (nodes,)."""
    return torch.tensor([au_names.index(au) for au in unsided(au_names)])


def labelled_pairs(labels: Tensor) -> int:
    """How many ordered AU pairs (i, k), i = k among them, have both AUs coded."""
    coded = (labels != -1).sum(1)
    return int(coded.square().sum())


def joint_states(labels: Tensor) -> Tensor:
    """The class of some AUs taken together: labels (batch, aus) 1, 0 or -1 -> int64 (batch,), the first AU
    the most significant bit, -1 where any is not coded.
    """
    labels = labels.long()
    bits = 2 ** torch.arange(labels.shape[1] - 1, -1, -1, device=labels.device)
    return (labels * bits).sum(1).masked_fill((labels == -1).any(1), -1)


def state_loss(
    logits: Mapping[str, Tensor], labels: Tensor, columns: Mapping[str, Sequence[int]], *, count: int
) -> Tensor:
    """Cross entropy of the joint state of each region's AUs (MDHR, auxiliary branch).

    logits: by region, (batch, states); labels (batch, aus); columns: of the AUs of each region. The sum is
    divided by `count`, the known states of all regions and pictures of the whole batch; with all of them
    known that is the authors' mean over pictures and regions.
    """
    losses = [
        F.cross_entropy(
            logits[region].float(), joint_states(labels[:, list(places)]), ignore_index=-1, reduction="sum"
        )
        for region, places in columns.items()
    ]
    return torch.stack(losses).sum() / max(count, 1)


def known_states(labels: Tensor, columns: Mapping[str, Sequence[int]]) -> int:
    """Of how many pictures and regions all AUs are coded."""
    return sum(int((joint_states(labels[:, list(places)]) >= 0).sum()) for places in columns.values())

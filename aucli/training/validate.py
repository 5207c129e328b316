"""Figures on the validation part after each epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aucli.evaluation.metrics import f1, roc_auc
from aucli.inference.predictor import Predictions
from aucli.sinks.tables.analysis import INTENSITY_THRESHOLD
from aucli.training.batches import Examples
from aucli.training.distributed import Ranks, sum_over_ranks
from aucli.training.losses import weighted_asymmetric_loss
from aucli.training.views import Views
from aucli_models.layers import MAX_INTENSITY
from aucli_models.mdhr_stream import Streams
from aucli_models.output import AUOutput, IntensityOutput
from aucli_models.scc import SCC

THRESHOLD = 0.5
_AT_ONCE = {"cpu": 32, "cuda": 256}


@dataclass(frozen=True)
class Figures:
    """Of one network on one part, by AU. auc: NaN where the part has one class only. mean_f1: over all AUs,
    as the authors' code counts. loss: the network's own, without training heads and edges.
    """

    loss: float
    auc: tuple[float, ...]
    f1: tuple[float, ...]

    @property
    def mean_auc(self) -> float:
        known = [value for value in self.auc if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    @property
    def mean_f1(self) -> float:
        return sum(self.f1) / len(self.f1)


@torch.inference_mode()
def outputs(
    network: nn.Module, examples: Examples, views: Views, *, device: torch.device, ranks: Ranks | None = None
) -> Predictions:
    """What the network says of exact crops, the same on every rank. Of a network without probabilities the
    outputs are a quarter of the intensities, at most 1.
    """
    ranks = ranks or Ranks()
    network.eval()
    scores = torch.zeros((2, *examples.labels.shape), device=device)
    if examples.clips is not None:
        for faces in examples.clips.sequences[ranks.rank :: ranks.count]:
            known = _of_a_sequence(network, examples, faces, views, device)
            scores[0, torch.from_numpy(faces).to(device)] = known
        return Predictions(sum_over_ranks(scores).cpu().numpy()[0])
    mine = np.array_split(np.arange(len(examples)), ranks.count)[ranks.rank]
    for start in range(0, len(mine), _AT_ONCE[device.type]):
        faces = mine[start : start + _AT_ONCE[device.type]]
        packed = torch.from_numpy(np.ascontiguousarray(examples.crops[examples.rows[faces]])).to(device)
        output: AUOutput | IntensityOutput = network(views.exact(packed))
        rows = torch.from_numpy(faces).to(device)
        if isinstance(output, IntensityOutput):
            scores[1, rows] = output.intensities.clamp(0.0, MAX_INTENSITY)
            # So that one half is grade B, from which an AU is present.
            scores[0, rows] = (scores[1, rows] / (2 * INTENSITY_THRESHOLD)).clamp(max=1.0)
            continue
        scores[0, rows] = output.probabilities.float()
        if output.intensity is not None:
            scores[1, rows] = output.intensity.float()
    found = sum_over_ranks(scores).cpu().numpy()
    gives_intensities = isinstance(network, SCC) or getattr(network, "intensity_head", None) is not None
    return Predictions(found[0], found[1] if gives_intensities else None)


def _of_a_sequence(
    network: Any, examples: Examples, faces: NDArray[np.int64], views: Views, device: torch.device
) -> Tensor:
    """Scores of faces that follow each other, as one clip: float32 (faces, aus)."""
    streams: Streams[str] = Streams(network)
    found = []
    for start in range(0, len(faces), _AT_ONCE[device.type]):
        rows = examples.rows[faces[start : start + _AT_ONCE[device.type]]]
        packed = torch.from_numpy(np.ascontiguousarray(examples.crops[rows])).to(device)
        found += [part for _, part in streams.push(views.exact(packed), ["all"] * len(rows))]
    return torch.cat([*found, streams.end("all")]).float()


def labels_with_nan(labels: NDArray[np.int8]) -> NDArray[np.float32]:
    """1, 0, and NaN where not coded: what the metrics take."""
    return np.where(labels == -1, np.nan, labels).astype(np.float32)


def figures(scores: NDArray[np.float32], labels: NDArray[np.int8], au_weights: Tensor) -> Figures:
    """Figures of outputs (faces, aus) against labels (faces, aus) 1, 0 or -1; some must be coded."""
    truth = labels_with_nan(labels)
    loss = weighted_asymmetric_loss(
        torch.from_numpy(scores), torch.from_numpy(labels).float(), au_weights.cpu().float()
    )
    columns = range(labels.shape[1])
    return Figures(
        float(loss),
        tuple(roc_auc(scores[:, i], truth[:, i]) for i in columns),
        tuple(f1(scores[:, i], truth[:, i], THRESHOLD) for i in columns),
    )

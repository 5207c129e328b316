"""A card: a model with everything needed to use it rightly, and to say what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aucli.datatypes import CropConvention
from aucli.errors import CheckpointError
from aucli.plain_json import read_json
from aucli_models.au import AU_SETS

if TYPE_CHECKING:
    from aucli_models.correspondence import NodeLayout  # imports torch, which takes a second

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
INTENSITY_SYSTEMS = ("scc",)
"""Systems whose networks give intensities and no probabilities."""


@dataclass(frozen=True)
class Download:
    """Where a program fetches the authors' file.

    archive: a zip with one checkpoint for each fold. sha256: of that file, where its authors state one.
    """

    url: str
    archive: bool = False
    sha256: str | None = None


@dataclass(frozen=True)
class Card:
    """One model. AUs are named (`AU12`), never counted. Every F1 and accuracy is a fraction, 0 to 1.

    source: where people find the model: a page to open in a browser.
    download: where a program does; None where nothing can be downloaded.
    published: the figures of its authors, as far as known: `mean_f1` and `accuracy`, means over the AUs.
    published_f1: the authors' F1 per AU.
    notes: what a user of its numbers should know, one sentence or two each.
    recorded: what was seen when it was installed: `source_file` and `source_sha256` of the authors' file,
        `archive_sha256` of the zip that it came in.
    thresholds: probability from which an AU counts as present, for each AU. Of a network without
        probabilities: the intensity, or none at all, and then nothing is said of occurrence.
    calibration: slope and intercept for each AU; the probability written is
        sigmoid(slope * network output + intercept) (Platt 1999). For an AU that is not named, the network's
        output itself.
    fitted_on: what both were fitted to: dataset, part, fold, faces, subjects.
    learnt_val: whether it was trained on people of the part `val` of its own dataset; None where not known.
    validation: per AU, figures on the validation subjects (`auc`, `f1`, `base_rate`; of an intensity that was
        measured there `icc`, ICC(3,1), and `mae`, mean absolute error).
    weak_aus: AUs whose validation figures do not support conclusions; marked in every output.
    probabilities: whether its network gives probabilities of occurrence.
    node_layout: which values make a node, of SCC; see `aucli_models.correspondence`.
    intensity: whether its network gives intensities. intensity_aus: AUs whose intensity is worth writing, by
        their ICC on the validation subjects.
    clip_frames: length of the clips that its network was trained on, None for one that reads single pictures.
    frame_rate: frames a second of its training videos, for a network that reads clips.
    weights: file name beside the card; sha256: of that file, None until the model is installed.
    """

    name: str
    system: str
    backbone: str
    au_set: str
    stage: int
    weights: str
    sha256: str | None
    licence: str
    training_data: str
    description: str
    thresholds: Mapping[str, float]
    fold: int | None = None
    crop: CropConvention = field(default_factory=CropConvention)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    calibration: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fitted_on: Mapping[str, Any] = field(default_factory=dict)
    learnt_val: bool | None = None
    validation: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    weak_aus: tuple[str, ...] = ()
    probabilities: bool = True
    node_layout: NodeLayout = "channels"
    intensity: bool = False
    intensity_aus: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()
    source: str | None = None
    download: Download | None = None
    published: Mapping[str, float] = field(default_factory=dict)
    published_f1: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    recorded: Mapping[str, str] = field(default_factory=dict)
    clip_frames: int | None = None
    frame_rate: float | None = None

    def __post_init__(self) -> None:
        if self.au_set not in AU_SETS:
            raise CheckpointError(
                f"card {self.name}: unknown AU set {self.au_set!r}; known are {', '.join(AU_SETS)}"
            )
        if self.fitted_on and not {"dataset", "part", "fold"} <= set(self.fitted_on):
            raise CheckpointError(f"card {self.name}: fitted_on must say dataset, part and fold")
        if self.probabilities == (self.system in INTENSITY_SYSTEMS):
            raise CheckpointError(
                f"card {self.name}: probabilities must be {str(not self.probabilities).lower()}: "
                f"{self.system} gives {'none' if self.probabilities else 'them'}"
            )
        if not self.probabilities and (self.calibration or not self.intensity):
            raise CheckpointError(f"card {self.name}: {self.system} has intensities alone, uncalibrated")
        if not self.thresholds and self.probabilities:
            raise CheckpointError(f"card {self.name}: thresholds are missing")
        if self.thresholds and set(self.thresholds) != set(self.au_names):
            raise CheckpointError(f"card {self.name}: thresholds must name exactly the AUs of {self.au_set}")
        for name, some in (
            ("calibration", self.calibration),
            ("weak_aus", self.weak_aus),
            ("intensity_aus", self.intensity_aus),
            ("published_f1", self.published_f1),
        ):
            unknown = set(some) - set(self.au_names)
            if unknown:
                raise CheckpointError(
                    f"card {self.name}: {name} names {', '.join(sorted(unknown))}, not in its AUs"
                )

        if (self.system == "mdhr") != self.reads_clips:
            raise CheckpointError(
                f"card {self.name}: clip_frames says how long a clip is, for mdhr and no other system"
            )
        if self.intensity_aus and not self.intensity:
            raise CheckpointError(
                f"card {self.name}: names intensity_aus, but its network gives no intensities (intensity)"
            )

    @property
    def au_names(self) -> tuple[str, ...]:
        """In the network's output order."""
        return AU_SETS[self.au_set]

    @property
    def written_aus(self) -> tuple[str, ...]:
        """Those that an extraction has columns of, in the network's output order."""
        return self.au_names if self.probabilities else self.intensity_aus

    @property
    def gives_occurrences(self) -> bool:
        """Whether it says of each AU if it is present."""
        return bool(self.thresholds)

    @property
    def gives_heatmaps(self) -> bool:
        """Whether its network has a map of the picture for each AU."""
        return self.system in INTENSITY_SYSTEMS

    @property
    def gives_edges(self) -> bool:
        """Whether its network has an edge head: how likely the two AUs of each pair occur together."""
        return self.system == "me_graphau" and self.stage == 2

    @property
    def reads_clips(self) -> bool:
        """Whether its network reads consecutive frames of one face instead of single pictures."""
        return self.clip_frames is not None

    @property
    def whole_crops(self) -> bool:
        """Whether crops that others cut are resized whole, as MDHR's authors test. Those of ME-GraphAU and
        OpenGraphAU take the middle 224 of 256 pixels.
        """
        return self.system == "mdhr"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], origin: str) -> Card:
        """A card from its JSON form; `origin` names it in errors.

        Raises:
            CheckpointError: missing or unknown fields, or values that do not fit together.
        """
        try:
            given = dict(values)
            given["crop"] = CropConvention(**given.get("crop", {}))
            if given.get("download") is not None:
                given["download"] = Download(**given["download"])
            for name in ("mean", "std", "weak_aus", "intensity_aus", "citations", "notes"):
                if name in given:
                    given[name] = tuple(given[name])
            given["calibration"] = {au: (p[0], p[1]) for au, p in given.get("calibration", {}).items()}
            return cls(**given)
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            raise CheckpointError(f"{origin}: not a model card ({error})") from error


def read_card(path: Path) -> Card:
    """The card in a JSON file.

    Raises:
        CheckpointError: not JSON, or not a card.
    """
    try:
        values = read_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(
            f"{path}: not a model card (not JSON: {error}); give the card's .json file"
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: not a model card; give the card's .json file")
    return Card.from_json(values, str(path))

"""Clips for a network that reads motion, morphed between rendered stills of one person.

synthfaces has 29,200 stills and two short clips. A morph lets the 68 landmarks move from one still to another
of the same person, warps both stills to them and fades from one to the other. So features move as in an
onset or offset, and the intensity at each moment is the mean of both stills', weighted as they are. What is
not right: light and background fade too, an open mouth is faded in, lids close slowly, every AU of a clip
moves at the same time, and the course is made up. Such clips teach a network what motion of a face looks
like from one frame to the next; they are no recordings.

Points that crops are cut by shake a little from frame to frame, as a detector's do.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import RBFInterpolator

from aucli_models.au import AU_SETS

FRAMES_PER_SECOND = 25.0
FRAMES = 20  # of a clip; an epoch sees 16 of them
ONSET_FRAMES = (5, 12)  # shortest and longest
TURNED = 30.0  # degrees; of heads turned further a half is hidden, and what is hidden cannot be morphed
NEAR = 6  # stills that are nearest in head pose, of which one is taken
SHAKE = 0.015  # standard deviation of a point, in distances between the eyes
GRID_STEP = 4  # pixels; the warp is smooth, between these it is linear
SMOOTHING = 2.0  # lips and lids that meet in one still and are apart in the other must not tear the warp
_POSE = ["yaw", "pitch", "roll"]
_POINTS = [f"p{point}{axis}" for point in range(5) for axis in "xy"]

Floats = NDArray[np.float64]


def write_clips(
    source: Path,
    folder: Path,
    *,
    au_set: str,
    clips_per_person: int,
    people: int | None = None,
    seed: int = 0,
) -> Path:
    """Clips of the people of `train` and `val` as numbered pictures with a `labels.parquet`.

    source: synthfaces' trainval. people: of each part at most, all by default. Returns the table, which
    `aucli train --dataset table` reads. One that is there stays, so that a run can go on.
    """
    labels = folder / "labels.parquet"
    if labels.is_file():
        return labels
    stills = pd.read_parquet(source / "labels.parquet")
    landmarks = np.load(source / "landmarks68.npz")["lm64"].astype(np.float64) / 64
    aus = AU_SETS[au_set]
    rows: list[dict[str, object]] = []
    for split in ("train", "val"):
        subjects = sorted(stills.loc[stills["split"] == split, "subject"].unique())
        for subject in subjects[:people]:
            draws = np.random.default_rng([seed, int(subject)])
            mine = stills[(stills["subject"] == subject) & (stills["yaw"].abs() <= TURNED)]
            for number in range(clips_per_person):
                first, second = pair(mine, aus, draws)
                clip = f"{subject}/{number}"
                (folder / clip).mkdir(parents=True, exist_ok=True)
                about = {"video": clip, "subject": str(subject), "split": split}
                both = [Image.open(source / mine.at[row, "path"]).convert("RGB") for row in (first, second)]
                pictures = np.stack([np.asarray(picture) for picture in both])
                course = course_of(draws)
                ends = mine.loc[[first, second]]
                frames = morph(pictures, landmarks[[first, second]], course)
                for frame, (picture, share) in enumerate(zip(frames, course, strict=True)):
                    path = f"{clip}/{frame:03}.jpg"
                    Image.fromarray(picture).save(folder / path, quality=92)
                    rows.append(
                        about
                        | {"path": path, "frame": frame}
                        | dict(zip(_POINTS, shaken(between(ends[_POINTS], share), draws), strict=True))
                        | labels_of(aus, between(ends[list(aus)], share))
                    )
    temporary = labels.with_suffix(".tmp")
    pd.DataFrame(rows).to_parquet(temporary)
    temporary.rename(labels)
    return labels


def pair(stills: pd.DataFrame, aus: Sequence[str], draws: np.random.Generator) -> tuple[int, int]:
    """Two stills of a person, by their rows: with the same hair and make-up, near in pose, not of the same
    AUs where there is a choice.
    """
    first = draws.choice(stills.index)
    alike = stills[(stills["look"] == stills.at[first, "look"]) & (stills.index != first)]
    apart = np.linalg.norm((alike[_POSE] - stills.loc[first, _POSE]).to_numpy(np.float64), axis=1)
    near = alike.iloc[np.argsort(apart)[:NEAR]]
    occurs = near[list(aus)] >= 2
    other = near[(occurs != (stills.loc[first, list(aus)] >= 2)).any(axis=1)]
    return int(first), int(draws.choice((other if len(other) else near).index))


def course_of(draws: np.random.Generator) -> Floats:
    """Share of the second still in each frame: 0, a smooth rise somewhere, 1; in half of the clips back."""
    onset = int(draws.integers(ONSET_FRAMES[0], ONSET_FRAMES[1] + 1))
    begins = int(draws.integers(-onset // 2, FRAMES - onset // 2))
    rise = np.clip((np.arange(FRAMES) - begins) / onset, 0, 1)
    smooth: Floats = rise * rise * (3 - 2 * rise)
    return smooth if draws.random() < 0.5 else 1 - smooth


def morph(pictures: NDArray[np.uint8], landmarks: Floats, course: Floats) -> Iterator[NDArray[np.uint8]]:
    """Frames uint8 (height, width, 3) between two stills.

    pictures: uint8 (2, height, width, 3); landmarks: (2, 68, 2), in pixels; course: share of the second.
    """
    height, width = pictures.shape[1:3]
    both = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    across, down = np.arange(0, width + 1, GRID_STEP), np.arange(0, height + 1, GRID_STEP)
    grid = np.stack(np.meshgrid(across, down), -1).reshape(-1, 2).astype(np.float64)
    edge = np.array([[x, y] for x in (0, width / 2, width) for y in (0, height / 2, height)])
    edge = edge[(edge != [width / 2, height / 2]).any(axis=1)]
    for share in course:
        shape = (1 - share) * landmarks[0] + share * landmarks[1]
        moves = np.concatenate([landmarks[0] - shape, landmarks[1] - shape], axis=1)
        at = np.concatenate([shape, edge])
        spline = RBFInterpolator(
            at, np.concatenate([moves, np.zeros((len(edge), 4))]), smoothing=SMOOTHING
        )  # thin plates
        coarse = torch.from_numpy(spline(grid)).view(len(down), len(across), 2, 2).permute(2, 3, 0, 1).float()
        fine = F.interpolate(coarse, (height + 1, width + 1), mode="bilinear", align_corners=True)
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        places = torch.stack([x, y]).float() + fine[:, :, :height, :width]
        scale = torch.tensor([width, height]).view(1, 2, 1, 1)
        warped = F.grid_sample(
            both,
            ((places + 0.5) * 2 / scale - 1).permute(0, 2, 3, 1),
            padding_mode="border",
            align_corners=False,
        )
        mixed = (1 - share) * warped[0] + share * warped[1]
        yield mixed.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def between(ends: pd.DataFrame, share: float) -> Floats:
    """The values of two rows, weighted as the stills are."""
    values = ends.to_numpy(np.float64)
    mixed: Floats = (1 - share) * values[0] + share * values[1]
    return mixed


def shaken(points: Floats, draws: np.random.Generator) -> Floats:
    """Five points, ten numbers, as a detector might see them."""
    eyes = np.hypot(*(points[2:4] - points[:2]))
    moved: Floats = points + draws.normal(0, SHAKE * eyes, points.shape)
    return moved


def labels_of(aus: Sequence[str], intensities: Floats) -> dict[str, float]:
    found: dict[str, float] = {}
    for au, intensity in zip(aus, intensities, strict=True):
        found |= {f"{au}_occ": int(intensity >= 2), f"{au}_int": round(float(intensity), 3)}
    return found

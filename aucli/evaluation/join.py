"""An extraction beside labels of the same frames, joined by video and time; nothing is dropped unsaid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aucli.errors import InputNotFoundError, UsageError
from aucli.evaluation.decide import decided_from, protocol_threshold
from aucli.evaluation.frame_labels import FrameLabels
from aucli.evaluation.sample import Sample
from aucli.faces.primary import TrackSummary, choose_primary
from aucli.sinks.frames import MAX_INTENSITY
from aucli.sinks.metadata import read_metadata
from aucli.sinks.schema import column_name
from aucli.zoo.card import Card

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Joined:
    """How labels and rows of an extraction found each other; all counts but `videos_*` are of labels.

    labels: all there are. matched: with a row of the chosen person. no_video: their video is not in the
    extraction. no_frame: no frame of it is near enough. no_face: the frame is there, the person is not.
    rows: of the chosen persons. rows_without_label: of these.
    several_tracks: videos in which one of several persons was chosen.
    """

    labels: int
    matched: int
    no_video: int
    no_frame: int
    no_face: int
    rows: int
    rows_without_label: int
    several_tracks: tuple[str, ...]
    videos_not_extracted: tuple[str, ...]
    videos_not_labelled: tuple[str, ...]

    @property
    def summary(self) -> str:
        return (
            f"{self.matched:,} of {self.labels:,} labels found a row of the extraction. Without one: "
            f"{self.no_video:,} of videos that were not extracted, {self.no_frame:,} of frames that were "
            f"not, {self.no_face:,} of frames without the person. {self.rows_without_label:,} of "
            f"{self.rows:,} rows have no label."
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Extraction:
    """A Parquet file (or a folder of them) that `aucli extract` has written, opened for comparison.

    Raises:
        InputNotFoundError: there is none. UsageError: it was not written by aucli, or by several models.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        if not path.exists():
            raise InputNotFoundError(f"{path}: there is no such extraction; give what extract -o has written")
        self.path = path
        self.files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        cards: dict[str, Card] = {}
        for file in self.files:
            try:
                found = read_metadata(pq.read_schema(file))
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"{file}: not a Parquet file ({error}); give what extract -o has written"
                ) from error
            if found is None or "card" not in found:
                raise UsageError(f"{file}: not written by aucli extract, so its model is not known")
            card = Card.from_json(found["card"], str(file))
            cards[f"{card.name} {card.sha256}"] = card
        if len(cards) != 1:
            many = ", ".join(sorted(cards)) or "no Parquet file"
            raise UsageError(f"{path}: an extraction of one model is wanted, here is {many}")
        self.card = next(iter(cards.values()))

    def read(self, au_names: Iterable[str]) -> pd.DataFrame:
        """Video, subject, frame, time, track, and probability, occurrence and intensity of these AUs."""
        import pandas as pd
        import pyarrow.parquet as pq

        wanted = ["video", "subject", "frame", "time_s", "track"]
        for au in au_names:
            wanted += [f"{column_name(au)}_prob", column_name(au), f"{column_name(au)}_int"]
        tables = []
        for file in self.files:
            columns = [name for name in wanted if name in pq.read_schema(file).names]
            tables.append(pq.read_table(file, columns=columns).to_pandas())
        table: pd.DataFrame = pd.concat(tables, ignore_index=True)
        return table


def join(
    extraction: Extraction, labels: FrameLabels, au_names: tuple[str, ...], *, track: int | None = None
) -> tuple[Sample, Joined]:
    """The labelled faces of an extraction, in the order of the labels, and how many found no partner.

    au_names: those of both that are compared. track: the person to take in every video; else the one
    seen in the most frames. A label with a time takes the frame nearest to it, at most half a frame away,
    the length of a frame being measured in the video; one with a frame number takes that frame.

    Raises:
        UsageError: no label finds a row; or a video is labelled whose name fits several extracted ones.
    """
    ending = "prob" if extraction.card.probabilities else "int"
    table, first_au = extraction.read(au_names), f"{column_name(au_names[0])}_{ending}"
    names = _same_videos(sorted(set(labels.videos)), table["video"].unique())
    label_rows, table_rows = [], []
    counts = {"no_video": 0, "no_frame": 0, "no_face": 0}
    kept, several = 0, []
    rows_of = {str(video): rows for video, rows in table.groupby("video", sort=False).indices.items()}
    by_video: dict[str, list[int]] = defaultdict(list)
    for row, video in enumerate(labels.videos):
        by_video[video].append(row)
    for video, wanted in by_video.items():
        if video not in names:
            counts["no_video"] += len(wanted)
            continue
        here = np.asarray(rows_of[names[video]], np.int64)
        part = table.iloc[here]
        person, of_many = _person(part, track)
        if of_many:
            several.append(video)
        mine = (part["track"] == person).to_numpy(bool, na_value=False) & part[first_au].notna().to_numpy()
        kept += int(mine.sum())
        frame = _frames_of(labels, np.array(wanted), part)
        seen = dict(zip(part["frame"].to_numpy()[mine].tolist(), here[mine].tolist(), strict=True))
        for row, number in zip(wanted, frame.tolist(), strict=True):
            if number < 0:
                counts["no_frame"] += 1
            elif number not in seen:
                counts["no_face"] += 1
            else:
                label_rows.append(row)
                table_rows.append(seen[number])
    used = set(names.values())
    joined = Joined(
        labels=len(labels),
        matched=len(label_rows),
        **counts,
        rows=kept,
        rows_without_label=kept - len(set(table_rows)),
        several_tracks=tuple(several),
        videos_not_extracted=tuple(video for video in by_video if video not in names),
        videos_not_labelled=tuple(video for video in rows_of if video not in used),
    )
    if not label_rows:
        raise UsageError(
            f"{extraction.path}: no label finds a row: {counts['no_video']} labels are of videos not in it, "
            f" {counts['no_frame']} of frames, {counts['no_face']} of faces. It has the videos "
            f"{_some(rows_of)}; labelled are {_some(by_video)}"
        )
    chosen = table.iloc[table_rows]
    return _sample(chosen, extraction.card, labels, np.array(label_rows), au_names), joined


def _same_videos(labelled: Iterable[str], extracted: Iterable[str]) -> dict[str, str]:
    """Labelled video -> extracted one: the same path, else the same without its suffix, else its last parts.

    `F001/T1` is `F001/T1.avi`, and `talk` is `session1/talk.mp4` where no other video ends so.
    """
    endings: dict[str, set[str]] = defaultdict(set)
    exact = {str(video) for video in extracted}
    for video in exact:
        for form in (video, video.removesuffix(Path(video).suffix)):
            parts = form.split("/")
            for start in range(len(parts)):
                endings["/".join(parts[start:])].add(video)
    found = {}
    for video in labelled:
        fits = {video} if video in exact else endings.get(video.strip("/"), set())
        if len(fits) > 1:
            raise UsageError(
                f"the labelled video {video} may be {_some(sorted(fits))}: name it as the extraction does"
            )
        if fits:
            found[video] = fits.pop()
    return found


def _person(part: pd.DataFrame, track: int | None) -> tuple[int, bool]:
    """The track of the person compared (-1: there is none), and whether it was chosen among several."""
    frames = part["track"].dropna().astype(int).value_counts()
    if track is not None:
        return track, False
    # Area and place do not matter to this rule.
    tracks = [TrackSummary(int(str(number)), int(count), 0.0, 0.0) for number, count in frames.items()]
    chosen = choose_primary("longest", tracks)
    return (-1 if chosen is None else chosen), len(tracks) > 1


def _frames_of(labels: FrameLabels, rows: NDArray[np.int64], part: pd.DataFrame) -> NDArray[np.int64]:
    """The extracted frame of each label, -1 where there is none."""
    moments = part[["frame", "time_s"]].drop_duplicates("frame").sort_values("time_s")
    frame, seconds = moments["frame"].to_numpy(np.int64), moments["time_s"].to_numpy(np.float64)
    if labels.frames is not None:
        wanted = labels.frames[rows]
        return np.where(np.isin(wanted, frame), wanted, -1)
    assert labels.seconds is not None
    wanted_seconds = labels.seconds[rows]
    after = np.clip(np.searchsorted(seconds, wanted_seconds), 1, max(len(seconds) - 1, 1))
    after = np.minimum(after, len(seconds) - 1)
    before = np.maximum(after - 1, 0)
    nearer_before = wanted_seconds - seconds[before] <= seconds[after] - wanted_seconds
    nearest = np.where(nearer_before, before, after)
    # Seconds for one frame of the video, also where only every Nth of them was extracted.
    steps = np.diff(seconds) / np.maximum(np.abs(np.diff(frame)), 1)
    tolerance = (float(np.median(steps)) if len(steps) else 1 / 30) / 2
    # Times are written with few decimals: a thousandth of a frame more does no harm.
    near = np.abs(seconds[nearest] - wanted_seconds) <= tolerance * 1.002
    return np.where(near, frame[nearest], -1)


def _sample(
    chosen: pd.DataFrame,
    card: Card,
    labels: FrameLabels,
    rows: NDArray[np.int64],
    au_names: tuple[str, ...],
) -> Sample:
    ending = "prob" if card.probabilities else "int"
    probabilities = np.stack(
        [chosen[f"{column_name(au)}_{ending}"].to_numpy(np.float32) for au in au_names], 1
    )
    if card.probabilities:
        occurrences = np.stack([chosen[column_name(au)].to_numpy(bool) for au in au_names], 1)
    else:
        probabilities = probabilities / np.float32(MAX_INTENSITY)
        occurrences = probabilities >= decided_from(card, au_names)
    subjects = labels.subjects or tuple(labels.videos)
    if labels.subjects is None and "subject" in chosen and chosen["subject"].notna().all():
        of_rows = tuple(map(str, chosen["subject"]))
    else:
        of_rows = tuple(subjects[row] for row in rows)
    places = [labels.au_names.index(au) for au in au_names]
    intensities = np.full(probabilities.shape, np.nan, np.float32)
    for place, au in enumerate(au_names):
        if f"{column_name(au)}_int" in chosen:
            intensities[:, place] = chosen[f"{column_name(au)}_int"]
    return Sample(
        au_names=au_names,
        outputs=_outputs(card, probabilities, au_names),
        probabilities=probabilities,
        occurrences=occurrences,
        thresholds=decided_from(card, au_names),
        labels=np.ascontiguousarray(labels.labels[rows][:, places]),
        subjects=of_rows,
        intensities=intensities if card.intensity_aus else None,
        measured=None if labels.intensity is None else labels.intensity[rows][:, places],
        protocol_threshold=protocol_threshold(card),
    )


def _outputs(
    card: Card, probabilities: NDArray[np.float32], au_names: tuple[str, ...]
) -> NDArray[np.float32]:
    """The network's outputs, from which the calibrated probabilities were made."""
    outputs = probabilities.copy()
    for place, au in enumerate(au_names):
        if au in card.calibration:
            slope, intercept = card.calibration[au]
            p = np.clip(probabilities[:, place].astype(np.float64), 1e-12, 1 - 1e-7)
            outputs[:, place] = np.clip((np.log(p / (1 - p)) - intercept) / slope, 0, 1)
    return outputs


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

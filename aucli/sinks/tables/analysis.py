"""What `events`, `summary` and `report` have in common: which signals, which thresholds, whose neutral."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aucli.errors import UsageError
from aucli.series.baseline import Baseline, change, mean_of, median_of, threshold_above
from aucli.series.course import Person, Signal, TrackCourses
from aucli.series.events import EventSettings
from aucli.sinks.extraction import ExtractedVideo, read_extraction
from aucli.sinks.tables.courses import VideoCourses, read_courses
from aucli_models.au import facs_order, parse

INTENSITY_THRESHOLD = 2.0
"""An AU is present from grade B on, as DISFA's protocol has it (Mavadati et al. 2013)."""


@dataclass(frozen=True)
class Options:
    """What a user may choose.

    aus: names of signals (`AU12`, `AU12_int`), or None for all. thresholds: by name, instead of the model's.
    with_invalid: take faces that are not `valid` too.
    """

    aus: Sequence[str] | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    events: EventSettings = field(default_factory=EventSettings)
    baseline: Baseline | None = None
    with_invalid: bool = False


@dataclass(frozen=True, eq=False)
class Prepared:
    """A track as it is judged.

    courses: as in the extraction. judged: float32 (signals, frames), the same values, or with a baseline the
    changes against the person's neutral. neutral: float64 (signals,), NaN where there is none. thresholds:
    float64 (signals,), those of `judged`.
    """

    courses: TrackCourses
    judged: NDArray[np.float32]
    neutral: NDArray[np.float64]
    thresholds: NDArray[np.float64]


class Analysis:
    """An extraction to be summed up with certain options.

    Raises:
        InputNotFoundError, UsageError: no such extraction; an AU that it has not; a threshold out of range; a
            baseline that gives nobody a neutral. MediaError: its rows cannot be read.
    """

    def __init__(self, path: Path, options: Options | None = None) -> None:
        self.path = path
        self.options = options or Options()
        self.videos = read_extraction(path)
        self.card = self._one_card()
        self.signals = _chosen(_signals_of(self.card), self.options.aus, path)
        self.thresholds = self._thresholds()
        self.notes: list[str] = []
        self.neutrals = {} if self.options.baseline is None else self._neutrals(self.options.baseline)

    def __iter__(self) -> Iterator[tuple[VideoCourses, list[Prepared]]]:
        """Video by video; memory does not grow with their number."""
        for video in self.videos:
            courses = self._read(video)
            yield courses, [self._prepared(track) for track in courses.tracks]

    def settings(self) -> dict[str, Any]:
        """Everything that decides the figures, as JSON: written beside them."""
        return {
            "extraction": str(self.path),
            "model": {
                name: self.card.get(name)
                for name in ("name", "sha256", "licence", "training_data", "weak_aus", "citations")
            },
            "thresholds": {signal.name: float(self.thresholds[i]) for i, signal in enumerate(self.signals)},
            "events": self.options.events.to_json(),
            "baseline": self.options.baseline and self.options.baseline.to_json(),
            "only_valid_faces": not self.options.with_invalid,
            "notes": list(self.notes),
        }

    def _one_card(self) -> Mapping[str, Any]:
        cards = {(video.card.get("name"), video.card.get("sha256")): video.card for video in self.videos}
        if len(cards) > 1:
            names = " and ".join(sorted(str(name) for name, _ in cards)[:2])
            raise UsageError(
                f"{self.path}: holds extractions by different models ({names}): "
                "their thresholds differ, so give one of its Parquet files at a time"
            )
        return self.videos[0].card

    def _thresholds(self) -> NDArray[np.float64]:
        own = {
            signal: self.card["thresholds"][signal.au]
            if signal.measure == "probability"
            else intensity_threshold(self.card, signal.au)
            for signal in self.signals
        }
        named = {}
        for name, value in self.options.thresholds.items():
            signal = _chosen(self.signals, [name], self.path)[0]
            if not 0 < value <= signal.top:
                raise UsageError(f"--threshold {name}={value:g}: must be above 0, up to {signal.top:g}")
            named[signal] = value
        return np.array([named.get(signal, own[signal]) for signal in self.signals], np.float64)

    def _read(self, video: ExtractedVideo) -> VideoCourses:
        return read_courses(video, self.signals, with_invalid=self.options.with_invalid)

    def _prepared(self, track: TrackCourses) -> Prepared:
        if self.options.baseline is None:
            return Prepared(track, track.values, np.full(len(self.signals), np.nan), self.thresholds)
        judged, neutral = change(track, self.neutrals)
        above = [
            threshold_above(threshold, level, signal)
            for threshold, level, signal in zip(self.thresholds, neutral, self.signals, strict=True)
        ]
        return Prepared(track, judged, neutral, np.array(above, np.float64))

    def _neutrals(self, baseline: Baseline) -> dict[Person, NDArray[np.float64]]:
        if baseline.file is not None:
            return self._neutrals_of_file(baseline.file)
        found: dict[Person, NDArray[np.float64]] = {}
        for videos in _by_person(self.videos):
            tracks: dict[Person, list[TrackCourses]] = {}
            for video in videos:
                for track in self._read(video).tracks:
                    tracks.setdefault(track.person, []).append(track)
            for person, of_person in tracks.items():
                found[person] = (
                    median_of(of_person)
                    if baseline.kind == "median"
                    else mean_of(of_person, baseline.start_seconds, baseline.end_seconds)
                )
        without = [person for person, neutral in found.items() if np.isnan(neutral).all()]
        where = "anywhere"
        if baseline.kind == "stretch":
            where = f"from {baseline.start_seconds:g} to {baseline.end_seconds:g} seconds"
        if found and len(without) == len(found):
            raise UsageError(f"--baseline: nobody has a valid face {where} in {self.path}")
        self._note_without(without, f"no valid face {where}")
        return found

    def _neutrals_of_file(self, file: Path) -> dict[Person, NDArray[np.float64]]:
        """By subject; or of the only person there, where there is only one here too."""
        other = Analysis(
            file,
            Options(
                aus=[signal.name for signal in self.signals],
                baseline=Baseline("median"),
                with_invalid=self.options.with_invalid,
            ),
        )
        if other.card.get("sha256") != self.card.get("sha256"):
            raise UsageError(
                f"--baseline {file}: was extracted by {other.card.get('name')}, {self.path} by "
                f"{self.card.get('name')}: extract it with the same model"
            )
        here = [track.person for video in self.videos for track in self._read(video).tracks]
        here = list(dict.fromkeys(here))
        there = other.neutrals
        if len(here) == len(there) == 1:
            return {here[0]: next(iter(there.values()))}
        known: dict[Person, NDArray[np.float64]] = {
            person: there[person] for person in here if person in there and isinstance(person, str)
        }
        if not known:
            raise UsageError(
                f"--baseline {file}: has nobody of {self.path}; people are matched by the column subject: "
                "extract both from a list.csv that names them"
            )
        self._note_without([person for person in here if person not in known], f"not in {file}")
        return known

    def _note_without(self, people: Sequence[Person], why: str) -> None:
        if people:
            shown = ", ".join(_shown(person) for person in people[:5]) + (", ..." if len(people) > 5 else "")
            self.notes.append(f"Without a neutral, and so in no figure of changes ({why}): {shown}.")


def _signals_of(card: Mapping[str, Any]) -> tuple[Signal, ...]:
    """All that an extraction by this model has: probabilities, then intensities, in FACS order."""
    with_probability = card["thresholds"] if card.get("probabilities", True) else ()
    return tuple(Signal(au) for au in sorted(with_probability, key=facs_order)) + tuple(
        Signal(au, "intensity") for au in sorted(card.get("intensity_aus") or (), key=facs_order)
    )


def intensity_threshold(card: Mapping[str, Any], au: str) -> float:
    """From which intensity on an AU is present: the card's, of a model without probabilities."""
    own = {} if card.get("probabilities", True) else card["thresholds"]
    return float(own.get(au, INTENSITY_THRESHOLD))


def _chosen(signals: Sequence[Signal], names: Sequence[str] | None, path: Path) -> tuple[Signal, ...]:
    """The signals with these names (`AU12`, `AU06`, `AU12_int`), in their own order."""
    if names is None:
        return tuple(signals)
    if not names:
        raise UsageError("--au: name at least one AU, for instance AU12,AU6")
    by_name = {signal.name: signal for signal in signals}
    wanted = []
    for name in names:
        stem, _, kind = name.strip().partition("_")
        try:
            number, side = parse(stem)
            wanted.append(by_name[f"AU{number}{side}" + (f"_{kind}" if kind else "")])
        except (ValueError, KeyError):
            raise UsageError(f"{name}: is not in {path}; it has {', '.join(by_name)}") from None
    return tuple(signal for signal in signals if signal in wanted)


def _by_person(videos: Sequence[ExtractedVideo]) -> Iterator[list[ExtractedVideo]]:
    """Videos that must be read together: those of a subject; each other one by itself."""
    of_subject: dict[str, list[ExtractedVideo]] = {}
    for video in videos:
        if video.subject is None:
            yield [video]
        else:
            of_subject.setdefault(video.subject, []).append(video)
    yield from of_subject.values()


def _shown(person: Person) -> str:
    return person if isinstance(person, str) else f"{person[0]} track {person[1]}"

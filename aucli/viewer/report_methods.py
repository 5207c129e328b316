"""The methods paragraph and the citations, made from the metadata alone: what it does not say is not said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aucli.sinks.tables.analysis import Analysis
from aucli.viewer.report_facts import RunFacts
from aucli_models.au import facs_order

_CITATION = re.compile(
    r"(?P<authors>.+?)(?P<others> et al\.?)?, (?P<title>.+), (?P<venue>[^,]+?) (?P<year>(?:19|20)\d\d)"
)
_SPECIAL = re.compile(r"([&%$#_{}])")


def methods_paragraph(
    facts: RunFacts, analysis: Analysis, *, frames: int, seconds: float, face_seconds: float, tracks: int
) -> str:
    """Plain text for a paper's methods section.

    frames, seconds: analysed. face_seconds: with a face. tracks: people followed through a video.
    """
    sentences = [
        *_model(facts),
        *_faces(facts.metadata),
        _material(facts, frames, seconds, face_seconds, tracks),
        *_decisions(facts, analysis),
        *_cautions(facts),
    ]
    return " ".join(sentences)


def _model(facts: RunFacts) -> list[str]:
    card = facts.card
    sha256 = f"; SHA-256 of the weights {card['sha256']}" if card.get("sha256") else ""
    fold = "" if card.get("fold") is None else f", fold {card['fold']}"
    found = [
        f"Facial action units (AUs) were estimated with aucli {facts.metadata['version']} and its model "
        f"{card['name']} (system {card['system']}, backbone {card['backbone']}{fold}{sha256}; licence: "
        f"{_clause(card['licence'])})."
    ]
    if card.get("clip_frames"):
        official = (facts.metadata.get("config") or {}).get("clips") == "official"
        frames = f"{card['clip_frames']} consecutive frames"
        clip = f"{frames} of a face" if official else "an unbroken run of a face"
        rate = f" (trained on {card['frame_rate']:g} frames a second)" if card.get("frame_rate") else ""
        found.append(f"It reads motion{rate}; {clip} was one clip.")
    if card.get("training_data"):
        found.append(f"Its training data: {_sentence(card['training_data'])}")
    return found


def _faces(metadata: Mapping[str, Any]) -> list[str]:
    detector, crop = metadata.get("detector") or {}, metadata.get("crop") or {}
    found = []
    if detector.get("name"):
        smallest = detector.get("min_face")
        size = "" if smallest is None else f" (shorter side at least {smallest} pixels)"
        where = {1: " in every frame", None: "", "auto": ""}.get(
            detector.get("detect_every"), f" in every {_ordinal(detector.get('detect_every'))} frame"
        )
        found.append(
            f"Faces{size} were detected with {detector['name']}{where} and followed through each video."
        )
    if crop.get("size"):
        found.append(f"They were aligned by five points to crops of {crop['size']} x {crop['size']} pixels.")
    return found


def _material(facts: RunFacts, frames: int, seconds: float, face_seconds: float, tracks: int) -> str:
    selection = (facts.metadata.get("config") or {}).get("selection") or {}
    every, fps = selection.get("every") or 1, selection.get("fps")
    which = f"at most {fps:g} frames a second" if fps else "every frame"
    if not fps and every > 1:
        which = f"every {_ordinal(every)} frame"
    ends = [
        f"{word} {selection[name]:g} s"
        for word, name in (("from", "start_seconds"), ("up to", "end_seconds"))
        if selection.get(name) is not None
    ]
    used = sum(video.status in ("ok", "partial", "no_face") for video in facts.videos)
    without = 0.0 if not seconds else 1 - face_seconds / seconds
    return (
        f"We analysed {which}{' ' if ends else ''}{' '.join(ends)} of {_count(used, 'video')} "
        f"({frames:,} frames, {seconds / 60:.1f} minutes) and followed {_count(tracks, 'face')}; "
        f"no face was found in {100 * without:.1f} % of the time."
    )


def _decisions(facts: RunFacts, analysis: Analysis) -> list[str]:
    found = []
    if not analysis.options.with_invalid and facts.metadata.get("valid_rule"):
        found.append(f"Values count where the face is valid ({_clause(facts.metadata['valid_rule'])}).")
    calibrated = "calibrated " if facts.card.get("calibration") else ""
    for measure, what in (("probability", f"{calibrated}probability"), ("intensity", "intensity (0 to 5)")):
        values = [
            f"{signal.au} {threshold:.2f}"
            for signal, threshold in zip(analysis.signals, analysis.thresholds, strict=True)
            if signal.measure == measure
        ]
        if values:
            found.append(f"An AU counted as present from this {what} on: {', '.join(values)}.")
    events = analysis.options.events
    found.append(
        f"An event begins at {events.enter:g} times the threshold and ends below {events.leave:g} times; "
        f"pauses up to {events.max_gap_seconds:g} s are bridged and events shorter than "
        f"{events.min_duration_seconds:g} s dropped. All shares and means are weighted by the time that each "
        "frame is shown."
    )
    baseline = analysis.options.baseline
    if baseline is not None:
        what = {
            "median": "median over the video or subject",
            "stretch": f"mean from {baseline.start_seconds:g} to {baseline.end_seconds:g} s",
            "file": "median in a separate recording",
        }[baseline.kind]
        found.append(
            f"Values were taken as changes against each person's neutral ({what}); thresholds apply as a "
            "share of what is left above the neutral."
        )
    return found


def _cautions(facts: RunFacts) -> list[str]:
    found = []
    weak = sorted(facts.card.get("weak_aus") or (), key=facs_order)
    if weak:
        found.append(
            f"By its own validation the model's figures for {', '.join(weak)} support no conclusions."
        )
    if facts.synthetic:
        found.append("The model was trained on synthetic faces.")
    if facts.research_only:
        found.append("The weights or their training data are for non-commercial research only.")
    return found


def citations_of(facts: RunFacts) -> list[str]:
    """What to cite: the program, then what the model's card names."""
    return [
        f"aucli: facial action units from video, version {facts.metadata['version']}",
        *dict.fromkeys(map(str, facts.metadata.get("citations") or ())),
    ]


def bibtex_of(facts: RunFacts) -> str:
    """The same as BibTeX. A citation in an unknown form becomes a note, whole; nothing is added to any."""
    entries = [
        _entry(
            "aucli",
            {
                "title": "{aucli}: facial action units from video",
                "note": f"Version {_escaped(str(facts.metadata['version']))}",
            },
        )
    ]
    used = {"aucli"}
    for citation in citations_of(facts)[1:]:
        match = _CITATION.fullmatch(citation.strip())
        if match is None:
            key, fields = "model", {"note": _escaped(citation)}
        else:
            key = re.sub(r"\W", "", match["authors"].split(" ")[-1 if not match["others"] else 0]).lower()
            key += match["year"]
            fields = {
                "author": _escaped(match["authors"]) + (" and others" if match["others"] else ""),
                "title": f"{{{_escaped(match['title'])}}}",
                "howpublished": _escaped(match["venue"]),
                "year": match["year"],
            }
        number, unique = 1, key
        while unique in used:
            number, unique = number + 1, f"{key}{chr(ord('a') + number)}"
        used.add(unique)
        entries.append(_entry(unique, fields))
    return "\n\n".join(entries)


def _entry(key: str, fields: Mapping[str, str]) -> str:
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@misc{{{key},\n{lines}}}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.replace("\\", r"\textbackslash "))


def _sentence(text: str) -> str:
    return text if text.rstrip().endswith(".") else f"{text.rstrip()}."


def _clause(text: str) -> str:
    return str(text).strip().rstrip(".")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _ordinal(number: Any) -> str:
    text = str(number)
    if text[-2:] in ("11", "12", "13"):
        return f"{text}th"
    return text + {"1": "st", "2": "nd", "3": "rd"}.get(text[-1:], "th")

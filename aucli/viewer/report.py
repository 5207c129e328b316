"""`aucli report`: one page about a run that needs nothing beside it and loads nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from aucli import __version__
from aucli.errors import UsageError
from aucli.series.events import find_events
from aucli.series.summary import Cooccurrence
from aucli.sinks.atomic import atomic_file
from aucli.sinks.tables.analysis import Analysis
from aucli.sinks.tables.file import check_writable
from aucli.sinks.tables.summary import TrackSummary, pairs_of, summaries
from aucli.viewer import report_drawing as drawing
from aucli.viewer.report_facts import RunFacts, read_facts
from aucli.viewer.report_methods import bibtex_of, citations_of, methods_paragraph
from aucli.viewer.report_warnings import warnings_of
from aucli_models.au import AU_SETS, repeated_sides, title

TRACKS_DRAWN = 60
_AUS_DRAWN = 12
_AUS_IN_MATRIX = 16
_VIDEOS_LISTED = 2_000
_LEAST_SHARE = 0.005  # an AU that is on for less of the time is in no matrix


@dataclass(frozen=True)
class _Counted:
    """Of one video, from its rows."""

    frames: int
    tracks: int
    seconds: float = 0.0
    face_seconds: float = 0.0


@dataclass
class _Sums:
    """What grows while the videos are read."""

    frames: int = 0
    seconds: float = 0.0
    face_seconds: float = 0.0
    track_seconds: float = 0.0
    valid_seconds: float = 0.0
    tracks: int = 0
    together: Cooccurrence | None = None


def check_place(page: Path, extraction: Path) -> None:
    """Whether the page can be written there.

    Raises:
        UsageError: not a name in .html, no such folder, no permission, or the extraction itself.
    """
    if page.suffix not in (".html", ".htm"):
        raise UsageError(f"-o {page}: the report is a web page; give -o {page.stem or 'report'}.html")
    check_writable(page, extraction)


def write_report(analysis: Analysis, page: Path) -> Path:
    """Write the page about an extraction, whole or not at all.

    Raises:
        UsageError: see `check_place`. MediaError: rows cannot be read. OutputError: it cannot be written.
    """
    check_place(page, analysis.path)
    text = report_page(analysis)
    with atomic_file(page) as file:
        file.write(text.encode(errors="backslashreplace"))  # of the command line: names that are not UTF-8
    return page


def report_page(analysis: Analysis) -> str:
    """The page as HTML.

    Raises:
        MediaError: rows cannot be read.
    """
    facts = read_facts(analysis.path, analysis.videos)
    sums = _Sums()
    people: list[str] = []
    own: dict[str, _Counted] = {}
    for video, tracks in summaries(analysis):
        sums.frames += video.frames
        sums.seconds += video.seconds
        sums.face_seconds += video.face_seconds
        sums.tracks += len(tracks)
        own[video.video] = _Counted(video.frames, len(tracks), video.seconds, video.face_seconds)
        for one in tracks:
            shown = one.prepared.courses.ends_seconds - one.prepared.courses.times_seconds
            sums.track_seconds += float(shown.sum())
            sums.valid_seconds += float(shown[one.prepared.courses.valid].sum())
            sums.together = one.together if sums.together is None else sums.together + one.together
            if len(people) < TRACKS_DRAWN:
                people.append(_person(one, analysis, facts))
    counted = {"seconds": sums.seconds, "face_seconds": sums.face_seconds}
    methods = methods_paragraph(facts, analysis, frames=sums.frames, tracks=sums.tracks, **counted)
    warnings = warnings_of(
        facts, analysis, track_seconds=sums.track_seconds, valid_seconds=sums.valid_seconds, **counted
    )
    name = analysis.path.name or str(analysis.path.resolve())
    template = files("aucli.viewer").joinpath("report.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        version=__version__,
        title=escape(f"aucli: {name}"),
        heading=escape(name),
        subtitle=_subtitle(facts),
        tiles=_tiles(facts, sums),
        warnings=_warnings(warnings),
        videos=_videos(facts, own),
        people=_people(people, sums, analysis),
        together=_together(sums.together, analysis, facts),
        methods=_methods(methods, facts),
        run=_run(facts, analysis),
        footer=f"Written by aucli {__version__}. The page holds everything it shows and loads nothing.",
    )


def _subtitle(facts: RunFacts) -> str:
    when = "" if facts.finished is None else f", finished {escape(facts.finished[:16].replace('T', ' '))}"
    licence = escape(str(facts.card["licence"]))
    return f"Action units by {escape(str(facts.card['name']))} (licence: {licence}){when}"


def _tiles(facts: RunFacts, sums: _Sums) -> str:
    good = sum(video.status in ("ok", "no_face") for video in facts.videos)
    videos = f"{good} of {len(facts.videos)}" if good < len(facts.videos) else str(good)
    minutes = drawing.clock(sums.seconds, 1)
    share = "" if not sums.seconds else f"{100 * sums.face_seconds / sums.seconds:.1f} %"
    tiles = {
        "inputs read whole": videos,
        "frames": f"{sums.frames:,}",
        "of video": minutes,
        "of the time with a face": share,
        "tracks (people in a video)": f"{sums.tracks:,}",
    }
    return "".join(f"<div><b>{value}</b><span>{name}</span></div>" for name, value in tiles.items() if value)


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return f'<div class="warnings"><b>Before you believe the figures</b><ul>{items}</ul></div>'


def _videos(facts: RunFacts, counted: Mapping[str, _Counted]) -> str:
    with_subject = any(video.subject for video in facts.videos)
    headings = ["video", *(["subject"] if with_subject else []), "status", "frames", "with a face", "tracks"]
    listed = sorted(facts.videos, key=lambda video: video.status in ("ok", "no_face"))[:_VIDEOS_LISTED]
    kept = set(map(id, listed))
    lines = []
    for video in (video for video in facts.videos if id(video) in kept):
        remarks = [text for text in (video.reason, *video.notes) if text]
        below = "".join(f"<br><small>{escape(text)}</small>" for text in remarks)
        own = counted.get(video.video, _Counted(video.frames or 0, video.tracks or 0))
        share = f"{100 * own.face_seconds / own.seconds:.1f} %" if own.seconds else ""
        cells = [
            f'<td class="left name">{escape(video.video)}{below}</td>',
            *([f'<td class="left">{escape(video.subject or "")}</td>'] if with_subject else []),
            f'<td class="left"><span class="{escape(video.status)}">{escape(video.status)}</span></td>',
            f"<td>{own.frames:,}</td>",
            f"<td>{share}</td>",
            f"<td>{own.tracks:,}</td>",
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    words = "".join(
        f"<th{' class=left' if heading in ('video', 'subject', 'status') else ''}>{heading}</th>"
        for heading in headings
    )
    left_out = len(facts.videos) - len(listed)
    more = f"<p>{left_out:,} more are in the report of the run.</p>" if left_out else ""
    return f'<div class="wide"><table><tr>{words}</tr>{"".join(lines)}</table></div>{more}'


def _person(one: TrackSummary, analysis: Analysis, facts: RunFacts) -> str:
    """One track: its most frequent AUs with their time lines, the names of the others."""
    track, figures = one.prepared.courses, one.figures
    weak = set(facts.card.get("weak_aus") or ())
    share = np.nan_to_num(figures.active_share)
    some = [i for i in range(len(analysis.signals)) if share[i] > 0 or one.events[i]]
    sides = repeated_sides([signal.au for signal in analysis.signals])
    order = sorted(
        some, key=lambda i: (analysis.signals[i].au in sides, -share[i], -np.nan_to_num(figures.mean[i]))
    )[:_AUS_DRAWN]
    span = (float(track.times_seconds[0]), float(track.ends_seconds[-1]))
    lines = []
    for i in sorted(order):
        signal, values = analysis.signals[i], one.prepared.judged[i]
        threshold = float(one.prepared.thresholds[i])
        events = (
            []
            if np.isnan(threshold)
            else find_events(
                track.times_seconds,
                values,
                threshold,
                settings=analysis.options.events,
                ends_seconds=track.ends_seconds,
            )
        )
        line = drawing.time_line(
            track.times_seconds,
            track.ends_seconds,
            values,
            events,
            span_seconds=span,
            top=signal.top,
            threshold=threshold,
            max_gap_seconds=analysis.options.events.max_gap_seconds,
        )
        star = "*" if signal.au in weak else ""
        lines.append(
            f'<tr><td class="au" title="{title(signal.au)}"><b>{signal.name}{star}</b> '
            f"<small>{title(signal.au)}</small></td>"
            f"<td>{line}</td><td>{_percent(figures.active_share[i])}</td><td>{one.events[i]}</td>"
            f'<td class="wide-only">{_figure(one.events_per_minute[i], 1)}</td>'
            f'<td class="wide-only">{_figure(figures.mean[i], 2)}</td>'
            f'<td class="wide-only">{_figure(figures.highest[i], 2)}</td></tr>'
        )
    subject = "" if track.subject is None else f", subject {escape(track.subject)}"
    seconds = float((track.ends_seconds - track.times_seconds).sum())
    known = float(np.max(figures.known_seconds, initial=0.0))
    heading = (
        f"<h3>{escape(track.video)}, track {track.track}{subject}</h3><p class=faint>Seen for "
        f"{drawing.clock(seconds, 1)}, with values for {drawing.clock(known, 1)}. "
        f"{_others(some, order, analysis)}</p>"
    )
    if not lines:
        return heading
    axis = "".join(f"<span>{tick}</span>" for tick in drawing.ticks(*span))
    return (
        f'{heading}<table class="lines"><tr><th class="au">AU</th><th></th><th class="n">on</th>'
        '<th class="n">events</th><th class="n wide-only">per min</th><th class="n wide-only">mean</th>'
        f'<th class="n wide-only">max</th></tr>{"".join(lines)}'
        f'<tr class="last"><td></td><td><div class="axis">{axis}</div></td></tr></table>'
    )


def _others(some: Sequence[int], drawn: Sequence[int], analysis: Analysis) -> str:
    never = len(analysis.signals) - len(some)
    found = []
    if len(some) > len(drawn):
        found.append(f"On for less of the time, not drawn: {len(some) - len(drawn)} AUs.")
    if never:
        found.append(f"Never on: {never} of {len(analysis.signals)} AUs.")
    return " ".join(found)


def _people(people: Sequence[str], sums: _Sums, analysis: Analysis) -> str:
    if not sums.tracks:
        return "<p>No face was found in any video.</p>"
    more = ""
    if sums.tracks > len(people):
        more = (
            f"<p>The first {len(people)} of {sums.tracks:,} tracks are drawn. "
            "All figures: <code>aucli summary</code>.</p>"
        )
    what = "the value"
    if analysis.options.baseline is not None:
        what = "the change against the person's neutral"
    legend = (
        f"<p>Line: {what}, from 0 to the highest there is; broken where nothing is known. Dashed: the "
        "threshold. Shaded: events. On: share of the time at or above the threshold. Mean and max: of the "
        "value as extracted.</p>"
    )
    return f"{legend}{more}{''.join(people)}"


def _together(together: Cooccurrence | None, analysis: Analysis, facts: RunFacts) -> str:
    places = pairs_of(analysis.signals)
    share = np.zeros((0, 0)) if together is None else together.share
    on = np.nan_to_num(np.diag(share))
    sides = repeated_sides([analysis.signals[place].au for place in places])
    whole = [
        i for i in range(len(on)) if analysis.signals[places[i]].au not in sides
    ]  # an AU goes with its sides
    most = [i for i in sorted(whole, key=lambda i: -on[i])[:_AUS_IN_MATRIX] if on[i] >= _LEAST_SHARE]
    if together is None or len(most) < 2:
        return "<p>Fewer than two AUs are on for long enough.</p>"
    most.sort()
    weak = set(facts.card.get("weak_aus") or ())
    names = [analysis.signals[places[i]].au for i in most]
    starred = [name + ("*" if name in weak else "") for name in names]
    table = drawing.matrix(starred, share[np.ix_(most, most)], together.phi[np.ix_(most, most)])
    return (
        "<p>Of all tracks together. Diagonal: share of the time that the AU is on. Above it: share of the "
        "time with both on. Below it: phi, the correlation of the two, 0 where they go together as by "
        f'chance.</p><div class="wide">{table}</div>'
    )


def _methods(paragraph: str, facts: RunFacts) -> str:
    citations = "\n".join(citations_of(facts))

    def block(name: str, heading: str, text: str, kind: str = "") -> str:
        return (
            f'<h3>{heading} <button class="copy" data-of="{name}">Copy</button></h3>'
            f'<pre id="{name}"{kind}>{escape(text)}</pre>'
        )

    return (
        "<p>Made from the metadata of this run alone. Citations are as short as the model's card has them: "
        "complete the authors.</p>"
        + block("methods-text", "Methods", paragraph, ' class="prose"')
        + block("citations-text", "Citations", citations, ' class="prose"')
        + block("bibtex-text", "BibTeX", bibtex_of(facts))
    )


def _run(facts: RunFacts, analysis: Analysis) -> str:
    card, metadata = facts.card, facts.metadata
    aus = tuple(card["thresholds"]) or AU_SETS.get(card.get("au_set", ""), ())
    weak = list(card.get("weak_aus") or ())
    decoders = dict.fromkeys(video.decoder for video in facts.videos if video.decoder)
    selection = (metadata.get("config") or {}).get("selection") or {}
    values: dict[str, Any] = {
        "Model": card["name"],
        "What it is": card.get("description"),
        "System": f"{card['system']}, {card['backbone']}, stage {card['stage']}",
        "Licence": card["licence"],
        "Training data": card.get("training_data"),
        "Weights, SHA-256": card.get("sha256"),
        "AUs": f"{len(aus)}: {', '.join(aus)}",
        "Intensities": ", ".join(card.get("intensity_aus") or ()),
        "Weak AUs": ", ".join(weak),
        "Thresholds": ", ".join(
            f"{signal.name} {threshold:.3g}"
            for signal, threshold in zip(analysis.signals, analysis.thresholds, strict=True)
        ),
        "Notes on the model": " ".join(map(str, card.get("notes") or ())),
        "Detector": _pairs(metadata.get("detector")),
        "Decoder": ", ".join(decoders),
        "Frames": _pairs({name: value for name, value in selection.items() if value is not None}),
        "Crop": _pairs(metadata.get("crop")),
        "Valid face": metadata.get("valid_rule"),
        "Events": _pairs(analysis.options.events.to_json()),
        "Baseline": analysis.options.baseline and _pairs(analysis.options.baseline.to_json()),
        "Machine": _pairs(metadata.get("machine")),
        "Versions": _pairs(metadata.get("versions")),
        "Command": None if facts.command_line is None else shlex.join(facts.command_line),
    }
    lines = "".join(
        f"<tr><th>{name}</th><td>{escape(str(value))}</td></tr>" for name, value in values.items() if value
    )
    return f'<table class="facts">{lines}</table>'


def _pairs(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in (values or {}).items())


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.0f} %"


def _figure(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"

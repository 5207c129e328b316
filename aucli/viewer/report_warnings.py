"""What to know before believing the figures of a run."""

from __future__ import annotations

from collections.abc import Sequence

from aucli.sinks.tables.analysis import Analysis
from aucli.viewer.report_facts import RunFacts
from aucli_models.au import facs_order


def warnings_of(
    facts: RunFacts,
    analysis: Analysis,
    *,
    seconds: float,
    face_seconds: float,
    track_seconds: float,
    valid_seconds: float,
) -> Sequence[str]:
    """What to know before believing the figures.

    seconds: analysed. face_seconds: with a face. track_seconds: the sum over all tracks; valid_seconds: of
    that the part with a valid face.
    """
    found = []
    if facts.synthetic:
        found.append(
            "The model was trained on synthetic faces. Its figures measure agreement with a renderer, not "
            "with people who code faces."
        )
    if facts.research_only:
        found.append(f"Non-commercial research only. Licence of the weights: {facts.card['licence']}")
    weak = sorted(facts.card.get("weak_aus") or (), key=facs_order)
    if weak:
        found.append(
            f"The model's validation figures for {', '.join(weak)} are weak: draw no conclusions from them. "
            "Where they are shown, they are marked with *."
        )
    if seconds and face_seconds < seconds:
        found.append(f"No face in {100 * (1 - face_seconds / seconds):.1f} % of the time.")
    if track_seconds and valid_seconds < track_seconds:
        left = "are used all the same" if analysis.options.with_invalid else "are left out of all figures"
        share = 100 * (1 - valid_seconds / track_seconds)
        found.append(f"{share:.1f} % of the time of all faces is not valid; these values {left}.")
    for status, words in (
        ("failed", "failed and {have} no rows"),
        ("partial", "could not be read to the end"),
        ("skipped", "{were} skipped"),
    ):
        count = sum(video.status == status for video in facts.videos)
        if count:
            verb = words.format(have="has" if count == 1 else "have", were="was" if count == 1 else "were")
            found.append(f"{_inputs(count)} {verb}; see the table of videos.")
    if not facts.complete:
        found.append(
            "The report that extract writes beside its output is not there or of another run: inputs that "
            "failed are not listed."
        )
    return [*found, *analysis.notes]


def _inputs(count: int) -> str:
    return "1 input" if count == 1 else f"{count:,} inputs"

"""What is asked and said of models that read clips: consecutive frames of one face. No torch."""

from __future__ import annotations

from aucli.config import ClipMode
from aucli.errors import UsageError
from aucli.zoo.card import Card

RATE_TOLERANCE = 0.1
"""Part of the training pictures' frame rate by which a video may differ before it is said."""


def check_clip_mode(mode: ClipMode, card: Card) -> None:
    """Whether the model has a use for it.

    Raises:
        UsageError: clips are asked for by name of a model that reads single pictures.
    """
    if mode != "track" and not card.reads_clips:
        raise UsageError(
            f"--clips {mode}: {card.name} reads single pictures and has no clips: leave --clips out, or "
            "choose a model of MDHR"
        )


def clip_notes(card: Card, frames_per_second: float | None) -> tuple[str, ...]:
    """What the report says of a video whose analysed frames come at another rate than the model was trained
    on; None where the rate is not known. Nothing for models that read single pictures.
    """
    if not card.reads_clips or card.frame_rate is None:
        return ()
    trained = f"{card.name} reads motion and was trained on {card.frame_rate:g} frames a second"
    if frames_per_second is None:
        return (
            f"{trained}; the rate here is not known: where it is another one, motion looks slower or faster",
        )
    apart = frames_per_second / card.frame_rate - 1
    if abs(apart) <= RATE_TOLERANCE:
        return ()
    if apart > 0:
        return (
            f"{trained}; with {frames_per_second:g} here motion looks slower to it than it is: "
            f"--fps {card.frame_rate:g} takes its own rate",
        )
    return (f"{trained}; with {frames_per_second:g} here motion looks faster to it than it is",)

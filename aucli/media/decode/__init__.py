"""Frames of a video, by one of several backends behind one protocol.

To add a backend, for instance `fast`:

1. Write `fast.py` beside this file with a class that has the members of `protocol.Decoder`. Choose frames
   with `choose.FrameChooser`, count all decoded ones in `index`, give exact PTS, upright pictures with
   square pixels in display size, and say in `summary` what went wrong. Import its library at the top.
2. Raise `MediaError` for a file that nobody can read, `DecoderUnavailableError`, with the reason and
   what to type instead, for what only this backend cannot do.
3. Add its name to `aucli.config.DecoderName` and a branch to `_backend` below; `auto` takes a backend
   only where it is never worse than PyAV.
4. Add it to `BACKENDS` in tests/media/test_decode.py: the whole matrix of clips must pass or be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from aucli.config import DecoderName
from aucli.datatypes import Selection, Source
from aucli.errors import UsageError
from aucli.media.decode.choose import window_of
from aucli.media.decode.protocol import Decoder

__all__ = ["Decoder", "open_decoder"]


def open_decoder(
    source: Source, selection: Selection | None = None, decoder: DecoderName = "auto"
) -> Decoder:
    """Open a source for one pass over its selected frames; to be used in a `with` statement.

    `auto` takes PyAV. Pictures are read by Pillow whatever the choice, which is about videos. The start
    and end of the source (from a list.csv) take precedence over those of the selection.

    Raises:
        MediaError: the source cannot be read, with the reason.
        DecoderUnavailableError: the backend asked for is not installed or not to be trusted with this file.
        UsageError: no backend has this name.
    """
    window = window_of(source, selection or Selection())
    if source.kind != "video":
        from aucli.media.decode.images import ImagesDecoder

        return ImagesDecoder(source, window)
    return _backend(decoder)(source, window)


def _backend(name: DecoderName) -> Callable[[Source, Selection], Decoder]:
    """The class of a backend, imported only now: each brings a large library."""
    if name in ("auto", "pyav"):
        from aucli.media.decode.pyav import PyavDecoder

        return PyavDecoder
    if name == "decord":
        from aucli.media.decode.decord import DecordDecoder

        return DecordDecoder
    raise UsageError(f"--decoder {name!r}: choose one of {', '.join(get_args(DecoderName))}")

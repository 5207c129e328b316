"""Frames of a video, by one of several backends behind one protocol.

To add a backend, for instance `fast`:

1. Write `fast.py` beside this file with a subclass of `protocol.Decoder`. Choose frames
   with `choose.FrameChooser`, count all decoded ones in `index`, give exact PTS, upright pictures with
   square pixels in display size, and say in `summary` what went wrong. Import its library at the top.
   A decoder that is fed packets has most of that from `packets.PacketDecoder`, parts of a video too; one
   that cannot begin anywhere is named in `_open`.
2. Raise `MediaError` for a file that nobody can read, `DecoderUnavailableError`, with the reason and
   what to type instead, for what only this backend cannot do.
3. Add its name to `aucli.config.DecoderName` and a branch to `_backend` below; `auto` takes a
   backend only where it is never worse than PyAV, or tells itself where it is.
4. Add it to `BACKENDS` in tests/media/test_decode.py: the whole matrix of clips must pass or be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import get_args

from aucli.config import DecoderName
from aucli.datatypes import Selection, Source
from aucli.errors import DecoderUnavailableError, SplitError, UsageError
from aucli.media.decode.choose import window_of
from aucli.media.decode.protocol import Decoder
from aucli.media.stretch import Stretch

__all__ = ["GPU_DECODERS", "Decoder", "check_decoder", "decoders_tried", "open_decoder"]

GPU_DECODERS: tuple[DecoderName, ...] = ("torchcodec", "pyav-cuda")
"""In the order in which `auto` tries them."""


def open_decoder(
    source: Source,
    selection: Selection | None = None,
    decoder: DecoderName = "auto",
    device: str = "cpu",
    *,
    stretch: Stretch | None = None,
) -> Decoder:
    """Open a source for one pass over its selected frames; to be used in a `with` statement.

    `auto` takes PyAV on the CPU. On a GPU it takes the GPU's decoder, and PyAV for files that this cannot
    do; notes in the summary say why. Pictures are read by Pillow whatever the choice, which is about videos.
    The start and end of the source (from a list.csv) take precedence over those of the selection.

    device: as torch names it; where the frames of a GPU decoder lie. Others give theirs on the CPU.
    stretch: of a video, the pictures to decode, planned for this selection.

    Raises:
        MediaError: the source cannot be read, with the reason.
        SplitError: the decoder cannot begin with the stretch.
        DecoderUnavailableError: the backend asked for is not installed, not for this device, or not to be
            trusted with this file.
        UsageError: no backend has this name.
    """
    window = window_of(source, selection or Selection())
    if source.kind != "video":
        from aucli.media.decode.images import ImagesDecoder

        return ImagesDecoder(source, window)
    check_decoder(decoder, device)
    tried = decoders_tried(decoder, device)
    if len(tried) == 1:
        return _open(tried[0], device, source, window, stretch)
    from aucli.media.decode.automatic import AutomaticDecoder

    return AutomaticDecoder(
        source.path, [partial(_open, name, device, source, window, stretch) for name in tried]
    )


def check_decoder(decoder: DecoderName, device: str) -> None:
    """What can be known before a video is opened; imports no backend.

    Raises:
        DecoderUnavailableError: the backend asked for cannot work on this device, or is not installed.
    """
    if decoder not in GPU_DECODERS:
        return
    if device == "cpu":
        raise DecoderUnavailableError(
            f"--decoder {decoder} needs an NVIDIA GPU, and this runs on the CPU: take --decoder auto, or "
            "a GPU with --device cuda"
        )
    if decoder == "torchcodec" and find_spec("torchcodec") is None:
        raise DecoderUnavailableError(
            "--decoder torchcodec is not installed: pip install 'aucli[gpu]', or take --decoder auto"
        )


def decoders_tried(decoder: DecoderName, device: str) -> tuple[DecoderName, ...]:
    """The backends that may decode a video, in the order in which they are tried. Imports none of them.

    They are part of what decides the rows: two decoders may differ by a level in some pixels.
    """
    if decoder != "auto":
        return (decoder,)
    if device == "cpu":
        return ("pyav",)
    there = tuple(
        name for name in GPU_DECODERS if name != "torchcodec" or find_spec("torchcodec") is not None
    )
    return (*there, "pyav")


def _open(
    name: DecoderName, device: str, source: Source, window: Selection, stretch: Stretch | None
) -> Decoder:
    make = _backend(name, device)
    if stretch is None:
        return make(source, window)
    if name == "decord":
        raise SplitError("decord reads a video from its start only")
    return make(source, window, stretch=stretch)


def _backend(name: DecoderName, device: str) -> Callable[..., Decoder]:
    """The class of a backend, imported only now: each brings a large library."""
    if name == "pyav":
        from aucli.media.decode.pyav import PyavDecoder

        return PyavDecoder
    if name == "decord":
        from aucli.media.decode.decord import DecordDecoder

        return DecordDecoder
    if name == "torchcodec":
        from aucli.media.decode.torchcodec import TorchcodecDecoder

        return partial(TorchcodecDecoder, device=device)
    if name == "pyav-cuda":
        from aucli.media.decode.pyav_cuda import PyavCudaDecoder

        return partial(PyavCudaDecoder, device=device)
    raise UsageError(f"--decoder {name!r}: choose one of {', '.join(get_args(DecoderName))}")

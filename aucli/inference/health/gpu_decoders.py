"""The decoders that work on a GPU, each tried on the first pictures of an example clip, beside the CPU's."""

from __future__ import annotations

from typing import Any

from aucli.config import DecoderName, ExtractConfig
from aucli.inference.devices import resolve_device
from aucli.inference.health.decoders import first_frames
from aucli.inference.health.finding import Finding
from aucli.media.decode import check_decoder

_LARGEST_MEAN_DIFFERENCE = 2.0  # of the 255 levels; a wrong colour matrix makes it more than 4


def torchcodec(config: ExtractConfig) -> list[Finding]:
    return [_tried("torchcodec", config)]


def pyav_cuda(config: ExtractConfig) -> list[Finding]:
    return [_tried("pyav-cuda", config)]


def _tried(decoder: DecoderName, config: ExtractConfig) -> Finding:
    """What the decoder does on the first GPU.

    Raises:
        DecoderUnavailableError: why it cannot work.
        ValueError: it reads other frames than the CPU does.
    """
    device = resolve_device("auto")[0]
    if device == "cpu" and config.decoder != decoder:
        return Finding("decoders", decoder, "ok", "not tried: there is no GPU", details={"device": None})
    check_decoder(decoder, device)
    import torch  # only here: without a GPU the answer should not take the seconds that it takes

    from aucli.media.decode.nvdec import decodable

    details: dict[str, Any] = {"device": device, "decodes": decodable(device)}
    ours, theirs = first_frames(decoder, device), first_frames("pyav")
    if [frame.pts for frame in ours] != [frame.pts for frame in theirs]:
        raise ValueError(f"reads {len(ours)} frames of the example clip on {device}, the CPU {len(theirs)}")
    difference = max(
        float((one.pixels.cpu().to(torch.int16) - two.pixels).abs().to(torch.float32).mean())
        for one, two in zip(ours, theirs, strict=True)
    )
    details |= {"frames_read": len(ours), "mean_difference_to_cpu": round(difference, 4)}
    if not difference <= _LARGEST_MEAN_DIFFERENCE:
        raise ValueError(f"its pictures differ from the CPU's by {difference:.1f} of 255 levels on average")
    codecs = dict.fromkeys(kind.split()[0] for kind in details["decodes"])
    engines = max(details["decodes"].values(), default=0)
    text = f"reads the example clip on {device}; its chip decodes {', '.join(codecs)} ({engines} engines)"
    return Finding("decoders", decoder, "ok", text, details=details)

"""Run as a process of its own, which torchcodec needs: it finds its FFmpeg when a process starts.

    python -m tests.media.beside_pyav DECODER DEVICE FILE...

Decodes each file by this decoder and by PyAV on the CPU, and prints as JSON what was seen. torchcodec runs on
the device `cpu` too, by the same code with FFmpeg's own decoders.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from aucli.datatypes import Selection, Source
from aucli.errors import AucliError
from aucli.inference.lent_ffmpeg import ffmpeg_for_torchcodec
from aucli.media.decode import open_decoder

ROOT = Path(__file__).parents[2]


def beside_pyav(decoder, device, files):
    """What `compared` finds, by the files' names."""
    environ = os.environ | ffmpeg_for_torchcodec()
    environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "models"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "tests.media.beside_pyav", decoder, device, *map(str, files)],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def opened(decoder, device, path, **selection):
    source, window = Source(path, path.name), Selection(**selection)
    if device == "cpu" and decoder == "torchcodec":
        from aucli.media.decode.torchcodec import TorchcodecDecoder

        return TorchcodecDecoder(source, window, device)
    return open_decoder(source, window, decoder, device)


def seen(decoder, device, path, **selection):
    """Frames, and the summary or the message of the error."""
    try:
        with opened(decoder, device, path, **selection) as decoding:
            return list(decoding.frames()), decoding.summary
    except AucliError as error:
        return [], f"{type(error).__name__}: {error}"


def compared(decoder, device, path):
    ours, our_summary = seen(decoder, device, path)
    theirs, their_summary = seen("pyav", "cpu", path)
    few, _ = seen(decoder, device, path, start_seconds=0.2, every=3)
    few_theirs, _ = seen("pyav", "cpu", path, start_seconds=0.2, every=3)
    differences = [
        (one.pixels.cpu().int() - other.pixels.int()).abs().float()
        for one, other in zip(ours, theirs, strict=False)
        if one.pixels.shape == other.pixels.shape
    ]
    return {
        "frames": [len(ours), len(theirs)],
        "sizes_equal": [one.pixels.shape for one in ours] == [one.pixels.shape for one in theirs],
        "times_equal": stamps(ours) == stamps(theirs),
        "selected": len(few),
        "selection_equal": stamps(few) == stamps(few_theirs),
        "largest": max((float(one.max()) for one in differences), default=None),
        "mean": max((float(one.mean()) for one in differences), default=None),
        "devices": sorted({frame.pixels.device.type for frame in ours}),
        "contiguous": all(frame.pixels.is_contiguous() for frame in ours),
        "summaries": [told(our_summary), told(their_summary)],
    }


def stamps(frames):
    return [(frame.index, frame.pts, frame.time_base) for frame in frames]


def told(summary):
    if isinstance(summary, str):
        return summary
    return [summary.frames_decoded, summary.frames_from_header, summary.problem, *summary.notes]


if __name__ == "__main__":
    decoder, device, *names = sys.argv[1:]
    print(json.dumps({Path(name).name: compared(decoder, device, Path(name)) for name in names}))

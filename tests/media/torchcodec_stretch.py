"""Run as a process of its own, as `beside_pyav` says: a stretch of a video by torchcodec on the device `cpu`.

    python -m tests.media.torchcodec_stretch FILE

Prints as JSON the number of the first frame, and whether all were as in the whole video.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from aucli.datatypes import Selection, Source
from aucli.inference.lent_ffmpeg import ffmpeg_for_torchcodec
from aucli.media.segments import divide, scan_packets

ROOT = Path(__file__).parents[2]


def stretches_alike(path):
    """What `main` prints."""
    environ = os.environ | ffmpeg_for_torchcodec()
    environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "models"), *sys.path])
    command = [sys.executable, "-m", "tests.media.torchcodec_stretch", str(path)]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def main(path):
    from aucli.media.decode.torchcodec import TorchcodecDecoder

    source = Source(path, path.name)
    segment = divide(scan_packets(path), Selection(), 1.0, detect_every=1, warm_up_seconds=0.3)[1]
    with TorchcodecDecoder(source, Selection(), "cpu") as decoder:
        whole = {frame.index: frame for frame in decoder.frames()}
    with TorchcodecDecoder(source, Selection(), "cpu", stretch=segment.stretch) as decoder:
        found = list(decoder.frames())
    alike = [
        frame.pts == whole[frame.index].pts and torch.equal(frame.pixels, whole[frame.index].pixels)
        for frame in found
    ]
    whole_stretch = len(found) == len(segment.stretch.pts)
    print(json.dumps({"first": found[0].index, "alike": all(alike) and whole_stretch}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""How many frames per second does each decoder give, by codec, size and number of videos at once?

Clips of a photograph that moves, 360p to 4K, are decoded again and again for some seconds, each stream in a
thread of its own, as RGB pictures on the device. Two figures each: `fps`, and `decode_only_fps` of the same
decoder where no picture is selected, so that none is converted: its own limit. Beside them two loops as one
would write them, `pyav_loop` and `opencv_loop`, which on a GPU copy each picture there. A decoder that does
not work here is named with the reason; `engines` is what the GPU's driver says of its decoders.

    python benchmarks/bench_decode.py [--device cpu] [--seconds 5] [--codecs h264 hevc vp9] [--frames 120]
        [--heights 360 720 1080 2160] [--streams 1 2 4]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import av
import numpy as np
import torch
from machine import save
from PIL import Image

from aucli.datatypes import Selection, Source
from aucli.errors import AucliError
from aucli.inference.devices import available_cores
from aucli.inference.lent_ffmpeg import ffmpeg_for_torchcodec
from aucli.media.decode import GPU_DECODERS, open_decoder
from aucli.media.decode.nvdec import decodable

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.clips import photo_astronaut, write_clip

ENCODERS = {
    "h264": ("libx264", "mp4", {"preset": "veryfast", "crf": "23"}),
    "hevc": ("libx265", "mp4", {"preset": "veryfast", "crf": "26", "x265-params": "log-level=none"}),
    "vp9": ("libvpx-vp9", "webm", {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0"}),
}
WIDTHS = {360: 640, 720: 1280, 1080: 1920, 2160: 3840}
NOTHING = Selection(start_seconds=1e6)  # decodes all and takes none
PACKAGES = ("torchcodec", "decord", "opencv-python")
IN_CHILD = "AUCLI_BENCH_DECODE_CHILD"


def moving_photo(width, height, count):
    """A window that moves over the photograph by two pixels a frame, with noise as a camera has it."""
    noise = np.random.default_rng(0).normal(0, 2, (height, width, 1)).astype(np.float32)
    photo = Image.fromarray(photo_astronaut()).resize((width + 2 * count, height + 2 * count))
    for index in range(count):
        left = 2 * index
        window = np.asarray(photo.crop((left, left, left + width, left + height)), np.float32)
        yield np.clip(window + np.roll(noise, 37 * index, axis=1), 0, 255).astype(np.uint8)


class OurDecoder:
    """One of aucli's, by name."""

    def __init__(self, name, device):
        self.name, self.device = name, device

    def passes(self, clip, selection):
        """Numbers of frames decoded so far in one pass over the clip."""
        with open_decoder(Source(clip, clip.name), selection, self.name, self.device) as decoder:
            for frame in decoder.frames():
                if frame.pixels.device.type != torch.device(self.device).type:
                    frame.pixels.to(self.device)
                yield 1
            if selection is NOTHING:
                yield decoder.summary.frames_decoded


class PyavLoop:
    name = "pyav_loop"

    def __init__(self, device):
        self.device = device

    def passes(self, clip, selection):
        with av.open(str(clip)) as container:
            for frame in container.decode(video=0):
                if selection is not NOTHING:
                    torch.from_numpy(frame.to_ndarray(format="rgb24")).to(self.device)
                yield 1


class OpencvLoop:
    name = "opencv_loop"

    def __init__(self, device):
        self.device = device

    def passes(self, clip, selection):
        import cv2

        cv2.setNumThreads(1)
        video = cv2.VideoCapture(str(clip))
        while video.grab():
            if selection is not NOTHING:
                _, picture = video.retrieve()
                torch.from_numpy(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).to(self.device)
            yield 1


def works(decoder, clip):
    """None, or why it does not decode this clip."""
    try:
        if sum(decoder.passes(clip, Selection(end_seconds=0.2))) < 1:
            return "it gives no frame"
    except (AucliError, ImportError, av.error.FFmpegError) as error:
        return " ".join(str(error).split()).replace(f"{clip}: ", "")
    return None


def frames_per_second(decoder, clip, streams, seconds, selection):
    """Frames of all streams over the time until the last stream ended, openings included."""
    counts = [0] * streams
    errors = []
    start_together = threading.Barrier(streams + 1)

    def stream(place):
        start_together.wait()
        deadline = time.perf_counter() + seconds
        try:
            while time.perf_counter() < deadline:
                for frames in decoder.passes(clip, selection):
                    counts[place] += frames
                    if time.perf_counter() >= deadline and selection is not NOTHING:
                        break
        except Exception as error:  # raised again below, in the main thread
            errors.append(error)

    threads = [threading.Thread(target=stream, args=(place,)) for place in range(streams)]
    for thread in threads:
        thread.start()
    start_together.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    taken = time.perf_counter() - start
    if errors:
        raise errors[0]
    return sum(counts) / taken


def measured(clip, codec, height, decoder, args):
    reason = works(decoder, clip)
    about = {"codec": codec, "width": WIDTHS[height], "height": height, "decoder": decoder.name}
    if reason is not None:
        print(f"{codec} {height}p {decoder.name}: {reason}")
        return [{**about, "works": False, "reason": reason}]
    found = []
    for streams in args.streams:
        fps = frames_per_second(decoder, clip, streams, args.seconds, Selection())
        alone = frames_per_second(decoder, clip, streams, args.seconds, NOTHING)
        print(f"{codec} {height}p {decoder.name}, {streams} at once: {fps:.0f} fps ({alone:.0f} decode only)")
        found.append(
            {
                **about,
                "works": True,
                "streams": streams,
                "fps": round(fps, 1),
                "decode_only_fps": round(alone, 1),
            }
        )
    return found


def run(args):
    torch.set_num_threads(1)
    on_gpu = args.device != "cpu"
    decoders = [
        OurDecoder(name, args.device) for name in ("pyav", "decord", *(GPU_DECODERS if on_gpu else ()))
    ]
    decoders += [PyavLoop(args.device), OpencvLoop(args.device)]
    results, clips = [], []
    with tempfile.TemporaryDirectory() as folder:
        for codec in args.codecs:
            encoder, suffix, options = ENCODERS[codec]
            for height in args.heights:
                width = WIDTHS[height]
                clip = Path(folder) / f"{codec}_{height}.{suffix}"
                pictures = moving_photo(width, height, args.frames)
                try:
                    write_clip(clip, pictures, codec=encoder, codec_options=options, gop=50, rate=25)
                except (ValueError, av.error.FFmpegError) as error:
                    clips.append({"codec": codec, "height": height, "not_made": str(error)})
                    continue
                megabits = clip.stat().st_size * 8 / 1e6 / (args.frames / 25)
                clips.append({"codec": codec, "height": height, "megabits_per_second": round(megabits, 2)})
                for decoder in decoders:
                    results += measured(clip, codec, height, decoder, args)
                clip.unlink()
    save(
        f"bench_decode_{args.device.replace(':', '')}",
        {
            "device": args.device,
            "seconds": args.seconds,
            "frames_a_clip": args.frames,
            "engines": decodable(args.device) if on_gpu else None,
            "versions": {"ffmpeg": av.ffmpeg_version_info, **versions()},
            "clips": clips,
            "results": results,
        },
    )


def versions():
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def main():
    cores = available_cores()
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--codecs", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--heights", nargs="+", type=int, choices=WIDTHS, default=list(WIDTHS))
    parser.add_argument("--streams", nargs="+", type=int, default=None)
    args = parser.parse_args()
    if args.streams is None:
        most = cores if args.device == "cpu" else max(16, cores)
        args.streams = [2**power for power in range(most.bit_length()) if 2**power <= most]
    # torchcodec finds its FFmpeg only if its process is started with these variables.
    lent = ffmpeg_for_torchcodec()
    if lent and IN_CHILD not in os.environ:
        environ = os.environ | lent | {IN_CHILD: "1"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=environ, check=False).returncode)
    run(args)


if __name__ == "__main__":
    main()

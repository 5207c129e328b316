"""How fast is `extract`, stage by stage, and against the loop that one would write by hand?

A 720p clip with one face (scikit-image's astronaut, moving slowly) is analysed three ways, in
alternating rounds because machines are noisy; figures are medians over the rounds:

- `pipeline`: `aucli.inference.pipeline.analyse` with the networks loaded, and as many threads
  as a worker takes.
- each stage alone on the same frames, with one thread; `detect` includes following and tracking.
- `pipeline_one_thread`: the pipeline with one thread per stage. overlap = slowest stage alone / this.
- `by_hand`: OpenCV decodes, `facenet_pytorch.MTCNN` detects on each frame with the same smallest face
  and all cores, one crop at a time goes through the same network.

`command` is the whole `aucli extract` as a user runs it, process start and imports included.

With `--vary` it is the pipeline alone, over pictures of 360p to 4K, 0 to 16 faces, 10 seconds to 2 hours, or
whole runs with 1, 2 and 4 workers, or in one process with 1 to 8 videos at a time; each figure has the
machine's limits beside it (`sweeps.py`).

    python benchmarks/bench_extract.py [--frames 300] [--rounds 3] [--device cpu] [--detect-every 3]
    python benchmarks/bench_extract.py --vary resolution|faces|length|workers|in_flight
    python benchmarks/bench_extract.py --vary length --seconds 10 60 600 7200 --every 5
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from limits import machine_limits
from machine import save
from PIL import Image
from sweeps import sweep

from aucli.config import ExtractConfig
from aucli.datatypes import Faces, Selection, Source
from aucli.faces.align import crop_faces
from aucli.faces.detect import make_detector
from aucli.faces.detect_every import detect_every_for
from aucli.faces.follow import find_faces
from aucli.faces.quality import pose_degrees, sharpness
from aucli.inference.devices import available_cores, resolve_precision
from aucli.inference.parallel_detector import WorkerDetector
from aucli.inference.pipeline import analyse, cut_out, score
from aucli.inference.portions import for_cpu, gpu_portions
from aucli.inference.postprocess import Postprocess
from aucli.inference.predictor import Predictor
from aucli.media.decode import open_decoder
from aucli.sinks.rows import rows_to_batch
from aucli.sinks.schema import output_schema
from aucli.sinks.spool import Spool

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.clips import photo_astronaut, write_clip

STAGES = ("decode", "detect", "track", "align", "network", "write")


class Known:
    """A detector that already knows the answer: what is left of `find_faces` is tracking."""

    name, version, can_refit, sure_score = "known", "", False, 0.0

    def __init__(self, faces):
        self._faces = iter(faces)

    def detect(self, pictures):
        return [next(self._faces) for _ in pictures]


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


class Bench:
    def __init__(self, clip, folder, args):
        self.source = Source(clip, clip.name)
        self.folder = folder
        self.config = ExtractConfig(detect_every=args.detect_every)
        self.device = args.device
        self.cores = available_cores()
        self.one_thread = make_detector("mtcnn", device=args.device, min_face=self.config.min_face)
        self.predictor = Predictor(
            "builtin", device=args.device, precision=resolve_precision("auto", args.device)
        )
        portions = gpu_portions(args.device, 1, self.predictor.batch_size)
        self.detector = WorkerDetector(self.one_thread, self.cores, portions)
        self.detector_of_one_thread = WorkerDetector(self.one_thread, 1, portions)
        card = self.predictor.card
        self.schema = output_schema(card.written_aus, intensity_aus=card.intensity_aus)

    def pipeline(self, detector=None, source=None, every=1):
        """Returns the number of faces."""
        torch.set_num_threads(1)
        faces = 0
        chosen, portions = (detector or self.detector).every(self.config.detect_every)
        with open_decoder(source or self.source, Selection(every=every)) as decoder:
            spool = Spool(self.folder / "pipeline.arrows", self.schema)
            for chunk in analyse(decoder, chosen, self.predictor, self.config, portions=portions):
                spool.write(rows_to_batch(self.schema, chunk.rows, video="clip.mp4"))
                faces += len(chunk.rows.faces)
            spool.finish(self.folder / "pipeline.parquet")
        return faces

    def stages(self):
        torch.set_num_threads(1)
        seconds = {}

        def decode():
            with open_decoder(self.source) as decoder:
                return list(decoder.frames())

        seconds["decode"], frames = timed(decode)

        every = self.config.detect_every
        seconds["detect"], tracked = timed(
            lambda: list(
                find_faces(
                    iter(frames),
                    self.one_thread,
                    detect_every=every,
                    batch_frames=for_cpu(1).detections * every,
                )
            )
        )
        assert all(len(faces) == 1 for _, faces in tracked), "the clip must have one face in each frame"
        untracked = [Faces(faces.boxes, faces.scores, faces.landmarks) for _, faces in tracked]
        seconds["track"], _ = timed(lambda: list(find_faces(iter(frames), Known(untracked))))
        crop, sure = self.predictor.card.crop, self.one_thread.sure_score
        seconds["align"], cropped = timed(lambda: list(cut_out(tracked, crop, sure)))
        seconds["network"], chunks = timed(lambda: list(score(cropped, self.predictor)))

        def write():
            spool = Spool(self.folder / "stages.arrows", self.schema)
            for chunk in chunks:
                spool.write(rows_to_batch(self.schema, chunk.rows, video="clip.mp4"))
            spool.finish(self.folder / "stages.parquet")

        seconds["write"], _ = timed(write)
        return seconds

    def by_hand(self):
        import cv2
        from facenet_pytorch import MTCNN

        torch.set_num_threads(self.cores)
        mtcnn = MTCNN(keep_all=True, min_face_size=self.config.min_face, device=self.device)
        postprocess = Postprocess.of(self.predictor.card)
        video = cv2.VideoCapture(str(self.source.path))
        rows = []
        while True:
            more, picture = video.read()
            if not more:
                break
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            boxes, _, landmarks = mtcnn.detect(picture, landmarks=True)
            for box, points in zip(boxes, landmarks, strict=True) if boxes is not None else ():
                tensor = torch.from_numpy(picture).unsqueeze(0).to(self.device)
                five = np.asarray(points, np.float32)[None]
                crop = crop_faces(tensor, np.zeros(1, np.int64), five, self.predictor.card.crop)
                probabilities, _ = postprocess(self.predictor(crop).outputs)
                rows.append((box, pose_degrees(five), sharpness(crop), probabilities))
        return rows

    def command(self):
        code = "from aucli.cli.main import main; main()"
        output = str(self.folder / "command.parquet")
        options = [
            "--device",
            self.device,
            "--detect-every",
            str(self.config.detect_every),
            "--fresh",
            "--quiet",
        ]
        arguments = ["extract", str(self.source.path), "-o", output, *options]
        subprocess.run([sys.executable, "-c", code, *arguments], check=True)


def one_face(count):
    """1280 x 720: the astronaut's picture moves slowly over a background made of its own blurred colours."""
    photo = Image.fromarray(photo_astronaut())
    background = photo.resize((16, 9)).resize((1280, 720), Image.Resampling.BICUBIC)
    person = photo.resize((720, 720), Image.Resampling.BICUBIC)
    for index in range(count):
        picture = background.copy()
        picture.paste(person, (200 + round(60 * np.sin(index / 15)), 0))
        yield np.asarray(picture)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--detect-every", type=int, default=detect_every_for(25))
    parser.add_argument("--vary", choices=["resolution", "faces", "length", "workers", "in_flight"])
    parser.add_argument(
        "--seconds", nargs="+", type=float, default=[10, 60, 600, 7200], help="of --vary length"
    )
    parser.add_argument("--every", type=int, default=1, help="of --vary length: each Nth frame is analysed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        write_clip(clip, one_face(args.frames))
        bench = Bench(clip, folder, args)
        bench.pipeline()  # warm
        if args.vary:
            rows, limits = sweep(bench, args)
            about = {"device": args.device, "detect_every": args.detect_every, "rounds": args.rounds}
            if args.vary == "length":
                about["every"] = args.every
            file = f"bench_extract_{args.device.replace(':', '')}_{args.vary}"
            save(file, {**about, "limits": limits, "rows": rows})
            return
        rounds = {
            "pipeline": [],
            "pipeline_one_thread": [],
            "by_hand": [],
            "command": [],
            **{stage: [] for stage in STAGES},
        }
        for _ in range(args.rounds):
            rounds["pipeline"].append(timed(bench.pipeline)[0])
            rounds["pipeline_one_thread"].append(
                timed(lambda: bench.pipeline(bench.detector_of_one_thread))[0]
            )
            for stage, seconds in bench.stages().items():
                rounds[stage].append(seconds)
            rounds["by_hand"].append(timed(bench.by_hand)[0])
            rounds["command"].append(timed(bench.command)[0])
    seconds = {what: statistics.median(values) for what, values in rounds.items()}
    for what, value in seconds.items():
        print(f"{what:10s} {1000 * value / args.frames:9.2f} ms/frame {args.frames / value:9.1f} fps")
    slowest = max(STAGES, key=lambda stage: seconds[stage])
    save(
        f"bench_extract_{args.device.replace(':', '')}_every{args.detect_every}",
        {
            "clip": {"width": 1280, "height": 720, "frames": args.frames, "faces": 1},
            "detect_every": args.detect_every,
            "rounds": args.rounds,
            "fps": {what: round(args.frames / value, 2) for what, value in seconds.items()},
            "limits": machine_limits(args.device),
            "ms_per_frame": {what: round(1000 * value / args.frames, 3) for what, value in seconds.items()},
            "slowest_stage": slowest,
            "overlap": round(seconds[slowest] / seconds["pipeline_one_thread"], 3),
            "times_faster_than_by_hand": round(
                statistics.median(
                    hand / ours for hand, ours in zip(rounds["by_hand"], rounds["pipeline"], strict=True)
                ),
                2,
            ),
        },
    )


if __name__ == "__main__":
    main()

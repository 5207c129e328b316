"""Where would the next bottleneck be with 8 GPUs, and with 64 nodes of 8? An event simulation, on paper.

Videos go whole, longest first, from one queue per node to devices; a device has several in flight, and every
minute of a video passes the stages one after the other. A stage occupies a resource, which serves one piece
at a time (or several, where it has several places), first come first served:

- of the device: its decoders (several), and the device itself, which detect, align and network share;
- of the node: its cores, for what the host does per frame (write, and handing frames on), and its supervisor,
  which is told of progress and commits finished parts;
- of all nodes: the storage that videos are read from.

The longest video cannot be done in less than its own time, however many devices there are: it is shown like a
resource. At the end each node merges its parts into its file. Seconds come from what was recorded:

- stages: `ms_per_frame` of a result of `bench_extract.py` (`--times`), on whatever device that ran; without
  one, those of the CPU, where decoding, detection and network of a worker share one core;
- supervisor, commit and merge: measured by this script on this machine, with the real classes.

`--goal-fps N` replaces the stages by a device that does N frames a second: a goal, no measurement, to see
what beside the device would hold it back. Storage and bit rate are assumptions, and are named in the result.
Start-up is left out.

    python benchmarks/simulate_scaling.py                       # from bench_extract_cpu_every3.json
    python benchmarks/simulate_scaling.py --times benchmarks/results/bench_extract_cuda0_every4.json
    python benchmarks/simulate_scaling.py --goal-fps 3000
"""

import argparse
import heapq
import json
import math
import random
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import RESULTS, save

from aucli.datatypes import Faces
from aucli.inference.events import VideoProgress
from aucli.sinks.place import output_place
from aucli.sinks.report import ReportEntry
from aucli.sinks.rows import Rows, rows_to_batch
from aucli.sinks.run_folder import PlannedInput, RunFolder
from aucli.sinks.schema import output_schema
from aucli.sinks.spool import Spool
from aucli.zoo.catalogue import find

FPS = 25  # of the videos
PIECE_SECONDS = 60.0  # of a video, that pass a stage together
DEVICE_STAGES = ("detect", "track", "align", "network")


@dataclass(frozen=True)
class Costs:
    """Seconds. Per frame: decode, device (detect to network), host (write). Per piece: message to the
    supervisor. Per video: commit. Per row: merge.
    """

    decode: float
    device: float
    host: float
    message: float
    commit: float
    merge: float


@dataclass(frozen=True)
class Cluster:
    nodes: int
    devices: int  # of a node
    decoders: int  # of a device
    in_flight: int  # videos of a device
    cores: int  # of a node
    storage_gbytes: float  # a second, of all nodes together
    mbits: float  # of the videos, a second
    shares_core: bool = False  # decoding and the stages of the device run on one core (a CPU worker)


class Resource:
    """Serves `width` pieces at a time, in the order in which they come."""

    def __init__(self, name, width=1):
        self.name, self.width = name, width
        self.free, self.busy = width, 0.0
        self.waiting = deque()


class Simulation:
    """Events in the order of their times; each is a function that is called then."""

    def __init__(self):
        self.now, self._events, self._number = 0.0, [], 0

    def at(self, seconds, call):
        self._number += 1
        heapq.heappush(self._events, (seconds, self._number, call))

    def use(self, resource, seconds, then):
        """Occupy one of the resource's places that long, when there is one, then go on."""
        resource.waiting.append((seconds, then))
        self._serve(resource)

    def _serve(self, resource):
        while resource.free and resource.waiting:
            seconds, then = resource.waiting.popleft()
            resource.free -= 1
            resource.busy += seconds

            def done(then=then):
                resource.free += 1
                self._serve(resource)
                then()

            self.at(self.now + seconds, done)

    def run(self):
        while self._events:
            self.now, _, call = heapq.heappop(self._events)
            call()


def simulate(cluster, costs, video_seconds):
    """Frames a second of the whole, and how busy each kind of resource was.

    video_seconds: length of each video; they are dealt to the nodes in turn, longest first.
    """
    simulation = Simulation()
    storage = Resource("storage")
    all_resources = [storage]
    ordered = sorted(video_seconds, reverse=True)
    ends = []
    for node in range(cluster.nodes):
        queue = deque(ordered[node :: cluster.nodes])
        frames = sum(queue) * FPS
        cores = Resource("host cores", cluster.cores)
        supervisor = Resource("supervisor")
        all_resources += [cores, supervisor]
        left = {"videos": len(queue)}

        def finished(left=left, frames=frames):
            left["videos"] -= 1
            if not left["videos"]:  # the merge, alone on its node
                ends.append((simulation.now, frames * costs.merge))

        places = []
        for _ in range(cluster.devices):
            device = Resource("device")
            decoders = device if cluster.shares_core else Resource("decoders", cluster.decoders)
            all_resources += [device] if cluster.shares_core else [device, decoders]
            places.append((storage, decoders, device, cores, supervisor))
        # As the supervisor deals: nobody has a second one before all have one, and who has least is first.
        for turn in range(cluster.in_flight):
            for resources in places[:: -1 if turn % 2 else 1]:
                _Video(simulation, cluster, costs, resources).start(queue, finished)
    simulation.run()
    computed = max(end for end, _ in ends)
    whole = max(end + merge for end, merge in ends)
    kinds = {}
    for resource in all_resources:
        busy, width = kinds.get(resource.name, (0.0, 0))
        kinds[resource.name] = busy + resource.busy, width + resource.width
    frames = sum(video_seconds) * FPS
    busy = {name: round(busy / width / computed, 4) for name, (busy, width) in kinds.items()}
    pace = costs.decode + costs.device if cluster.shares_core else max(costs.decode, costs.device)
    busy["longest video"] = round(ordered[0] * FPS * pace / computed, 4)
    return {
        "fps": round(frames / whole, 1),
        "hours": round(whole / 3600, 3),
        "merge_share": round(1 - computed / whole, 4),
        "busy": busy,
    }


class _Video:
    """A place of a device for one video after the other; pieces follow each other through the stages."""

    def __init__(self, simulation, cluster, costs, resources):
        self.simulation, self.cluster, self.costs = simulation, cluster, costs
        self.storage, self.decoders, self.device, self.cores, self.supervisor = resources

    def start(self, queue, finished):
        self.queue, self.finished = queue, finished
        self.simulation.at(0.0, self.next_video)

    def next_video(self):
        if self.queue:
            self.left = self.queue.popleft()
            self.running = 0
            self.piece()

    def piece(self):
        """Read and decode the next piece; the one before may still be on the device."""
        seconds = min(PIECE_SECONDS, self.left)
        self.left -= seconds
        self.running += 1
        frames = seconds * FPS
        use, costs = self.simulation.use, self.costs
        read = seconds * self.cluster.mbits * 1e6 / 8 / (self.cluster.storage_gbytes * 1e9)

        def decode():
            use(self.decoders, frames * costs.decode, decoded)

        def decoded():
            if self.left > 0:
                self.piece()
            use(self.device, frames * costs.device, lambda: use(self.cores, frames * costs.host, told))

        def told():
            use(self.supervisor, costs.message * seconds / 0.5 * self.speed(), done)

        def done():
            self.running -= 1
            if not self.running and self.left <= 0:
                use(self.supervisor, costs.commit, committed)

        def committed():
            self.finished()
            self.next_video()

        use(self.storage, read, decode)

    def speed(self):
        """Progress is told every half second of work, not of video."""
        return FPS * max(self.costs.decode, self.costs.device)


def lengths(count, minutes, seed=0):
    """Seconds of `count` videos, log-normal about the median `minutes`; half of them within a factor of 2."""
    generator = random.Random(seed)
    return [60 * minutes * generator.lognormvariate(0, 1) for _ in range(count)]


def split(video_seconds, segment_minutes):
    """Videos longer than a segment, cut into equal ones that are not; they go to the devices one by one."""
    if segment_minutes is None:
        return video_seconds
    parts = []
    for seconds in video_seconds:
        count = math.ceil(seconds / 60 / segment_minutes)
        parts += [seconds / count] * count
    return parts


def host_costs(rows=20_000, parts=4):
    """Seconds of a commit with its wait for the disk; processor seconds of merging a row, with the real run
    folder, and of a message, pickled.
    """
    from multiprocessing import Pipe

    au_names = find("builtin").card.au_names
    schema = output_schema(au_names)
    generator = np.random.default_rng(0)
    faces = Faces(
        generator.random((rows, 4), np.float32) * 300,
        generator.random(rows, np.float32),
        generator.random((rows, 5, 2), np.float32) * 300,
        np.zeros(rows, np.int32),
    )
    probabilities = generator.random((rows, len(au_names)), np.float32)
    table = Rows(
        frame_indices=np.arange(rows, dtype=np.int32),
        pts_seconds=np.arange(rows) / FPS,
        has_face=np.ones(rows, bool),
        faces=faces,
        pose_degrees=generator.random((rows, 3), np.float32),
        sharpness=generator.random(rows, np.float32),
        valid=np.ones(rows, bool),
        probabilities=probabilities,
        occurrences=probabilities > 0.5,
        au_names=au_names,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = [PlannedInput(f"{i}.mp4", f"{i}.mp4", f"key{i}") for i in range(parts)]
        entries, commits = [], []
        with RunFolder(output_place(folder / "out.parquet", []), schema, lambda _: {}) as run:
            run.plan(inputs)
            for one in inputs:
                spool = Spool(run.spool_path(one.key), schema)
                spool.write(rows_to_batch(schema, table, video=one.video))
                spool.finish(run.part_path(one.key))
                entry = ReportEntry(
                    one.video, one.path, "ok", rows=rows, frames=rows, faces=rows, tracks=1, key=one.key
                )
                start = time.perf_counter()
                entries.append(run.commit(entry))
                commits.append(time.perf_counter() - start)
            start = time.process_time()
            run.merge(entries)
            merge = (time.process_time() - start) / (rows * parts)
    here, there = Pipe()
    start = time.process_time()
    for _ in range(2000):
        here.send(("event", VideoProgress("videos/some name.mp4", 12345)))
        there.recv()
    return {
        "commit": sorted(commits)[len(commits) // 2],
        "merge": merge,
        "message": (time.process_time() - start) / 2000,
    }


def stage_costs(path, goal_fps, host):
    """`Costs` from a recorded result, or of a device that reaches the goal; and whether it was a CPU."""
    recorded = json.loads(Path(path).read_text())
    per_frame = {stage: value / 1000 for stage, value in recorded["ms_per_frame"].items()}
    on_cpu = recorded["machine"]["gpu"] is None or "cpu" in recorded["benchmark"]
    decode, device = per_frame["decode"], sum(per_frame[stage] for stage in DEVICE_STAGES)
    if goal_fps:
        decode, device, on_cpu = 0.0, 1 / goal_fps, False
    return Costs(decode, device, per_frame["write"], **host), on_cpu


def judged(result):
    """The busiest resource, and by what the one after it could still grow."""
    order = sorted(result["busy"].items(), key=lambda item: -item[1])
    (first, most), (second, next_most) = order[:2]
    headroom = round(most / next_most, 1) if next_most else None
    return result | {"bottleneck": first, "next": second, "times_until_next": headroom}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=Path, default=RESULTS / "bench_extract_cpu_every3.json")
    parser.add_argument("--goal-fps", type=float, help="frames a second of a device: a goal, no measurement")
    parser.add_argument("--videos-per-device", type=int, default=24)
    parser.add_argument("--minutes", type=float, default=10, help="median length of a video")
    parser.add_argument("--mbits", type=float, default=6, help="bit rate of the videos: 1080p H.264")
    parser.add_argument("--decoders", type=int, default=7, help="of a device: seven on an H100 or H200")
    parser.add_argument("--in-flight", type=int, default=8, help="videos of a device")
    parser.add_argument("--cores", type=int, default=64, help="of a node")
    parser.add_argument("--segment", type=float, help="minutes: longer videos are split over devices")
    parser.add_argument("--storage", type=float, default=10, help="GB a second, for all nodes together")
    parser.add_argument("--result", default="simulate_scaling")
    args = parser.parse_args()
    host = host_costs()
    costs, on_cpu = stage_costs(args.times, args.goal_fps, host)
    rows = []
    for nodes, devices in ((1, 1), (1, 8), (8, 8), (64, 8)):
        cluster = Cluster(
            nodes,
            devices,
            args.decoders,
            1 if on_cpu else args.in_flight,
            args.cores,
            args.storage,
            args.mbits,
            shares_core=on_cpu,
        )
        videos = split(lengths(args.videos_per_device * nodes * devices, args.minutes), args.segment)
        row = {"nodes": nodes, "devices": devices, **judged(simulate(cluster, costs, videos))}
        row["efficiency"] = round(row["fps"] / (rows[0]["fps"] * nodes * devices), 3) if rows else 1.0
        rows.append(row)
        print(row, flush=True)
    save(
        args.result,
        {
            "stage_times": "a goal, no measurement" if args.goal_fps else args.times.name,
            "goal_fps": args.goal_fps,
            "seconds": {name: float(f"{value:.4g}") for name, value in vars(costs).items()},
            "assumed": {
                key: getattr(args, key)
                for key in (
                    "videos_per_device",
                    "minutes",
                    "mbits",
                    "decoders",
                    "in_flight",
                    "cores",
                    "storage",
                    "segment",
                )
            },
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()

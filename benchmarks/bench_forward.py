"""How fast is a network, and how much memory does it take, in the paper's plain form and in ours?

For each network, batch size and mode (eval, or one step of training with AdamW) the forms take turns,
because machines are noisy; figures are medians over the rounds. Networks have the golden files' weights.

- `plain`: separate AU blocks and a map for every pair of AUs; of SCC, an edge convolution for every node and
  neighbour (`aucli_models.plain`).
- `ours`: the exact cheap form, in eval mode with batch norms folded, as `extract` runs it. On a GPU it also
  runs compiled (`compiled`) and as a CUDA graph (`graph`).
- MDHR has other forms, in eval mode alone: `clip`, the authors' clips of 16 frames, and `track`, the next
  frames of one long sequence, as `extract` runs it. A batch is so many frames, 16 or a multiple; `speedup` is
  against `clip` (above 0.77: a frame of a track costs less than 1.3 times one of a clip). `track` has frames
  in its neighbourhood that `clip` has not, so there is no `max_difference`.
- On the CPU there is one thread by default; `images_per_cpu_s` counts the thread's own CPU time, which other
  programs disturb least; `speedup`, against `plain` in the same precision, is taken from it.
- Large batches on the CPU run once, in a process of their own and after a batch of one picture: `runs` 1.
- `peak_mib` is what one run takes beyond what stays (network, optimiser, pictures): the peak of resident
  memory of a process of its own on the CPU, of the allocator on a GPU. The plain form is left out where it
  would not fit, with an estimate of what it needs.
- `gmac_per_image`: thousand million multiply-accumulates for one picture, in eval mode, as torch counts them.
- `max_difference`: largest difference of a probability (of SCC: of an intensity in a map) from the same
  form's in float32; for `ours` in float32 from `plain`, for the other forms in float32 from `ours`.

    python benchmarks/bench_forward.py                      # two networks, a few minutes on one core
    python benchmarks/bench_forward.py --networks all --batches 1 8 64 --continue     # hours on one core
    python benchmarks/bench_forward.py --networks scc_resnet50.bp4d_intensity_stage1 --continue
    python benchmarks/bench_forward.py --networks mdhr_resnet50.bp4d_stage1 --modes eval --batches 16
    python benchmarks/bench_forward.py --device cuda --networks me_graphau_swin_base.bp4d_stage2
"""

import argparse
import contextlib
import gc
import itertools
import json
import math
import multiprocessing
import os
import resource
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from machine import RESULTS, machine, save, write
from torch.utils.flop_counter import FlopCounterMode

from aucli.training.losses import edge_loss, weighted_asymmetric_loss
from aucli_models.au_points import UNIT
from aucli_models.backbones import BACKBONES
from aucli_models.fold import folded
from aucli_models.mdhr import CLIP_FRAMES
from aucli_models.mdhr_stream import Streams
from aucli_models.open_graphau import MAIN_AUS
from aucli_models.output import IntensityOutput
from aucli_models.plain import to_plain
from aucli_models.registry import ModelSpec, create_model

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.models import golden

DEFAULT = ["me_graphau_resnet50.bp4d_stage2", "open_graphau_resnet50.hybrid_stage2"]
ALL = [
    f"{system}_{backbone}.{au_set}_stage2"
    for system, au_set in (("me_graphau", "bp4d"), ("open_graphau", "hybrid"))
    for backbone in BACKBONES
    if backbone != "resnet10_small" and (system, backbone) != ("me_graphau", "mae_vit_base")
]
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
MIN_SECONDS = 0.3  # of one measurement: small batches are run several times
SHARE = 0.8  # of the free memory that a run may take
LARGE = 32  # pictures: from here on a CPU runs a batch once


def spec_of(name: str) -> ModelSpec:
    """`open_graphau_resnet50.hybrid_stage2` as a spec."""
    try:
        head, tail = name.split(".")
        system = next(s for s in ("me_graphau", "open_graphau", "scc", "mdhr") if head.startswith(f"{s}_"))
        au_set, stage = tail.split("_stage")
        backbone = head.removeprefix(f"{system}_")
        size = 112 if BACKBONES[backbone].placed_tokens else 256 if system == "scc" else 224
        return ModelSpec(system, backbone, au_set, int(stage), size, intensity=system == "scc")
    except (ValueError, KeyError, StopIteration):
        raise SystemExit(f"{name!r} is no network: write for instance {DEFAULT[0]}") from None


@dataclass(frozen=True)
class Case:
    name: str
    form: str  # plain, ours, compiled, graph; of mdhr clip, track
    precision: str
    batch: int
    training: bool
    device: str
    threads: int

    def build(self):
        """The network, and pictures and labels of the batch, on the device."""
        torch.set_num_threads(self.threads)
        spec = spec_of(self.name)
        torch.manual_seed(0)
        if spec.system in ("scc", "mdhr"):
            network = at_random(spec)
        else:
            network = golden.loaded(spec, golden.formula_state(spec))
        if self.form == "plain":
            network = to_plain(network)
        elif not self.training:
            network = folded(network)
        network = network.to(self.device, memory_format=torch.channels_last)
        network.train(self.training).requires_grad_(self.training)
        images = golden.normalised(golden.images(1, self.batch))
        images = F.interpolate(images, spec.input_size)
        images = images.to(self.device, memory_format=torch.channels_last)
        labels = (torch.rand(self.batch, len(spec.au_names)) < 0.4).float().to(self.device)
        return network, images, labels

    def runner(self, network, images, labels):
        """A function that runs the batch once; in eval mode it returns the probabilities."""
        dtype = DTYPES[self.precision]
        kind = torch.device(self.device).type
        call = torch.compile(network) if self.form == "compiled" else network

        def forward(*, edges=False):
            with torch.autocast(kind, dtype, enabled=dtype is not None):
                return call(images) if self.name.startswith("scc") else call(images, edges=edges)

        if self.training:
            optimiser = torch.optim.AdamW(network.parameters(), lr=1e-6)

            def step():
                out = forward(edges=True)
                if isinstance(out, IntensityOutput):
                    loss = out.heatmaps.square().mean()  # towards an intensity of 0
                    optimiser.zero_grad(set_to_none=True)
                    loss.backward()
                    optimiser.step()
                    return
                loss = weighted_asymmetric_loss(out.probabilities, labels)
                if out.edge_logits is not None:
                    loss = loss + 0.05 * edge_loss(out.edge_logits, labels)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()

            return step

        if self.form == "track":
            streams = Streams(network)

            def go_on():
                with torch.inference_mode(), torch.autocast(kind, dtype, enabled=dtype is not None):
                    ((_, found),) = streams.push(images, ["one"] * len(images))
                return found

            go_on()  # from the second call on as many outputs come as frames
            return go_on

        def clips():
            with torch.inference_mode(), torch.autocast(kind, dtype, enabled=dtype is not None):
                return network(images.unflatten(0, (-1, CLIP_FRAMES))).probabilities

        if self.form == "clip":
            return clips

        def evaluate():
            with torch.inference_mode():
                out = forward()
            return out.heatmaps / UNIT if isinstance(out, IntensityOutput) else out.probabilities

        return captured(evaluate) if self.form == "graph" else evaluate


def at_random(spec: ModelSpec):
    """A network with random weights and batch norms that have seen a few pictures."""
    network = create_model(spec).train()
    pictures = F.interpolate(golden.normalised(golden.images(2, 2)), spec.input_size)
    with torch.no_grad():
        network(pictures.unsqueeze(0) if spec.system == "mdhr" else pictures)
    return network.eval()


def work(case: Case) -> dict[str, float]:
    """What a picture costs in eval mode; nothing for other cases, whose work is the same or not counted."""
    if case.training or case.precision != "fp32" or case.form in ("compiled", "graph"):
        return {}
    run = case.runner(*case.build())
    with FlopCounterMode(display=False) as counter:
        run()
    return {"gmac_per_image": round(counter.get_total_flops() / 2e9 / case.batch, 3)}


def captured(run):
    """The run as one CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = run()

    def replay():
        graph.replay()
        return result

    return replay


def timed(run, device: str) -> tuple[float, float]:
    """Wall and CPU seconds of one run; as many runs as fill `MIN_SECONDS`."""
    synchronise(device)
    runs, wall, cpu = 0, time.perf_counter(), time.thread_time()
    while runs == 0 or time.perf_counter() - wall < MIN_SECONDS:
        run()
        runs += 1
        if runs % 8 == 0:
            synchronise(device)
    synchronise(device)
    return (time.perf_counter() - wall) / runs, (time.thread_time() - cpu) / runs


def synchronise(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


@dataclass(frozen=True)
class Once:
    """One run: MiB that it takes beyond what is there before and after it, wall and CPU seconds."""

    peak_mib: float
    wall: float
    cpu: float


def once(case: Case, warm_up: int) -> Once | None:
    """A run after one of `warm_up` pictures, on the CPU; None where the memory does not suffice."""
    limit = status_kib("VmSize") * 1024 + int(SHARE * available("cpu"))
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        return _once(case, warm_up)
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error):
            raise
        return None


def _once(case: Case, warm_up: int) -> Once:
    network, images, labels = case.build()
    case.runner(network, images[:warm_up], labels[:warm_up])()
    run = case.runner(network, images, labels)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the kernel's peak starts again from here
    before = status_kib("VmRSS")
    wall, cpu = time.perf_counter(), time.thread_time()
    run()
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return Once((status_kib("VmHWM") - before) / 2**10, wall, cpu)


def peak(case: Case) -> float:
    """MiB that a run takes beyond what stays; the first run is not counted."""
    if case.device == "cpu":
        found = in_fresh_process(case, case.batch)
        return math.nan if found is None else found.peak_mib
    run = case.runner(*case.build())
    run()
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def status_kib(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])


def in_fresh_process(case: Case, warm_up: int) -> Once | None:
    # Freed memory must go back at once, or the next run takes it unseen.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = os.environ["MALLOC_TRIM_THRESHOLD_"] = "65536"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(once, case, warm_up).result()


def plain_needs(spec: ModelSpec, batch: int, *, training: bool) -> int:
    """Bytes, roughly: maps of every pair that exist at once."""
    if spec.stage == 1:
        return 0
    nodes = len(MAIN_AUS) if spec.system == "open_graphau" else len(spec.au_names)
    tokens = 196 if spec.backbone == "mae_vit_base" else 49
    maps = 7 if training else 4
    return maps * 4 * batch * nodes**2 * tokens * (BACKBONES[spec.backbone].out_channels + tokens // 2)


def available(device: str) -> int:
    if device != "cpu":
        return int(torch.cuda.mem_get_info()[0])
    lines = Path("/proc/meminfo").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1])


def forms(name: str, device: str, *, training: bool) -> list[str]:
    """The first is the one that others are compared with."""
    if name.startswith("mdhr"):
        return [] if training else ["clip", "track"]
    return ["plain", "ours", *(["compiled", "graph"] if device != "cpu" and not training else [])]


def run_once(row: dict[str, object], case: Case) -> list[tuple[dict[str, object], list[tuple[float, float]]]]:
    """The row with its seconds, or nothing where it does not fit; fills in the row."""
    found = in_fresh_process(case, CLIP_FRAMES if case.form == "clip" else 1)
    if found is None:
        row["left_out"] = f"needs more than {SHARE * available('cpu') / 2**30:.0f} GiB"
        return []
    row |= {"runs": 1, "peak_mib": round(found.peak_mib, 1)}
    return [(row, [(found.wall, found.cpu)])]


def add_differences(rows: list[dict[str, object]], outputs: dict[tuple[str, str], torch.Tensor]) -> None:
    for row in rows:
        if row["form"] in ("clip", "track"):
            continue
        key = row["precision"], row["form"]
        other = {"plain": "plain", "ours": "plain"}.get(row["form"], "ours")
        reference = ("fp32", other if row["precision"] == "fp32" else row["form"])
        if reference in outputs and key != reference:
            row["max_difference"] = float((outputs[key] - outputs[reference]).abs().max())


def measure(name: str, batch: int, training: bool, args: argparse.Namespace) -> list[dict[str, object]]:
    """The rows of one network, batch and mode: every form and precision, in alternating rounds."""
    needs = plain_needs(spec_of(name), batch, training=training)
    fits = needs < SHARE * available(args.device)
    large = args.device == "cpu" and batch >= LARGE
    rows, running, single = [], [], []
    for precision in args.precisions:
        for form in forms(name, args.device, training=training):
            case = Case(name, form, precision, batch, training, args.device, args.threads)
            mode = "train" if training else "eval"
            row = {"network": name, "mode": mode, "batch": batch, "precision": precision, "form": form}
            rows.append(row)
            if form == "plain" and not fits:
                row["left_out"] = f"needs about {needs / 2**30:.0f} GiB"
                continue
            if large:
                single += run_once(row, case)
                continue
            row |= work(case)
            if args.memory:
                row["peak_mib"] = round(peak(case), 1)
            running.append((row, case.runner(*case.build())))
    outputs = {}
    for row, run in running:  # warm; the first output is also the one that is compared
        output = run()
        outputs[row["precision"], row["form"]] = None if training else output.clone()
    if not training:
        add_differences([row for row, _ in running], outputs)
    times = [[] for _ in running]
    for _ in range(args.rounds):
        for (_, run), seconds in zip(running, times, strict=True):
            seconds.append(timed(run, args.device))
    which = 1 if args.device == "cpu" else 0  # CPU time, or wall time with a GPU
    timed_rows = single + [(row, seconds) for (row, _), seconds in zip(running, times, strict=True)]
    first = ("plain", "clip")
    plain = {row["precision"]: seconds for row, seconds in timed_rows if row["form"] in first}
    for row, seconds in timed_rows:
        row["images_per_s"] = round(batch / statistics.median(wall for wall, _ in seconds), 2)
        if args.device == "cpu":
            row["images_per_cpu_s"] = round(batch / statistics.median(cpu for _, cpu in seconds), 2)
        if row["form"] not in first and row["precision"] in plain:
            ratios = (a[which] / b[which] for a, b in zip(plain[row["precision"]], seconds, strict=True))
            row["speedup"] = round(statistics.median(ratios), 2)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=DEFAULT, metavar="NAME", help="names, or `all`")
    parser.add_argument("--batches", nargs="+", type=int, help="default: 1 8 on the CPU, 1 8 64 on a GPU")
    parser.add_argument("--modes", nargs="+", choices=["eval", "train"], default=["eval", "train"])
    parser.add_argument("--precisions", nargs="+", choices=list(DTYPES), help="fp32 is always among them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-memory", dest="memory", action="store_false", help="times only")
    parser.add_argument(
        "--continue", dest="go_on", action="store_true", help="keep what the result has; measure the rest"
    )
    parser.add_argument("--result", help="name of the result file, default bench_forward_DEVICE")
    args = parser.parse_args()
    on_cpu = args.device == "cpu"
    names = ALL if args.networks == ["all"] else args.networks
    batches = args.batches or ([1, 8] if on_cpu else [1, 8, 64])
    wanted = args.precisions or (["fp32"] if on_cpu else list(DTYPES))
    args.precisions = ["fp32", *(precision for precision in wanted if precision != "fp32")]
    for name in names:
        if spec_of(name).system == "mdhr" and any(batch % CLIP_FRAMES for batch in batches):
            raise SystemExit(f"{name}: give --batches of {CLIP_FRAMES} frames or a multiple")
    torch.set_num_threads(args.threads)
    file = args.result or f"bench_forward_{args.device.replace(':', '')}"
    about = {"device": args.device, "threads": args.threads, "rounds": args.rounds}
    rows = measured(file, about) if args.go_on else []
    there = {(row["network"], row["batch"], row["mode"]) for row in rows}
    for name, batch, mode in itertools.product(names, batches, args.modes):
        if (name, batch, mode) in there:
            continue
        rows += measure(name, batch, mode == "train", args)
        write(file, {**about, "rows": rows})
        gc.collect()
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()
    save(file, {**about, "rows": rows})


def measured(file: str, about: dict[str, object]) -> list[dict[str, object]]:
    """Rows of an earlier run, if it was the same benchmark on such a machine."""
    path = RESULTS / f"{file}.json"
    if not path.is_file():
        return []
    result = json.loads(path.read_text())
    same = [result["machine"][key] == machine()[key] for key in ("cpu", "gpu", "packages")]
    if not all(same) or any(result[key] != value for key, value in about.items()):
        raise SystemExit(f"{path}: is of another machine or of other options; leave --continue out")
    return result["rows"]


if __name__ == "__main__":
    main()

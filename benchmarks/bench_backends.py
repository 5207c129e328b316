"""Is another backend faster on the CPU than torch as it is? Rule: taken only if 1.3 times so, end to end.

The built-in network with a batch of 8 and MTCNN's three with the shapes of a 720p picture with one face, in
float32, one thread, in alternating rounds. Time is the processor's, of all threads of this process, because
OpenVINO works in a thread of its own and other programs must not count; `faster` is the median over the
rounds of the ratio to `eager`.

- `eager`: as `extract` runs them: batch norms folded, channels last.
- `compiled`: torch.compile with inductor's freezing, one fixed shape each.
- `openvino`, `onnxruntime`: the same network through ONNX.

End to end: the pipeline of a 720p clip is timed with one thread, with the networks' own share in it, and a
backend is given the whole gain of each network where it is faster (conversion of arrays and batches of other
sizes would take some of it back). So `end_to_end_at_most` is an upper bound, from measured times.

    pip install --target /tmp/backends openvino onnxruntime onnx onnxscript
    PYTHONPATH=/tmp/backends:. python benchmarks/bench_backends.py [--backends eager openvino] [--rounds 9]
"""

import argparse
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch
from limits import matrix_gflops
from machine import save
from people import people
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.faces.detect import make_detector
from aucli.inference.batch_size import CPU_BATCH
from aucli.inference.pipeline import analyse
from aucli.inference.predictor import Predictor
from aucli.media.decode import open_decoder
from tests.clips import write_clip

NEEDED = 1.3
FRAMES = 41


class Probabilities(nn.Module):
    """A network with one tensor as its output."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images).probabilities


def networks(detector, predictor):
    """Each network with pictures of the shape that it mostly sees."""
    size = predictor.card.crop.size
    # 720p with --min-face 40 begins with 217 x 385; some 60 squares reach R-net, 5 looks O-net.
    shapes = {
        "network": (Probabilities(predictor.network), (CPU_BATCH, 3, size, size)),
        "pnet": (detector.pnet, (1, 3, 217, 385)),
        "rnet": (detector.rnet, (60, 3, 24, 24)),
        "onet": (detector.onet, (5, 3, 48, 48)),
    }
    generator = torch.manual_seed(0)
    return {
        name: (
            module.eval(),
            torch.randn(shape, generator=generator).contiguous(memory_format=torch.channels_last),
        )
        for name, (module, shape) in shapes.items()
    }


def eager(module, images, _folder):
    return lambda: module(images)


def compiled(module, images, _folder):
    import torch._inductor.config

    torch._inductor.config.freezing = True
    run = torch.compile(module)
    return lambda: run(images)


def onnx_file(module, images, folder):
    path = folder / "network.onnx"
    torch.onnx.export(module, (images,), path, dynamo=True, verbose=False)
    return path


def openvino(module, images, folder):
    import openvino as ov

    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    network = ov.Core().compile_model(onnx_file(module, images, folder), "CPU", settings)
    request = network.create_infer_request()
    array = images.contiguous().numpy()

    def run():
        found = request.infer([array])
        return [torch.from_numpy(found[number]) for number in range(len(network.outputs))]

    return run


def onnxruntime(module, images, folder):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        onnx_file(module, images, folder), options, providers=["CPUExecutionProvider"]
    )
    name, array = session.get_inputs()[0].name, images.contiguous().numpy()
    return lambda: [torch.from_numpy(value) for value in session.run(None, {name: array})]


BACKENDS = {"eager": eager, "compiled": compiled, "openvino": openvino, "onnxruntime": onnxruntime}


def tensors(output):
    return [output] if isinstance(output, torch.Tensor) else list(output)


@torch.no_grad()
def compare(module, images, backends, rounds):
    """Per backend: milliseconds, ratio to eager, largest difference; what does not run says why."""
    runs, rows = {}, {}
    with tempfile.TemporaryDirectory() as name:
        for backend in backends:
            folder = Path(name) / backend
            folder.mkdir()
            try:
                run = BACKENDS[backend](module, images, folder)
                output = tensors(run())
            except Exception as error:  # a backend that cannot take a network is a result
                rows[backend] = {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
                continue
            want = tensors(module(images))
            difference = max(float((a - b).abs().max()) for a, b in zip(output, want, strict=True))
            runs[backend] = run
            rows[backend] = {"max_difference": difference}
        times = {backend: [] for backend in runs}
        for _ in range(rounds):
            for backend, run in runs.items():
                start = time.process_time()
                run()
                times[backend].append(time.process_time() - start)
    for backend, found in times.items():
        ratios = [a / b for a, b in zip(times["eager"], found, strict=True)]
        rows[backend] |= {
            "ms": round(1000 * statistics.median(found), 3),
            "faster": round(statistics.median(ratios), 3),
        }
    return rows


def shares(detector, predictor):
    """Processor seconds of the pipeline with one thread, and of each network within."""
    spent = dict.fromkeys(("network", "pnet", "rnet", "onet"), 0.0)

    def counted(name, call):
        def run(*args, **named):
            start = time.thread_time()
            try:
                return call(*args, **named)
            finally:
                spent[name] += time.thread_time() - start

        return run

    modules = {
        "network": predictor.network,
        "pnet": detector.pnet,
        "rnet": detector.rnet,
        "onet": detector.onet,
    }
    config = ExtractConfig(detect_every=5)
    with tempfile.TemporaryDirectory() as folder:
        clip = write_clip(Path(folder) / "clip.mp4", people(1280, 720, 1, FRAMES))

        def once():
            with open_decoder(Source(clip, clip.name)) as decoder:
                for _chunk in analyse(decoder, detector, predictor, config, threaded=False):
                    pass

        once()
        for name, module in modules.items():
            module.forward = counted(name, module.forward)
        start = time.thread_time()
        once()
        whole = time.thread_time() - start
        for module in modules.values():
            del module.forward
    return whole, spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), choices=BACKENDS)
    parser.add_argument("--networks", nargs="+", default=["network", "pnet", "rnet", "onet"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--result", default="bench_backends_cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    backends = ["eager", *(name for name in args.backends if name != "eager")]
    detector, predictor = make_detector("mtcnn"), Predictor("builtin")
    whole, spent = shares(detector, predictor)
    rate = matrix_gflops()
    rows = {}
    for name, (module, images) in networks(detector, predictor).items():
        if name not in args.networks:
            continue
        rows[name] = compare(module, images, backends, args.rounds)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(images)
        flops = counter.get_total_flops()
        rows[name]["limit_ms"] = round(flops / rate / 1e6, 3)
        print(name, rows[name], flush=True)
    gains = {}
    for backend in backends[1:]:
        saved = sum(
            spent[name] * (1 - 1 / row[backend]["faster"])
            for name, row in rows.items()
            if row[backend].get("faster", 0) > 1
        )
        gains[backend] = round(whole / (whole - saved), 3)
    installed = {}
    for package in ("openvino", "onnxruntime", "onnx"):
        if package in backends or package == "onnx":
            installed[package] = version(package)
    save(
        args.result,
        {
            "rounds": args.rounds,
            "threads": 1,
            "matrix_gflops": round(rate, 1),
            "pipeline_ms_per_frame": round(1000 * whole / FRAMES, 2),
            "share_of_pipeline": {name: round(value / whole, 3) for name, value in spent.items()},
            "networks": rows,
            "end_to_end_at_most": gains,
            "needed": NEEDED,
            "taken": [backend for backend, gain in gains.items() if gain > NEEDED],
            "backends": installed,
        },
    )


if __name__ == "__main__":
    main()

"""Padding, cutting and refusal of the fixed batch. On a CPU a "capture" is the run itself, which works on
the same fixed memory as a graph does; the graph itself is tested where there is a GPU.
"""

import logging
import threading

import pytest
import torch

from aucli.inference.fixed_batch import FixedBatch, fixed_if_safe
from aucli.inference.predictor import Predictor
from aucli_models.output import AUOutput


def network(images):
    """A face's result depends on that face alone."""
    means = images.mean((2, 3))
    return AUOutput(means.sigmoid(), edge_logits=None, intensity=5 * means)


class Capture:
    """As a graph does: the outputs are one piece of memory, written again by each replay."""

    def __init__(self):
        self.replays = 0

    def __call__(self, run):
        fixed = run()

        def replay():
            self.replays += 1
            new = run()
            fixed.probabilities.copy_(new.probabilities)
            fixed.intensity.copy_(new.intensity)
            return fixed

        return replay


def faces(count, seed=0):
    return torch.rand(count, 3, 8, 8, generator=torch.manual_seed(seed))


@pytest.mark.parametrize("count", [1, 5, 6])
def test_fewer_faces_are_completed_and_cut_off(count):
    capture = Capture()
    fixed = FixedBatch(network, faces(6), capture)
    given = faces(count, seed=1)
    found, want = fixed(given), network(given)
    assert torch.equal(found.probabilities, want.probabilities)
    assert torch.equal(found.intensity, want.intensity)
    assert found.edge_logits is None
    assert capture.replays == 1


def test_results_are_not_written_over_by_the_next_batch():
    fixed = FixedBatch(network, faces(4), Capture())
    first, second = faces(4, seed=1), faces(2, seed=2)
    found = fixed(first)
    assert not torch.equal(found.probabilities[:2], fixed(second).probabilities)
    assert torch.equal(found.probabilities, network(first).probabilities)


def test_threads_do_not_mix_their_faces():
    fixed = FixedBatch(network, faces(4), Capture())
    wrong = []

    def work(seed):
        given = faces(4, seed)
        wrong.extend(
            not torch.equal(fixed(given).probabilities, network(given).probabilities) for _ in range(50)
        )

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 150
    assert not any(wrong)


def test_what_cannot_be_captured_is_left_out_with_the_reason(caplog):
    def refuse(run):
        raise RuntimeError("operation not permitted when stream is capturing\ndetails")

    with caplog.at_level(logging.INFO, "aucli"):
        assert fixed_if_safe(network, faces(4), 1e-4, refuse) is None
    assert "operation not permitted" in caplog.text


def test_a_capture_with_other_results_is_refused(caplog):
    def wrong(run):
        stale = run()  # of the memory as it was, whatever comes later
        return lambda: stale

    assert fixed_if_safe(network, faces(4), 1e-4, wrong) is None
    assert "its results are off" in caplog.text
    assert fixed_if_safe(network, faces(4), 1e-4, Capture()) is not None


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_graph_gives_the_networks_probabilities(precision):
    predictor = Predictor("builtin", device="cuda", precision=precision, batch_size=16)
    assert predictor._graph is not None
    size = predictor.card.crop.size
    crops = (torch.rand(41, 3, size, size, generator=torch.manual_seed(0)) * 255).cuda()
    found = predictor(crops)  # two full batches and one of nine
    predictor._graph = None
    plain = predictor(crops)
    assert abs(found.outputs - plain.outputs).max() < (1e-4 if precision == "fp32" else 0.02)
    on_cpu = Predictor("builtin")(crops.cpu())
    assert abs(found.outputs - on_cpu.outputs).max() < (1e-3 if precision == "fp32" else 0.02)


@pytest.mark.gpu
def test_the_batch_of_a_gpu_is_measured_and_remembered():
    first = Predictor("builtin", device="cuda", precision="bf16")
    assert first._memory.bytes_per_face > 0
    assert first.batch_size >= 8
    again = Predictor("builtin", device="cuda", precision="bf16")
    assert again._bytes_per_face == first._bytes_per_face


@pytest.mark.gpu
def test_a_gpu_that_is_full_is_met_with_smaller_batches():
    predictor = Predictor("builtin", device="cuda", batch_size=512)
    size = predictor.card.crop.size
    crops = (torch.rand(512, 3, size, size, generator=torch.manual_seed(0)) * 255).cuda()
    want = predictor(crops).outputs
    predictor._graph = None
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    allowed = (torch.cuda.memory_allocated() + 200 * 2**20) / total
    torch.cuda.set_per_process_memory_fraction(allowed)
    try:
        found = predictor(crops).outputs
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert predictor.batch_size < 512
    assert abs(found - want).max() < 1e-4
    assert predictor.take_notes()

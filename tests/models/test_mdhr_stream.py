"""Sequences in pieces against the same sequences as one clip, and against the authors' clips of 16."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from aucli_models.mdhr_stream import Streams
from tests.models.small_mdhr import moving, small

LENGTHS = {"long": 37, "short": 9, "two": 2, "one": 1, "sixteen": 16}


@pytest.fixture(scope="module")
def network():
    return small()


@pytest.fixture(scope="module")
def sequences():
    return {name: moving(1, frames, seed)[0] for seed, (name, frames) in enumerate(LENGTHS.items())}


def close(got, want, atol=1e-6):
    np.testing.assert_allclose(got, want, rtol=0, atol=atol)


def streamed(streams, sequences, sizes):
    """All sequences side by side, their frames dealt round into batches of these sizes, again and again."""
    length = max(map(len, sequences.values()))
    faces = [(name, x[frame]) for frame in range(length) for name, x in sequences.items() if frame < len(x)]
    outputs = {name: [] for name in sequences}
    turn = 0
    while faces:
        batch, faces = faces[: sizes[turn % len(sizes)]], faces[sizes[turn % len(sizes)] :]
        for name, part in streams.push(torch.stack([x for _, x in batch]), [name for name, _ in batch]):
            outputs[name].append(part)
        turn += 1
    for name in sorted(streams.open):
        outputs[name].append(streams.end(name))
    assert not streams.open
    return {name: torch.cat(parts) for name, parts in outputs.items()}


@pytest.mark.parametrize("sizes", [(1,), (3, 1, 8), (64,)], ids=["one", "uneven", "whole"])
def test_a_track_is_one_clip_whatever_the_batches(network, sequences, sizes):
    found = streamed(Streams(network), sequences, sizes)
    for name, frames in LENGTHS.items():
        clip = sequences[name] if frames > 1 else sequences[name].expand(16, -1, -1, -1)
        close(found[name], network(clip.unsqueeze(0)).probabilities[0, :frames])


@pytest.mark.parametrize("sizes", [(5,), (64,)])
def test_official_clips_are_of_16_frames_the_last_one_filled(network, sequences, sizes):
    found = streamed(Streams(network, 16), sequences, sizes)
    for name, frames in LENGTHS.items():
        want = []
        for start in range(0, frames, 16):
            clip = sequences[name][start : start + 16]
            filled = torch.cat([clip, clip[-1:].expand(16 - len(clip), -1, -1, -1)])
            want.append(network(filled.unsqueeze(0)).probabilities[0, : len(clip)])
        close(found[name], torch.cat(want))


def test_both_modes_differ_near_the_ends_of_clips(network, sequences):
    """So that neither test above can pass for the other mode."""
    one = {"long": sequences["long"]}
    apart = streamed(Streams(network), one, (8,))["long"] - streamed(Streams(network, 16), one, (8,))["long"]
    apart = apart.abs().amax(1)
    assert apart[16] > 1e-3
    assert apart[8] < 1e-6


def test_outputs_come_seven_frames_late_and_nothing_grows(network, sequences):
    streams = Streams(network)
    known = 0
    kept = []
    for number, image in enumerate(moving(1, 60, 9)[0], 1):
        ((_, part),) = streams.push(image.unsqueeze(0), ["one"])
        known += len(part)
        assert known == max(0, number - 7)
        (clip,) = streams._clips.values()
        tensors = [*clip._changes, *clip.last, clip._static, clip._nodes]
        kept.append(sum(x.untyped_storage().nbytes() for x in tensors if x is not None))
    assert kept[-1] == kept[20]


def test_each_frame_goes_through_the_backbone_and_the_difference_convolutions_once(network, sequences):
    counts = {"images": 0, "pairs": 0}

    def count(name):
        return lambda _module, inputs, _output: counts.update({name: counts[name] + len(inputs[0])})

    hooks = [
        network.backbone.register_forward_hook(count("images")),
        network.motion.changes[0].register_forward_hook(count("pairs")),
    ]
    try:
        streamed(Streams(network), {"long": sequences["long"]}, (4,))
    finally:
        for hook in hooks:
            hook.remove()
    assert counts == {"images": 37, "pairs": 36}


@pytest.mark.parametrize("size", [1, 8])
def test_a_frame_costs_no_more_than_in_a_clip(network, size):
    """Multiply-adds of 32 frames one after the other, against two clips of 16."""
    clips = moving(2, 16, 5)
    with FlopCounterMode(display=False) as in_clips:
        network(clips)
    with FlopCounterMode(display=False) as one_by_one:
        streamed(Streams(network), {"all": clips.flatten(0, 1)}, (size,))
    assert one_by_one.get_total_flops() < 1.05 * in_clips.get_total_flops()


def test_there_is_no_end_of_what_never_began(network):
    with pytest.raises(KeyError):
        Streams(network).end("nobody")

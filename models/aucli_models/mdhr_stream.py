"""MDHR over sequences of any length, as their frames come: each frame goes through the networks once.

    streams = Streams(network)
    for images, people in ...:                      # a batch of faces, each one the next of its sequence
        for person, probabilities in streams.push(images, people): ...
    for person in sorted(streams.open): ... streams.end(person)

A sequence that is one clip from its first to its last frame ("track") gives what `network` gives for it as
one clip, whatever the batches. Its outputs come up to 7 frames (`HALO`) late, and what is kept for it does
not grow. With `clip_frames` a sequence is divided into clips of that length, and the last one filled with its
last frame, as the authors test ("official").
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from copy import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor

from aucli_models.mdhr import CLIP_FRAMES, MDHR, TAPS
from aucli_models.mdhr_motion import REACH, mean_around

Key = TypeVar("Key", bound=Hashable)


class Streams(Generic[Key]):
    """The sequences that are not at their end, by a key of the caller's.

    Args:
        network: in eval mode.
        clip_frames: length of the clips that sequences are divided into; None for whole sequences.
    """

    def __init__(self, network: MDHR, clip_frames: int | None = None) -> None:
        self._network, self._clip_frames = network, clip_frames
        self._clips: dict[Key, _Clip] = {}
        self._still: list[Tensor] | None = None

    @property
    def open(self) -> frozenset[Key]:
        """The sequences with frames whose outputs are not known yet."""
        return frozenset(self._clips)

    def push(self, images: Tensor, keys: Sequence[Key]) -> list[tuple[Key, Tensor]]:
        """Go on with sequences, or begin them.

        images: float32 (faces, 3, side, side), normalised; keys: of their sequences, frames in their order.
        Returns, for each sequence, the outputs that are known now, float32 (frames, aus); in the order of its
        frames, each of them once. Where it raises it has done nothing, and the same faces may come again: in
        smaller batches, where memory ran out.
        """
        before = {key: copy(self._clips[key]) for key in set(keys) if key in self._clips}
        try:
            return self._push(images, keys)
        except BaseException:
            for key in set(keys):
                self._clips.pop(key, None)
            self._clips.update(before)
            raise

    def _push(self, images: Tensor, keys: Sequence[Key]) -> list[tuple[Key, Tensor]]:
        static, maps = self._network.appearance(images)
        clips: dict[_Clip, list[int]] = {}
        owners: dict[_Clip, Key] = {}
        ended: set[_Clip] = set()
        follows: list[tuple[int, int | _Clip]] = []  # a row, and what is before it
        for row, key in enumerate(keys):
            clip = self._clips.setdefault(key, _Clip())
            owners[clip] = key
            rows = clips.setdefault(clip, [])
            if rows:
                follows.append((row, rows[-1]))
            elif clip.last is not None:
                follows.append((row, clip))
            rows.append(row)
            if clip.frames + len(rows) == self._clip_frames:
                ended.add(clip)
                del self._clips[key]
        changes = self._changes(maps, follows)
        place = {row: number for number, (row, _) in enumerate(follows)}
        found = []
        for clip, rows in clips.items():
            clip.add(static[rows], [x[[place[row] for row in rows if row in place]] for x in changes])
            clip.last = [x[rows[-1]].clone() for x in maps]
            found.append((owners[clip], clip.outputs(self._network, final=clip in ended)))
        return found

    def end(self, key: Key) -> Tensor:
        """The outputs that a sequence still owes, float32 (frames, aus); it is forgotten.

        Raises:
            KeyError: no such sequence is open.
        """
        clip = self._clips.pop(key)
        frames = clip.frames
        # A single frame has no neighbour either; the authors' filling is what their network was trained on.
        length = self._clip_frames or (CLIP_FRAMES if frames == 1 else frames)
        if length > frames:
            clip.fill(length - frames, self._change_of_none(clip))
        owed = frames - clip.read
        return clip.outputs(self._network, final=True)[:owed]

    def _changes(self, maps: list[Tensor], follows: Sequence[tuple[int, int | _Clip]]) -> list[Tensor]:
        """What changes from the frame before to each of these rows, in one pass for all sequences."""
        if not follows:
            return [x.new_zeros(0, 1) for x in maps]
        rows = [row for row, _ in follows]
        differences = []
        for scale, x in enumerate(maps):
            before = [x[one] if isinstance(one, int) else one.map_before(scale) for _, one in follows]
            differences.append(x[rows] - torch.stack(before))
        return self._network.motion.change(differences)

    def _change_of_none(self, clip: _Clip) -> list[Tensor]:
        """The change from a frame to itself, (1, channels, 7, 7) per scale: not zero, but always the same."""
        if self._still is None:
            assert clip.last is not None
            self._still = self._network.motion.change([torch.zeros_like(x).unsqueeze(0) for x in clip.last])
        return self._still


class _Clip:
    """What is kept of a clip: the last frame's maps, and what frames to come still need.

    frames: so far. read: whose outputs were given.
    """

    def __init__(self) -> None:
        self.frames = self.read = 0
        self.last: list[Tensor] | None = None
        self._static: Tensor | None = None  # of frames whose motion is not whole
        self._changes: list[Tensor] = []  # from REACH before the first of these
        self._nodes: Tensor | None = None  # from TAPS // 2 before the first that is not read

    def map_before(self, scale: int) -> Tensor:
        """The last frame's map, (channels, side, side)."""
        assert self.last is not None  # only asked of clips with a frame
        return self.last[scale]

    def add(self, static: Tensor, changes: Sequence[Tensor]) -> None:
        """Frames that follow: tokens (frames, 49, channels); changes to them, one fewer in the first call."""
        self.frames += len(static)
        self._static = static if self._static is None else torch.cat([self._static, static])
        if not len(changes[0]):
            return
        if not self._changes:
            self._changes = [x.new_zeros(REACH, *x.shape[1:]) for x in changes]
        self._changes = [torch.cat(pair) for pair in zip(self._changes, changes, strict=True)]

    def fill(self, frames: int, still: Sequence[Tensor]) -> None:
        """Repeat the last frame."""
        assert self._static is not None
        self.add(self._static[-1:].expand(frames, -1, -1), [x.expand(frames, -1, -1, -1) for x in still])

    def outputs(self, network: MDHR, *, final: bool) -> Tensor:
        """Of all frames that nothing to come can change; final: nothing will come. float32 (frames, aus)."""
        if final:
            self._changes = [torch.cat([x, x.new_zeros(REACH, *x.shape[1:])]) for x in self._changes]
        assert self._static is not None
        whole = len(self._changes[0]) - 2 * REACH + 1 if self._changes else 0
        if whole > 0:
            nodes, _ = network.relate(self._static[:whole], [mean_around(x) for x in self._changes])
            self._static = self._static[whole:]
            self._changes = [x[whole:] for x in self._changes]
            if self._nodes is None:
                self._nodes = nodes.new_zeros(TAPS // 2, *nodes.shape[1:])
            self._nodes = torch.cat([self._nodes, nodes])
        nothing = torch.zeros(0, len(network.au_names), device=self._static.device)
        if self._nodes is None:
            return nothing
        if final:
            self._nodes = torch.cat([self._nodes, self._nodes.new_zeros(TAPS // 2, *self._nodes.shape[1:])])
        ready = len(self._nodes) - TAPS + 1
        if ready <= 0:
            return nothing
        read = network.read(self._nodes.unsqueeze(0))[0]
        self._nodes = self._nodes[ready:].clone()
        self.read += ready
        return read

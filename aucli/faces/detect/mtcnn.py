"""MTCNN as tensor operations only: no loop over candidates, none leaves the device before the end.

The same three steps, thresholds and box arithmetic as facenet-pytorch 2.5.3 (`detect_face.py`), which
the tests take as the oracle. What differs: all area averages come from one summed-area table (see
`integral`), candidates stay one tensor with a picture index, and the last suppression is vectorised.
Two things give other values, on purpose. Landmarks are the mean of five looks at slightly shifted
squares: O-net's single answer jumps with the square that the cascade happens to end with. Over a panned
photograph the standard deviation of the landmarks falls from 3.0 to 0.9 % of the distance between the
eyes, and a re-fit gives nearly the landmarks of a detection. And squares that reach beyond the picture's
edge are completed with black, as in the authors' MATLAB code. facenet-pytorch cuts them off and
stretches the rest, which puts the landmarks of a face at the edge off by up to a quarter of its width.

On the CPU pictures go through one at a time. Measured, batches are no faster there (small pictures
stay in the cache), and so what is found in a picture is the same to the last bit in any batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import batched_nms

from aucli.datatypes import Faces
from aucli.faces.detect.integral import crop_by_area, resize_by_area, summed_area
from aucli.faces.detect.mtcnn_nets import load_nets

THRESHOLDS = (0.6, 0.7, 0.7)  # smallest scores after P-net, R-net, O-net, as in facenet-pytorch
PYRAMID_FACTOR = 0.709  # about the square root of one half: each level has half the area
WINDOW = 12  # pixels, what P-net sees
STRIDE = 2  # pixels between its windows
LOOKS = ((0.0, 0.0), (0.05, 0.0), (-0.05, 0.0), (0.0, 0.05), (0.0, -0.05))  # in parts of the side
LOOK_SIZE = 0.87  # of the side
PIXELS_PER_CHUNK = 64 * 2**20  # on an accelerator; the tables take 12 bytes a pixel


def _normalise(crops: Tensor) -> Tensor:
    """Grey levels 0 to 255, channels last, to about -1 to 1, (pictures, 3, height, width)."""
    return crops.sub_(127.5).mul_(0.0078125).permute(0, 3, 1, 2)


def _change(boxes: Tensor, change: Tensor, extra: float) -> Tensor:
    """Moves each side by its change in parts of width and height; boxes (.., 4) are corners."""
    size = boxes[:, 2:] - boxes[:, :2] + extra
    return boxes + change * size.repeat(1, 2)


def _square(boxes: Tensor) -> Tensor:
    """Squares of the longer side about the same centres."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.amax(dim=1, keepdim=True)
    corner = boxes[:, :2] + size * 0.5 - side * 0.5
    return torch.cat([corner, corner + side], dim=1)


def _pixels(boxes: Tensor) -> Tensor:
    """int64 (boxes, 4): the pixels that a box covers, the last two past the end.

    Rounded as in facenet-pytorch, whose coordinates start at 1 (from MATLAB).
    """
    corners = boxes.trunc().long()
    first = corners[:, :2] - 1
    return torch.cat([first, torch.maximum(corners[:, 2:], first + 1)], dim=1)


def _suppress(boxes: Tensor, scores: Tensor, group: Tensor, limit: float) -> Tensor:
    """Rows to keep, best first: greedy suppression by overlap over union within each group."""
    # Doubles, because batched_nms shifts the groups far apart and would lose digits.
    kept: Tensor = batched_nms(boxes.double(), scores.double(), group, limit)
    return kept


def _suppress_contained(boxes: Tensor, scores: Tensor, picture: Tensor, limit: float) -> Tensor:
    """Rows to keep, best first: greedy suppression by overlap over the *smaller* box ("Min").

    Greedy suppression is the only solution of keep[i] = no better kept j overlaps i; it is found by
    repeating that rule from "all kept" until nothing changes, two or three times in practice.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes, picture = boxes[order], picture[order]
    size = boxes[:, 2:] - boxes[:, :2] + 1
    area = size.prod(dim=1)
    corner = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    common = (torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - corner + 1).clamp(min=0)
    overlap = common.prod(dim=2) / torch.minimum(area[:, None], area[None, :])
    beats = ((overlap > limit) & (picture[:, None] == picture[None, :])).triu(diagonal=1)
    kept = torch.ones_like(order, dtype=torch.bool)
    while True:
        after = ~(beats & kept[:, None]).any(dim=0)
        if torch.equal(after, kept):
            return order[kept]
        kept = after


class MTCNNDetector:
    """`Detector` on any torch device; see `protocol.Detector` for what the methods promise."""

    name = "mtcnn"
    can_refit = True
    sure_score = 0.9  # what MTCNN takes for a face by mistake mostly scores 0.70 to 0.85

    def __init__(self, *, device: str = "cpu", min_face: int = 40) -> None:
        self.device = torch.device(device)
        self.min_face = min_face
        self.pnet, self.rnet, self.onet, digest = load_nets(self.device)
        self.version = f"facenet-pytorch 2.5.3, sha256 {digest[:16]}"

    def _chunk(self, pictures: Sequence[Tensor]) -> int:
        if self.device.type == "cpu" or not len(pictures):
            return 1
        return max(1, PIXELS_PER_CHUNK // (pictures[0].shape[0] * pictures[0].shape[1]))

    @torch.inference_mode()
    def detect(self, pictures: Sequence[Tensor]) -> list[Faces]:
        """See `Detector.detect`. Boxes may reach beyond the picture's edge, as MTCNN gives them."""
        found = []
        step = self._chunk(pictures)
        for start in range(0, len(pictures), step):
            chunk = pictures[start : start + step]
            table = summed_area(chunk)
            boxes, scores, _, picture = self._cascade(table)
            faces = _faces(boxes, scores, self._settle(table, boxes, picture))
            owner = picture.cpu().numpy()
            found += [faces.select(owner == number) for number in range(len(chunk))]
        return found

    @torch.inference_mode()
    def refit(self, pictures: Sequence[Tensor], boxes: Sequence[NDArray[np.float32]]) -> list[Faces]:
        """See `Detector.refit`: O-net alone, 2 ms a face on one core."""
        step = self._chunk(pictures)
        return [
            faces
            for start in range(0, len(pictures), step)
            for faces in self._refit(pictures[start : start + step], boxes[start : start + step])
        ]

    def _refit(self, pictures: Sequence[Tensor], boxes: Sequence[NDArray[np.float32]]) -> list[Faces]:
        picture = np.repeat(np.arange(len(boxes)), [len(one) for one in boxes])
        if len(picture) == 0:
            return [Faces.none() for _ in boxes]
        given = torch.from_numpy(np.concatenate(boxes).astype(np.float32))
        squares = _square(torch.cat([given[:, :2], given[:, :2] + given[:, 2:]], dim=1))
        # Only a window around all boxes, with room for their moves, needs a table.
        room = (squares[:, 2] - squares[:, 0])[:, None] / 2
        height, width, _ = pictures[0].shape
        size = torch.tensor([width, height])
        first = torch.minimum((squares[:, :2] - room).amin(dim=0).long(), size - 1).clamp(min=0)
        last = torch.minimum((squares[:, 2:] + room).amax(dim=0).long(), size)
        (left, top), (right, bottom) = first.tolist(), torch.maximum(last, first + 1).tolist()
        table = summed_area([one[top:bottom, left:right] for one in pictures])
        origin = torch.tensor([left, top] * 2, device=self.device)
        at = torch.from_numpy(picture).to(self.device)
        new, scores, _ = self._finish(table, squares.to(self.device) - origin, at)
        faces = _faces(new + origin, scores, self._settle(table, new, at) + origin[:2])
        return [faces.select(picture == number) for number in range(len(boxes))]

    def _cascade(self, table: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All of MTCNN: corners (faces, 4), scores (faces,), landmarks (faces, 5, 2), picture index."""
        boxes, picture = self._refine(table, *self._propose(table))
        boxes, scores, landmarks = self._finish(table, boxes, picture)
        passed = (scores > THRESHOLDS[2]).nonzero().squeeze(1)
        kept = passed[_suppress_contained(boxes[passed], scores[passed], picture[passed], limit=0.7)]
        return boxes[kept], scores[kept], landmarks[kept], picture[kept]

    def _propose(self, table: Tensor) -> tuple[Tensor, Tensor]:
        """P-net on every level of the pyramid: corners (candidates, 4) and picture index."""
        height, width = table.shape[1] - 1, table.shape[2] - 1
        scale = WINDOW / self.min_face
        candidates: list[Tensor] = []
        group: list[Tensor] = []
        level = 0
        while min(height, width) * scale >= WINDOW:
            small = resize_by_area(table, int(height * scale + 1), int(width * scale + 1))
            scores, change = self.pnet(_normalise(small))
            picture, row, column = (scores >= THRESHOLDS[0]).nonzero(as_tuple=True)
            place = torch.stack([column, row], dim=1) * STRIDE
            corners = [((place + 1) / scale).floor(), ((place + WINDOW) / scale).floor()]
            found = change[picture, :, row, column], scores[picture, row, column, None]
            candidates.append(torch.cat([*corners, *found], dim=1))
            group.append(picture + len(table) * level)
            scale, level = scale * PYRAMID_FACTOR, level + 1
        if not candidates:  # the picture is smaller than the smallest face
            return table.new_zeros((0, 4), dtype=torch.float32), table.new_zeros(0, dtype=torch.int64)
        rows, groups = torch.cat(candidates), torch.cat(group)
        kept = _suppress(rows[:, :4], rows[:, 8], groups, limit=0.5)
        rows, picture = rows[kept], groups[kept] % len(table)
        kept = _suppress(rows[:, :4], rows[:, 8], picture, limit=0.7)
        rows, picture = rows[kept], picture[kept]
        return _square(_change(rows[:, :4], rows[:, 4:8], extra=0.0)), picture

    def _refine(self, table: Tensor, boxes: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
        """R-net: fewer and better corners (candidates, 4), square, and picture index."""
        crops = crop_by_area(table, picture, _pixels(boxes), 24)
        scores, change = self.rnet(_normalise(crops))
        passed = scores > THRESHOLDS[1]
        boxes, scores, change, picture = boxes[passed], scores[passed], change[passed], picture[passed]
        kept = _suppress(boxes, scores, picture, limit=0.7)
        return _square(_change(boxes[kept], change[kept], extra=1.0)), picture[kept]

    def _finish(self, table: Tensor, boxes: Tensor, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """O-net on square corners: corners (faces, 4), scores (faces,), landmarks (faces, 5, 2)."""
        crops = crop_by_area(table, picture, _pixels(boxes), 48)
        scores, change, points = self.onet(_normalise(crops))
        size = boxes[:, None, 2:] - boxes[:, None, :2] + 1
        return _change(boxes, change, extra=1.0), scores, points * size + boxes[:, None, :2] - 1

    def _settle(self, table: Tensor, boxes: Tensor, picture: Tensor) -> Tensor:
        """Landmarks (faces, 5, 2) as the mean of five looks of O-net about the final corners."""
        squares = _square(boxes)
        side = (squares[:, 2] - squares[:, 0])[:, None, None]
        centre = (squares[:, None, :2] + squares[:, None, 2:]) / 2 + side * side.new_tensor(LOOKS)
        width = (side * LOOK_SIZE).round().clamp(min=1)
        first = (centre - width / 2).round()  # (faces, looks, 2)
        corners = torch.cat([first, first + width], dim=2).flatten(0, 1).long()
        crops = crop_by_area(table, picture.repeat_interleave(len(LOOKS)), corners, 48)
        points = self.onet(_normalise(crops))[2].unflatten(0, (len(boxes), len(LOOKS)))
        landmarks: Tensor = (first[:, :, None] + points * width[:, :, None]).mean(dim=1)
        return landmarks


def _faces(boxes: Tensor, scores: Tensor, landmarks: Tensor) -> Faces:
    """On the host, corners turned into left, top, width, height."""
    sizes = torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=1)
    return Faces(sizes.cpu().numpy(), scores.cpu().numpy(), landmarks.cpu().numpy())

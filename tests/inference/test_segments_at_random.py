"""Random videos, selections and segments: the faces of segments are those of the video, or are not joined.

Real files and decoders; people are coloured squares, found by their colour, so that there can be many.
"""

from collections import Counter
from fractions import Fraction

import numpy as np
import torch

from aucli.datatypes import Faces, Selection, Source
from aucli.errors import SplitError
from aucli.faces.follow import find_faces
from aucli.inference.pipeline import Chunk
from aucli.inference.segment import CheckedDecoder, join, window_of_segment
from aucli.inference.tally import Tally
from aucli.inference.task import SegmentResult
from aucli.media.decode import open_decoder
from aucli.media.segments import divide, scan_packets
from aucli.sinks.rows import Rows
from tests.clips import write_clip

SEEDS = 24
WIDTH, HEIGHT = 128, 80
COLOURS = np.array([[230, 20, 20], [20, 230, 20], [20, 20, 230], [230, 230, 20]], np.uint8)


class Squares:
    """Finds the coloured squares; one of them is not seen in some places."""

    name, version, sure_score, can_refit = "squares", "1", 0.6, False

    def detect(self, pictures):
        return [self._one(picture.numpy().astype(int)) for picture in pictures]

    def _one(self, picture):
        boxes, scores = [], []
        for number, colour in enumerate(COLOURS.astype(int)):
            rows, columns = np.nonzero((np.abs(picture - colour) < 70).all(2))
            if len(rows) < 30:
                continue
            left, top = columns.mean() - 6, rows.mean() - 6
            boxes.append((left, top, 12 + number, 12 + columns.std()))
            scores.append(0.5 if 40 < left < 50 else 0.9)  # there a new person is not believed
        count = len(boxes)
        return Faces(
            np.array(boxes, np.float32).reshape(count, 4),
            np.array(scores, np.float32),
            np.zeros((count, 5, 2), np.float32),
        )


def video(rng, path, rate):
    """12 to 20 seconds: squares that walk, come, go and hide, on backgrounds that change now and then."""
    count = int(rng.integers(12, 20) * rate)
    pictures = np.zeros((count, HEIGHT, WIDTH, 3), np.uint8)
    cuts = sorted(rng.integers(0, count, rng.integers(0, 3)))
    for index in range(count):
        scene = sum(index >= cut for cut in cuts)
        ramp = np.linspace(60, 180, WIDTH)[:: -1 if scene % 2 else 1]
        pictures[index] = (ramp[:, None] * [[1, 0.8, 0.9], [0.5, 1, 0.6], [0.9, 0.6, 1]][scene]).astype(
            np.uint8
        )
    for colour in COLOURS[: rng.integers(1, 5)]:
        there = np.ones(count, bool)
        for _ in range(rng.integers(0, 6)):
            begin = rng.integers(0, count)
            there[begin : begin + int(rng.uniform(0.2, 4) * rate)] = False
        steps = rng.normal(0, 12 / rate, (count, 2)).cumsum(0) + rng.uniform((10, 10), (100, 50))
        for index in np.flatnonzero(there):
            x, y = np.clip(steps[index], 0, (WIDTH - 14, HEIGHT - 14)).astype(int)
            pictures[index, y : y + 12, x : x + 12] = colour
    pts = np.cumsum(rng.integers(400 // rate, 1600 // rate, count)).tolist() if rng.random() < 0.5 else None
    gop, bframes = int(rng.integers(3, 25)), int(rng.integers(0, 3))
    return write_clip(path, pictures, rate=Fraction(rate), pts=pts, gop=gop, bframes=bframes)


def followed(frames, **options):
    return [
        (frame.index, frame.pts_seconds, faces.tracks.tolist(), faces.boxes.tolist(), faces.scores.tolist())
        for frame, faces in find_faces(frames, Squares(), **options)
    ]


def tally_of(rows):
    tally = Tally(())
    tracks = [track for _, _, tracks, _, _ in rows for track in tracks]
    counts = [max(1, len(tracks)) for _, _, tracks, _, _ in rows]
    nothing = np.zeros(len(tracks), np.float32)
    made = Rows(
        np.repeat(np.array([row[0] for row in rows], np.int32), counts),
        np.repeat(np.array([row[1] for row in rows]), counts),
        np.repeat(np.array([len(row[2]) > 0 for row in rows]), counts),
        Faces(
            np.array([box for row in rows for box in row[3]], np.float32).reshape(-1, 4),
            nothing,
            np.zeros((len(tracks), 5, 2), np.float32),
            np.array(tracks, np.int32),
        ),
        np.zeros((len(tracks), 3), np.float32),
        nothing,
        nothing > 0,
        None,
        None,
        (),
    )
    tally.add(Chunk(made, len(rows), np.full((len(tracks), 2), 100, np.float32)))
    return tally


def one(seed, folder):
    """What became of it: `short`, `no plan`, `joined`, or why not."""
    rng = np.random.default_rng(seed)
    rate = int(rng.integers(4, 11))
    path = video(rng, folder / f"{seed}.mkv", rate)
    selection = Selection(
        start_seconds=float(rng.uniform(0, 3)) if rng.random() < 0.3 else None,
        end_seconds=float(rng.uniform(9, 15)) if rng.random() < 0.3 else None,
        **(
            {"fps": float(rng.uniform(2, rate))} if rng.random() < 0.3 else {"every": int(rng.integers(1, 3))}
        ),
    )
    detect_every = int(rng.integers(1, 4))
    options = {
        "detect_every": detect_every,
        "max_faces": int(rng.integers(1, 4)) if rng.random() < 0.5 else None,
        "batch_frames": int(rng.integers(1, 9)),
    }
    source = Source(path, path.name)
    with open_decoder(source, selection, "pyav") as decoder:
        whole = followed(decoder.frames(), **options)
    warm_up, longest = float(rng.choice([0, 1, 5])), float(rng.uniform(2, 7))
    try:
        segments = divide(
            scan_packets(path),
            selection,
            longest,
            detect_every=detect_every,
            context_frames=int(rng.choice([0, 7])),
            warm_up_seconds=warm_up,
        )
    except SplitError:
        return "no plan"
    if not segments:
        return "short"
    results, rows = [], []
    for segment in segments:
        window = window_of_segment(segment)
        with CheckedDecoder(
            open_decoder(source, selection, "pyav", stretch=segment.stretch), segment
        ) as decoder:
            found = followed(
                decoder.frames(),
                **options,
                filled_from=window.scored.start,
                snapshots=window.snapshots,
            )
            decoder.check()
            met, meets = (decoder.known_at(at, window.snapshots) for at in (segment.met, segment.meets))
        mine = [row for row in found if row[0] in window.emitted]
        assert len(mine) == segment.frames
        rows.append(mine)
        results.append(
            SegmentResult(segment, path, len(mine), tally_of(mine), decoder.summary, (), met, meets)
        )
    try:
        numbers, tally, _ = join(results, (), exact=True)
    except SplitError as error:
        return str(error).partition(": ")[2]
    joined = [
        (index, seconds, [names[track] for track in tracks], boxes, scores)
        for names, part in zip(numbers, rows, strict=True)
        for index, seconds, tracks, boxes, scores in part
    ]
    assert joined == whole, seed
    assert tally.numbers == tally_of(whole).numbers
    assert tally.duration_seconds == tally_of(whole).duration_seconds
    return "joined"


def test_joined_segments_are_the_whole(tmp_path):
    torch.set_num_threads(1)
    became = Counter(one(seed, tmp_path) for seed in range(SEEDS))
    assert became["joined"] >= SEEDS // 4
    assert sum(became.values()) - became["joined"] - became["no plan"] - became["short"] >= 3, became

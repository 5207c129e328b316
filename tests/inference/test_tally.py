"""What a video's rows sum up to, in one piece and in several."""

import numpy as np
import pytest

from aucli.inference.pipeline import Chunk
from aucli.inference.tally import Tally
from tests.sinks.recipes import AUS, make_rows


def chunk(first_frame, faces_in_frame):
    rows = make_rows(3, first_frame=first_frame, faces_in_frame=faces_in_frame)
    return Chunk(rows, len(faces_in_frame), np.full((len(rows.faces), 2), 400, np.float32))


CHUNKS = [chunk(0, [1, 2, 0]), chunk(3, [2]), chunk(4, [1, 1]), chunk(6, [3])]


@pytest.mark.parametrize("cuts", [[], [1], [3], [1, 2, 3]])
def test_the_sum_of_parts_is_that_of_the_whole(cuts):
    whole = Tally(AUS)
    for one in CHUNKS:
        whole.add(one)
    joined = Tally(AUS)
    same = dict(zip(range(3), range(3), strict=True))
    for begin, end in zip([0, *cuts], [*cuts, len(CHUNKS)], strict=True):
        part = Tally(AUS)
        for one in CHUNKS[begin:end]:
            part.add(one)
        joined.go_on(part, same)
    assert joined.numbers == whole.numbers == (0, 1, 2)
    for name in ("frames", "faces", "tracks", "duration_seconds", "top_aus"):
        assert getattr(joined, name) == getattr(whole, name), name
    for rule in ("largest", "central", "longest"):
        assert joined.primary(rule) == whole.primary(rule)


def test_tracks_of_parts_are_joined_by_their_numbers_in_the_whole():
    tallies = [Tally(AUS), Tally(AUS)]
    for tally, one in zip(tallies, CHUNKS, strict=False):
        tally.add(one)
    joined = Tally(AUS)
    joined.go_on(tallies[0], {0: 0, 1: 1})
    joined.go_on(tallies[1], {0: 1, 1: 9})
    assert joined.numbers == (0, 1, 9)
    assert joined.faces == 5
    assert joined.primary("longest") == 0

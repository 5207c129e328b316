"""What two followers know at one frame, compared, and the numbers of one in the other."""

from dataclasses import replace

import pytest

from aucli.faces.follow import find_faces
from aucli.faces.snapshot import KnownPerson, Numbers, Snapshot, SnapshotLog, difference
from tests.clips import pan_over, photo_astronaut
from tests.faces.stream import frames_of


def known(number, x=10.0, seen=4.0, speed=3.0):
    return KnownPerson(number, (x, 20.0, 30.0, 40.0), seen, (speed, 0.0))


ONE = Snapshot(100, (known(2), known(5, x=90.0)), 8, b"scene")
OTHER = Snapshot(100, (known(0), known(1, x=90.0)), 3, b"scene")


def test_only_the_numbers_may_differ():
    assert difference(ONE, ONE) is None
    assert difference(ONE, OTHER) is None
    first, second = OTHER.persons
    assert (
        difference(ONE, replace(OTHER, persons=(replace(first, velocity=(3.0 + 1e-9, 0.0)), second))) is None
    )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"scene": b"other"}, "different pictures"),
        ({"persons": (known(0),)}, "2 and 1 persons"),
        ({"persons": (known(0, x=10.0001), known(1, x=90.0))}, "same place"),
        ({"persons": (known(0, x=90.0), known(1, x=10.0))}, "same place"),
        ({"persons": (known(0, seen=3.9), known(1, x=90.0))}, "last seen at 4.000 and 3.900 s"),
        ({"persons": (known(0, speed=3.00001), known(1, x=90.0))}, "same speed"),
    ],
)
def test_all_else_is_said(changed, why):
    assert why in difference(ONE, replace(OTHER, **changed))
    assert why in difference(ONE, replace(OTHER, **changed), box_tolerance=1e-9) or "place" not in why


def test_a_tolerance_is_for_boxes_that_are_off_by_a_rounding():
    near = replace(OTHER, persons=(known(0, x=10.01, speed=3.1), known(1, x=90.0)))
    assert difference(ONE, near, box_tolerance=0.05) is None
    assert difference(ONE, replace(OTHER, persons=(known(0, x=10.1), known(1))), box_tolerance=0.05)


def test_known_people_keep_their_numbers_and_new_ones_count_on():
    numbers = Numbers.continuing(ONE, OTHER)
    assert [numbers[own] for own in (0, 1, 3, 4, 7)] == [2, 5, 8, 9, 12]
    with pytest.raises(KeyError):
        numbers[2]  # somebody who left before
    later = Snapshot(200, (known(1), known(4)), 6, b"later")
    renamed = numbers.renamed(later)
    assert [person.number for person in renamed.persons] == [5, 9]
    assert renamed.next_number == 11
    assert difference(renamed, later) is None
    assert Numbers.of_first().renamed(later) == later


def test_who_begins_later_knows_the_same(mtcnn):
    pictures = list(pan_over(photo_astronaut(), 200, 200, 24))
    at = {12, 18}

    def followed(begin):
        log = SnapshotLog(at)
        frames = list(frames_of(pictures, rate=4))[begin:]
        found = list(find_faces(iter(frames), mtcnn, detect_every=3, snapshots=log, filled_from=12))
        return log, {frame.index: faces for frame, faces in found}

    (whole, faces), (later, later_faces) = followed(0), followed(3)
    assert set(whole.taken) == set(later.taken) == at
    assert difference(whole.taken[18], later.taken[18]) is None
    assert whole.scenes == {}
    for index in range(12, 24):
        assert faces[index].boxes.tolist() == later_faces[index].boxes.tolist()
    # Before, skipped frames have no faces, and detected ones have.
    assert [len(faces[index]) for index in range(12)] == [1, 0, 0] * 4

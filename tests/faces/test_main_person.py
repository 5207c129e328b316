"""Who a recording was made of, in made-up courses of boxes."""

import numpy as np

from aucli.datatypes import Faces
from aucli.faces.main_person import Sightings

MIDDLE, RIGHT = (100, 100, 50, 60), (400, 100, 50, 60)


def sightings(*tracks):
    """tracks: number, frames, box."""
    found = Sightings()
    for frame in range(100):
        here = [(number, box) for number, frames, box in tracks if frame in frames]
        count = len(here)
        found.add(
            frame,
            Faces(
                np.array([box for _, box in here], np.float32).reshape(count, 4),
                np.ones(count, np.float32),
                np.zeros((count, 5, 2), np.float32),
                np.array([number for number, _ in here], np.int32),
            ),
        )
    return found.main_person()


def test_nobody():
    assert sightings() == ()


def test_the_longest_track_and_of_equals_the_first():
    assert sightings((0, range(40), MIDDLE), (1, range(60), RIGHT)) == (1,)
    assert sightings((3, range(50), MIDDLE), (2, range(50), RIGHT)) == (2,)


def test_a_person_lost_and_found_again_is_one():
    assert sightings((0, range(30), MIDDLE), (1, range(40, 90), MIDDLE)) == (0, 1)
    assert sightings((0, range(10), MIDDLE), (1, range(20, 60), MIDDLE), (2, range(60, 99), MIDDLE)) == (
        0,
        1,
        2,
    )


def test_somebody_else_does_not_continue_the_person():
    # In another place; and in the same place, but in a frame with the person.
    assert sightings((0, range(50), MIDDLE), (1, range(60, 80), RIGHT)) == (0,)
    assert sightings((0, range(50), MIDDLE), (1, range(49, 80), (110, 100, 50, 60))) == (0,)


def test_a_moving_person_is_followed_through_several_losses():
    steps = [
        (number, range(10 * number, 10 * number + 9), (100 + 20 * number, 100, 50, 60)) for number in range(6)
    ]
    # The first and the last box do not touch, neighbours overlap by 30 / 70.
    assert sightings(*steps) == (0, 1, 2, 3, 4, 5)

"""How often faces are detected when nobody says."""

from fractions import Fraction

import pytest

from aucli.datatypes import Selection
from aucli.faces.detect_every import detect_every_for
from aucli.media.decode.choose import selected_rate


@pytest.mark.parametrize(
    ("rate", "every"),
    [(None, 1), (1.0, 1), (10.0, 1), (15.0, 2), (24.0, 3), (25.0, 3), (29.97, 4), (240.0, 5)],
)
def test_about_one_detection_in_an_eighth_of_a_second(rate, every):
    assert detect_every_for(rate) == every


def test_the_rate_is_that_of_the_selected_frames():
    rate = Fraction(30000, 1001)
    assert selected_rate(rate, Selection()) == pytest.approx(29.97, abs=1e-2)
    assert selected_rate(rate, Selection(every=10)) == pytest.approx(2.997, abs=1e-3)
    assert selected_rate(rate, Selection(fps=5)) == 5
    assert selected_rate(Fraction(4), Selection(fps=5)) == 4
    assert selected_rate(None, Selection(fps=5)) is None

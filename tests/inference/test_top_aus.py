import numpy as np

from aucli.inference.top_aus import top_aus


def test_those_in_most_rows_come_first_and_none_that_never_occurs():
    counts = np.array([3, 0, 10, 3])
    assert top_aus(("AU1", "AU4", "AU12", "AU25"), counts, 20) == (
        ("AU12", 0.5),
        ("AU1", 0.15),
        ("AU25", 0.15),
    )
    assert top_aus(("AU1", "AU4"), np.array([0, 7]), 7) == (("AU4", 1.0),)
    assert top_aus((), np.zeros(0, np.int64), 0) == ()


def test_a_side_stands_for_itself_only_where_the_whole_is_not_there():
    assert top_aus(("AU12", "AU12L", "AU12R", "AU4"), np.array([5, 6, 4, 1]), 10) == (
        ("AU12", 0.5),
        ("AU4", 0.1),
    )
    assert top_aus(("AU12L", "AU4"), np.array([6, 1]), 10) == (("AU12L", 0.6), ("AU4", 0.1))

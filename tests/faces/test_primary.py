import pytest

from aucli.errors import UsageError
from aucli.faces.primary import TrackSummary, choose_primary

SPEAKER = TrackSummary(track=1, frames=900, mean_area_share=0.08, mean_centre_distance=0.15)
LISTENER = TrackSummary(track=0, frames=1000, mean_area_share=0.03, mean_centre_distance=0.5)
PASSER_BY = TrackSummary(track=2, frames=20, mean_area_share=0.4, mean_centre_distance=0.05)


@pytest.mark.parametrize(("rule", "track"), [("largest", 1), ("central", 1), ("longest", 0)])
def test_a_moment_in_front_of_the_camera_does_not_win(rule, track):
    assert choose_primary(rule, [LISTENER, SPEAKER, PASSER_BY]) == track


@pytest.mark.parametrize("rule", ["largest", "central", "longest"])
def test_equal_values_go_to_the_lower_number_in_any_order(rule):
    twins = [TrackSummary(track, 10, 0.1, 0.2) for track in (3, 1, 2)]
    assert choose_primary(rule, twins) == 1
    assert choose_primary(rule, []) is None


def test_unknown_rule_is_refused():
    with pytest.raises(UsageError, match="choose one of largest, central, longest"):
        choose_primary("loudest", [SPEAKER])

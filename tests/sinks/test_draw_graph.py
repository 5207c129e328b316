"""The relation graph says which AUs the network sees together, beside the picture."""

from dataclasses import replace

import numpy as np
import pytest

from aucli.sinks.draw.annotator import Annotator
from aucli.sinks.draw.graph import MOST_PAIRS, WEAKEST, Graph
from aucli.sinks.draw.layout import Layout
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.look import Look
from aucli.sinks.draw.palette import THEMES
from aucli_models.au import AU_SETS, unsided
from tests.sinks.drawing import AUS, LEGEND, face_result

BOX = (500, 200, 240, 300)
COLUMN_LOOK = Look(graph=True)


def with_pairs(result, pairs, aus=AUS):
    """The result with these probabilities of both, by pair of AU names; of all other pairs it is 0.01."""
    nodes = unsided(aus)
    both = np.full((len(result.faces), len(nodes), len(nodes)), 0.01, np.float32)
    for pair, value in pairs.items():
        one, other = map(nodes.index, pair)
        both[:, one, other] = both[:, other, one] = value
    return replace(result, pairs=both)


def drawn(result, look=COLUMN_LOOK, size=(1280, 720)):
    annotator = Annotator(LEGEND, look, *size)
    if result is not None:
        annotator.expect(result)
    picture = annotator.draw(np.full((size[1], size[0], 3), 128, np.uint8), 0, 0.0, result)
    layout = annotator.layout
    return picture, picture[:, layout.picture_width :], layout


def like(picture, colour, reach=40):
    return np.abs(picture.astype(int) - np.array(colour)).max(2) < reach


def places_of(layout, legend=LEGEND):
    graph = Graph(legend, THEMES["dark"], layout)
    return dict(zip(unsided(legend.au_names), graph._places, strict=True))


def is_joined(column, layout, one, other):
    """Whether the middle third of the line between two nodes is there, all of it."""
    ends = [places_of(layout)[au] for au in (one, other)]
    steps = np.linspace(1 / 3, 2 / 3, 60)[:, None]
    points = np.round(ends[0] * (1 - steps) + ends[1] * steps).astype(int)
    ink = np.abs(column.astype(int) - np.array(THEMES["dark"].paper)).max(2) > 25
    around = [ink[y - 1 : y + 2, x - 1 : x + 2].any() for x, y in points]
    return all(around), any(around)


@pytest.mark.parametrize("size", [(320, 240), (405, 721), (640, 360), (1281, 719), (3840, 2160)])
def test_the_column_covers_nothing_and_fits(size):
    box = [size[0] / 3, size[1] / 4, size[0] / 4, size[1] / 2]
    result = with_pairs(face_result(0, 0.0, [box], {"AU6": 0.9, "AU12": 0.9}), {("AU6", "AU12"): 0.8})
    with_graph, column, layout = drawn(result, size=size)
    without, _, plain = drawn(result, Look(), size=size)
    assert (with_graph.shape[1] % 2, with_graph.shape[0] % 2) == (0, 0)
    assert with_graph.shape[0] == without.shape[0]
    assert np.array_equal(with_graph[:, : size[0]], without[:, : size[0]])
    assert layout.width - plain.width >= 15 * layout.em - 2
    assert like(column, THEMES["dark"].person(0)).any()
    places = np.array(list(places_of(layout).values()))
    assert (places > 0).all()
    assert (places < [layout.graph, layout.height]).all()
    distances = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(len(places))
    assert distances.min() > 1.1 * layout.em  # wide enough for two digits


def test_aus_that_occur_together_are_joined_and_others_not():
    active = {"AU6": 0.9, "AU12": 0.9, "AU1": 0.5, "AU17": 0.6}
    pairs = {("AU6", "AU12"): 0.85, ("AU1", "AU17"): WEAKEST - 0.05}
    _, column, layout = drawn(with_pairs(face_result(0, 0.0, [BOX], active), pairs))
    assert is_joined(column, layout, "AU6", "AU12") == (True, True)
    assert is_joined(column, layout, "AU1", "AU17") == (False, False)


def test_only_the_strongest_few_are_drawn():
    names = [("AU1", "AU17"), ("AU2", "AU18"), ("AU4", "AU20"), ("AU5", "AU22"), ("AU6", "AU23")]
    names += [("AU7", "AU24"), ("AU9", "AU26")]
    pairs = {pair: 0.95 - 0.1 * place for place, pair in enumerate(names)}
    assert len(names) == MOST_PAIRS + 1
    _, without, _ = drawn(with_pairs(face_result(0, 0.0, [BOX]), dict(list(pairs.items())[:MOST_PAIRS])))
    _, column, layout = drawn(with_pairs(face_result(0, 0.0, [BOX]), pairs))
    assert np.array_equal(column, without)
    assert all(is_joined(column, layout, *pair)[0] for pair in names[:MOST_PAIRS])


def test_a_likelier_pair_has_a_thicker_line():
    amounts = []
    for value in (0.25, 0.5, 1.0):
        _, column, layout = drawn(with_pairs(face_result(0, 0.0, [BOX]), {("AU2", "AU25"): value}))
        top, bottom = sorted(int(places_of(layout)[au][1]) for au in ("AU2", "AU25"))
        rows = column[top + 40 : bottom - 40].astype(int)
        amounts.append(np.abs(rows - np.array(THEMES["dark"].paper))[:, 60:-60].sum())
    assert amounts[0] < amounts[1] < amounts[2]


def test_a_likelier_au_has_a_larger_node():
    areas = []
    for probability in (0.2, 0.6, 1.0):
        _, column, layout = drawn(with_pairs(face_result(0, 0.0, [BOX], {"AU12": probability}), {}))
        x, y = places_of(layout)["AU12"].round().astype(int)
        paper = np.array(THEMES["dark"].paper)
        around = column[y - layout.em : y + layout.em, x - layout.em : x + layout.em].astype(int)
        areas.append(int((np.abs(around - paper).max(2) > 12).sum()))
    assert areas == sorted(set(areas))


def test_the_upper_face_is_above_the_lower_face_and_sided_aus_have_no_node():
    aus = AU_SETS["synth_sided"]
    legend = Legend.of(aus, dict.fromkeys(aus, 0.5))
    places = places_of(Layout.of(1280, 720, rows=5, graph=True), legend)
    assert set(places) == set(unsided(aus))
    upper = [places[au][1] for au in ("AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU43")]
    assert max(upper) < min(places[au][1] for au in places if places[au][1] not in upper)


def test_without_a_face_the_numbers_stay():
    for result in (None, with_pairs(face_result(0, 0.0, np.zeros((0, 4))), {})):
        _, column, _ = drawn(result)
        assert not like(column, THEMES["dark"].person(0)).any()
        assert like(column, THEMES["dark"].faint).any()


def test_it_stays_with_a_person_until_another_face_is_clearly_larger():
    annotator = Annotator(LEGEND, COLUMN_LOOK, 1280, 720)
    shown = []
    sizes = [(200, 190), (200, 210), (200, 230), (200, 300), (300, 250), (None, 250)]
    for index, (first, second) in enumerate(sizes):
        boxes = [(x, 100, side, side) for x, side in ((100, first), (800, second)) if side]
        tracks = [0, 1] if first else [1]
        result = with_pairs(face_result(index, index / 25, boxes, tracks=tracks), {("AU6", "AU12"): 0.8})
        annotator.expect(result)
        picture = annotator.draw(np.full((720, 1280, 3), 128, np.uint8), index, index / 25, result)
        head = picture[2, annotator.layout.picture_width + 2]
        shown.append([tuple(head.tolist()) == THEMES["dark"].person(track) for track in (0, 1)].index(True))
    assert shown == [0, 0, 0, 1, 1, 1]

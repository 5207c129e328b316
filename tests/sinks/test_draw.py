"""Drawings say what the results say, cover nothing that matters, and fit on every size of picture."""

import colorsys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aucli.errors import UsageError
from aucli.sinks.draw.annotator import AHEAD_SECONDS, Annotator
from aucli.sinks.draw.choose import Chooser, activity
from aucli.sinks.draw.history import History, Stretch
from aucli.sinks.draw.layout import ROW, Layout
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.look import Look
from aucli.sinks.draw.palette import THEMES
from aucli.sinks.draw.panel import Panel
from aucli.sinks.draw.placing import Placer
from aucli.sinks.draw.regions import EXTENT, Tint, region_mask, region_parts
from aucli.sinks.draw.text import Writer
from aucli.sinks.draw.timeline import clock
from aucli_models.au import AU_SETS, FACS_NAMES
from tests.sinks.drawing import AUS, LEGEND, face_result

GRAY = 128
BOX = (500, 200, 240, 300)


def gray(width=1280, height=720):
    return np.full((height, width, 3), GRAY, np.uint8)


def drawn(result, look=None, size=(1280, 720), seconds=0.0):
    annotator = Annotator(LEGEND, look or Look(), *size)
    if result is not None:
        annotator.expect(result)
    return annotator.draw(gray(*size), 0, seconds, result), annotator.layout


def changed(picture, layout):
    """Where the picture itself, without the strip, is not what it was: bool (height, width)."""
    return (picture[: layout.picture_height, : layout.picture_width] != GRAY).any(2)


# -- the frame ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [(64, 48), (191, 127), (320, 240), (405, 721), (640, 360), (1281, 719), (3840, 2160)]
)
def test_the_canvas_is_even_and_holds_the_whole_picture(size):
    picture, layout = drawn(
        face_result(0, 0.0, [[size[0] / 3, size[1] / 4, size[0] / 4, size[1] / 2]]), size=size
    )
    height, width, _ = picture.shape
    assert (width % 2, height % 2) == (0, 0)
    assert (width, height) == (layout.width, layout.height)
    assert width - size[0] in (0, 1)
    assert height > size[1]
    assert changed(picture, layout).any()


def test_without_a_result_the_picture_is_untouched():
    picture, layout = drawn(None)
    assert not changed(picture, layout).any()
    picture, layout = drawn(face_result(0, 0.0, np.zeros((0, 4))))
    assert not changed(picture, layout).any()


def test_without_the_time_line_only_an_odd_row_is_added():
    picture, _ = drawn(None, Look(timeline=False), size=(191, 127))
    assert picture.shape == (128, 192, 3)
    assert (picture[:127, :191] == GRAY).all()


def test_everything_grows_with_the_picture():
    small, large = Layout.of(1280, 720, rows=5), Layout.of(3840, 2160, rows=5)
    assert large.em == 3 * small.em
    assert abs(large.height - 3 * small.height) <= 3
    assert Layout.of(640, 360, rows=5).em >= 11  # pixels: the smallest that can be read


def test_scale_draws_on_a_larger_picture():
    picture, layout = drawn(face_result(0, 0.0, [[100, 60, 80, 100]]), Look(scale=2.0), size=(320, 240))
    assert (layout.picture_width, layout.picture_height) == (640, 480)
    columns = np.flatnonzero((picture[240:300] != GRAY).any((0, 2)))
    assert abs(columns.min() - 200) <= 3  # the left edge of the box, twice as far from the left
    with pytest.raises(UsageError, match="--scale 0: must be"):
        Look(scale=0)


def test_a_picture_of_another_size_is_fitted_in_and_its_boxes_with_it():
    annotator = Annotator(LEGEND, Look(regions=False, timeline=False), 640, 360)
    result = face_result(0, 0.0, [[0, 0, 320, 320]])
    annotator.expect(result)
    picture = annotator.draw(gray(320, 320), 0, 0.0, result)
    inside = picture[:, 140:500]
    assert (picture[200, :130] == THEMES["dark"].paper).all()
    assert (inside[200, 20] == GRAY).all()
    assert not (picture[355:360, 145:495] == GRAY).all()  # the lower edge of the box


# -- the face ----------------------------------------------------------------------------------


def test_the_box_is_where_the_face_is_and_leaves_it_free():
    picture, layout = drawn(face_result(0, 0.0, [BOX]), Look(regions=False))
    edge, (x, y, w, h) = changed(picture, layout), BOX
    for side in (edge[y + h // 2, x], edge[y + h // 2, x + w], edge[y, x + w // 2], edge[y + h, x + w // 2]):
        assert side
    assert not edge[y + 8 : y + h - 8, x + 8 : x + w - 8].any()


def test_landmarks_on_demand():
    result = face_result(0, 0.0, [BOX])
    without, layout = drawn(result, Look(regions=False))
    with_points, _ = drawn(result, Look(regions=False, landmarks=True))
    for x, y in result.faces.landmarks[0].round().astype(int):
        assert not changed(without, layout)[y, x]
        assert changed(with_points, layout)[y, x]


def test_a_face_that_is_not_valid_has_a_broken_box():
    for valid, share in ((True, 1.0), (False, 0.75)):
        picture, layout = drawn(face_result(0, 0.0, [BOX], valid=valid), Look(regions=False))
        lower_edge = changed(picture, layout)[BOX[1] + BOX[3], BOX[0] : BOX[0] + BOX[2]]
        assert (lower_edge.mean() == 1.0) == valid
        assert lower_edge.mean() <= share


# -- regions -----------------------------------------------------------------------------------


def test_every_au_of_every_model_has_a_region():
    for au in {au for names in AU_SETS.values() for au in names} | {f"AU{number}" for number in FACS_NAMES}:
        mask = region_mask(au)
        assert mask.max() > 0.5, au
        edges = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert edges.max() == 0, f"{au} is cut off"
    assert set(region_parts()) == set(FACS_NAMES)
    assert all(entry["muscles"] for entry in region_parts().values())


def centre_of(mask):
    left, top, right, bottom = EXTENT
    rows, columns = np.nonzero(mask > 0.5)
    return left + columns.mean() / mask.shape[1] * (right - left), top + rows.mean() / mask.shape[0] * (
        bottom - top
    )


def test_regions_lie_in_the_order_of_the_face():
    heights = [centre_of(region_mask(f"AU{number}"))[1] for number in (1, 4, 43, 9, 12, 25, 17)]
    assert heights == sorted(heights)
    for number in FACS_NAMES:
        assert abs(centre_of(region_mask(f"AU{number}"))[0]) < 0.03  # both sides alike


def test_a_sided_au_is_on_that_person_s_side():
    left, right = region_mask("AU12L"), region_mask("AU12R")
    assert centre_of(left)[0] > 0.3  # the person's own left is at the right of the picture
    assert centre_of(right)[0] < -0.3
    assert np.array_equal(np.maximum(left, right), region_mask("AU12"))


def test_an_active_region_is_tinted_where_it_lies_also_on_a_tilted_face():
    colour = THEMES["dark"].tint
    upright = face_result(0, 0.0, [BOX], {"AU12": 1.0})
    points = upright.faces.landmarks[0]
    for turn in (0.0, 0.5):
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        middle = points.mean(0)
        turned = (points - middle) @ rotation.T + middle
        picture = Image.fromarray(gray())
        Tint(AUS, colour).apply(picture, turned, upright.probabilities[0])
        tinted = np.abs(np.asarray(picture).astype(int) - GRAY).max(2)
        eyes = np.linalg.norm(points[1] - points[0])
        for side in (-1, 1):
            place = points[:2].mean(0) + np.array([side * 0.62, 0.88]) * eyes
            x, y = ((place - middle) @ rotation.T + middle).round().astype(int)
            assert tinted[y, x] > 30
        forehead = (points[:2].mean(0) + np.array([0, -0.6]) * eyes - middle) @ rotation.T + middle
        x, y = forehead.round().astype(int)
        assert tinted[y, x] == 0


def test_a_still_face_is_not_tinted_and_more_activity_tints_more():
    amounts = []
    for probability in (0.02, 0.3, 0.6, 1.0):
        result = face_result(0, 0.0, [BOX], {"AU25": probability})
        picture = Image.fromarray(gray())
        Tint(AUS, (255, 0, 0)).apply(picture, result.faces.landmarks[0], result.probabilities[0])
        amounts.append(int((np.asarray(picture)[:, :, 0].astype(int) - GRAY).max()))
    assert amounts[0] == 0
    assert amounts == sorted(set(amounts))


def test_a_face_beyond_the_edge_of_the_picture_is_no_problem():
    for box in ([-150, -200, 240, 300], [1200, 650, 240, 300], [5000, 5000, 240, 300]):
        drawn(face_result(0, 0.0, [box], {"AU12": 1.0, "AU1": 1.0}))


# -- panels ------------------------------------------------------------------------------------


def panels_of(layout, boxes, sizes=None, placer=None):
    placer = placer or Placer(layout)
    corners = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    sizes = sizes or [(250, 220)]
    places = placer.place(list(enumerate(corners)), [sizes] * len(boxes), corners)
    return {
        track: (at.left, at.top, at.left + sizes[at.size][0], at.top + sizes[at.size][1])
        for track, at in places.items()
    }, corners


def overlap(one, other):
    return max(0, min(one[2], other[2]) - max(one[0], other[0])) * max(
        0, min(one[3], other[3]) - max(one[1], other[1])
    )


def test_panels_cover_neither_faces_nor_each_other_nor_leave_the_picture():
    layout = Layout.of(1280, 720, rows=5)
    rng = np.random.default_rng(0)
    for _ in range(60):
        count = int(rng.integers(1, 5))
        boxes = [(*rng.uniform((0, 0), (1100, 540)), *rng.uniform(60, 180, 2)) for _ in range(count)]
        panels, faces = panels_of(layout, boxes)
        assert 0 in panels  # the most important person always has one
        area = 250 * 220
        for box in panels.values():
            assert 0 <= box[0] <= box[2] <= 1280
            assert 0 <= box[1] <= box[3] <= 720
            assert sum(overlap(box, face) for face in faces) <= 0.06 * area
        assert all(overlap(one, other) <= 0.06 * area for one, other in combinations(panels.values(), 2))


def test_a_panel_stays_while_the_face_moves_a_little():
    layout, placer = Layout.of(1280, 720, rows=5), None
    placer = Placer(layout)
    places = {panels_of(layout, [(600 + x, 250, 150, 190)], placer=placer)[0][0] for x in range(0, 24, 3)}
    assert len(places) == 1
    far, _ = panels_of(layout, [(1080, 450, 150, 190)], placer=placer)
    assert far[0] not in places


def free_somewhere(size, picture, blocked, gap):
    """Whether a panel of this size fits anywhere, `gap` pixels from what is blocked: all places are tried."""
    taken = np.zeros((picture[1] + 1, picture[0] + 1), np.int64)
    for box in np.array(blocked):
        left, top = np.floor(np.maximum(0, box[:2] - gap)).astype(int) + 1
        right, bottom = np.ceil(np.maximum(0, box[2:] + gap)).astype(int) + 1
        taken[top:bottom, left:right] = 1
    sums = taken.cumsum(0).cumsum(1)
    width, height = size
    under = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    margin = Layout.of(*picture, rows=5).margin
    return bool((under[margin:-margin, margin:-margin] == 0).any())


@pytest.mark.parametrize(("picture", "seed"), [((320, 240), 0), ((640, 360), 1), ((360, 640), 2)])
def test_if_there_is_any_place_no_face_is_covered(picture, seed):
    layout, rng = Layout.of(*picture, rows=5), np.random.default_rng(seed)
    panel = Panel(LEGEND, THEMES["dark"], layout, 5)
    sizes = [(form.width, panel.height(form, range(5))) for form in panel.forms(named=False)]
    found = []
    for _ in range(150):
        boxes = [
            (*(rng.uniform(-0.1, 0.8, 2) * picture), *rng.uniform(0.3, 1.0, 2) * min(picture))
            for _ in range(int(rng.integers(1, 7)))
        ]
        panels, faces = panels_of(layout, boxes, sizes)
        first = panels[0]
        share = sum(overlap(first, face) for face in faces) / ((first[2] - first[0]) * (first[3] - first[1]))
        free = free_somewhere(sizes[-1], picture, faces, 0.3 * layout.em)
        found.append(free)
        if free:
            assert share <= 0.02
        for track, box in panels.items():
            assert 0 <= box[0] <= box[2] <= picture[0]
            assert 0 <= box[1] <= box[3] <= picture[1]
            area = (box[2] - box[0]) * (box[3] - box[1])
            assert track == 0 or sum(overlap(box, face) for face in faces) <= 0.02 * area
    assert 75 < sum(found) < 150  # both kinds were there


def test_a_panel_shrinks_for_a_face_and_does_not_flicker():
    layout = Layout.of(640, 360, rows=5)
    placer, widths = Placer(layout), []
    sizes = [(200, 200), (120, 120)]
    wall = [(0, 0, 330, 360)]  # all but the right side
    for step in range(40):
        left = 520 + 3 * (step % 2)  # a face that trembles where the large panel just fits, or just not
        places, _ = panels_of(layout, [(left, 20, 110, 320), *wall], sizes, placer)
        widths.append(places[0][2] - places[0][0])
    assert len(set(widths[2:])) == 1
    free, _ = panels_of(layout, [(20, 20, 60, 60)], sizes, placer)
    assert free[0][2] - free[0][0] == 200


def test_a_smaller_form_tells_less_and_is_smaller():
    layout = Layout.of(1280, 720, rows=5)
    panel = Panel(LEGEND, THEMES["dark"], layout, 5)
    forms = panel.forms(named=True)
    assert [(form.rows, form.kind) for form in forms[:3]] == [(5, "names"), (5, "bars"), (5, "numbers")]
    assert forms[-1].rows == 1
    areas = [form.width * panel.height(form, range(5)) for form in forms if form.kind == "numbers"]
    assert areas == sorted(areas, reverse=True)
    result = face_result(0, 0.0, [BOX], {"AU12": 0.9}, valid=False)
    for form in forms:
        picture, mask = panel.draw(
            0, form, tuple(range(form.rows)), result.probabilities[0], result.occurrences[0], valid=False
        )
        assert picture.size == mask.size == (form.width, panel.height(form, range(form.rows)))


def test_the_bar_of_a_panel_is_as_long_as_the_probability():
    blue = np.array(THEMES["dark"].person(0))
    lengths = []
    for probability in (0.6, 0.8, 1.0):
        picture, layout = drawn(
            face_result(0, 0.0, [BOX], {"AU12": probability}), Look(top=1, regions=False, timeline=False)
        )
        like = np.abs(picture.astype(int) - blue).max(2) < 45
        like[BOX[1] - 40 : BOX[1] + BOX[3] + 6, BOX[0] - 6 : BOX[0] + BOX[2] + 6] = False  # its box and tag
        lowest = np.flatnonzero(like.any(1)).max()
        mark = layout.stroke * (probability > 0.5)  # the threshold's mark lies on the bar
        lengths.append(int(like[lowest].sum()) + mark)
    assert lengths[1] / lengths[2] == pytest.approx(0.8, abs=0.04)
    assert lengths[0] / lengths[2] == pytest.approx(0.6, abs=0.04)


def test_results_of_no_known_value_draw_an_empty_row():
    result = face_result(0, 0.0, [BOX])
    result.probabilities[:] = np.nan
    result.occurrences[:] = False
    drawn(result)


def test_labels_are_facs_numbers_and_weak_ones_have_a_star():
    legend = Legend.of(("AU12L", "AU1", "AU39"), {"AU12L": 0.4, "AU1": 0.5, "AU39": 0.5}, ("AU39",))
    assert legend.labels == ("AU12L", "AU1", "AU39*")
    assert legend.codes == ("L12", "1", "39")
    assert legend.titles[0] == "Lip corner puller, left"
    assert legend.in_facs_order([0, 1, 2]) == (1, 0, 2)


# -- which AUs ---------------------------------------------------------------------------------


def test_the_most_active_aus_are_shown_and_not_exchanged_for_equals():
    chooser = Chooser(2)
    assert set(chooser.choose(np.array([0.1, 0.9, 0.5, 0.0]))) == {1, 2}
    assert set(chooser.choose(np.array([0.52, 0.9, 0.5, 0.0]))) == {1, 2}
    assert set(chooser.choose(np.array([0.9, 0.8, 0.5, 0.0]))) == {0, 1}


def test_activity_counts_probability_and_occurrence_of_the_most_active_person():
    history = History(len(AUS), 10)
    for index in range(10):
        active = {"AU12": 0.8 if index < 5 else 0.2}
        history.add(face_result(index, index / 10, [BOX, (0, 0, 50, 50)], active))
    found = activity(history.between(-1, 2).values(), np.full(len(AUS), -1))
    assert found[AUS.index("AU12")] == pytest.approx(0.5 + 0.5, abs=1e-6)
    assert found[AUS.index("AU1")] == pytest.approx(0.02, abs=1e-6)


def test_sides_are_shown_and_written_where_they_differ_only():
    names = ("AU12", "AU12L", "AU12R", "AU6L", "AU4")
    legend = Legend.of(names, dict.fromkeys(names, 0.5))
    assert legend.opposite.tolist() == [-1, 2, 1, -1, -1]  # of AU 6 there is one side alone
    assert legend.whole.tolist() == [-1, 0, 0, -1, -1]
    times = np.arange(4) / 25
    both = np.tile(np.array([0.9, 0.9, 0.8, 0.7, 0.1], np.float32), (4, 1))
    one = np.tile(np.array([0.9, 0.9, 0.2, 0.7, 0.1], np.float32), (4, 1))
    for values, left in ((both, 0.1), (one, 0.7 + 1)):
        occurs = values >= 0.5
        found = activity([Stretch(times, values, occurs)], legend.opposite)
        np.testing.assert_allclose(found, [1.9, left, 0, 1.7, 0.1], atol=1e-6)
    for occurs, codes in ((both[0] >= 0.5, ["L6", "12"]), (one[0] >= 0.5, ["L6", "L12"])):
        assert [legend.codes[au] for au in legend.as_coded(occurs)] == codes


def test_history_forgets_and_knows_who_is_largest():
    history = History(len(AUS), 2.0)
    for index in range(2000):
        tracks = [7, 3] if index < 1900 else [3]
        boxes = [(0, 0, 50, 50), (100, 0, 90, 90)] if index < 1900 else [(100, 0, 90, 90)]
        history.add(face_result(index, index / 25, boxes, tracks=tracks))
        if index == 100:
            assert list(history.between(0, 10)) == [3, 7]
    assert list(history.between(-np.inf, np.inf)) == [3]
    times = history.between(-np.inf, np.inf)[3].times
    assert times.tolist() == [index / 25 for index in range(1949, 2000)]


# -- the time line -----------------------------------------------------------------------------


def strip_of(seconds, active_from, active_to, rate=25.0, until=None):
    """The strip after `seconds` of one face whose AU 12 is at 1 in a stretch of time, else at 0.02."""
    annotator = Annotator(LEGEND, Look(), 1280, 720)
    result = None
    for index in range(int(seconds * rate) + 1):
        time = index / rate
        if until is None or time < until:
            result = face_result(
                index, time, [BOX], {"AU12": 1.0 if active_from <= time < active_to else 0.02}
            )
            annotator.expect(result)
    picture = annotator.draw(gray(), index, time, result)
    layout = annotator.layout
    strip = picture[layout.picture_height :, layout.labels : 1280 - layout.margin]
    # The others are as still as can be, so AU 1, 2, 4 and 5 stand above it.
    strip = strip[layout.margin + round(4 * ROW * layout.em) : layout.margin + round(5 * ROW * layout.em)]
    colour = np.array(THEMES["dark"].person(0))
    return np.abs(strip.astype(int) - colour).max(2) < 30, layout


def seconds_of(columns, width, now):
    return now - 10 + columns / width * 10


def test_the_trace_is_high_where_the_au_was_active():
    line, _ = strip_of(8.0, 3.0, 5.0)
    top = np.where(line.any(0), line.argmax(0), 10_000)
    high = np.flatnonzero(top == top.min())
    assert seconds_of(high.min(), line.shape[1], 8.0) == pytest.approx(3.0, abs=0.08)
    assert seconds_of(high.max(), line.shape[1], 8.0) == pytest.approx(5.0, abs=0.08)
    begun = np.flatnonzero(line.any(0)).min()
    assert seconds_of(begun, line.shape[1], 8.0) == pytest.approx(0.0, abs=0.05)


def test_the_time_line_scrolls():
    early, _ = strip_of(8.0, 3.0, 5.0)
    late, _ = strip_of(12.0, 3.0, 5.0)
    first = [int(np.flatnonzero(line.any(0)).min()) for line in (early, late)]
    assert first[0] > 0
    assert first[1] == 0  # the beginning has left on the left side
    where = [
        float(np.flatnonzero(line.argmax(0) == line.argmax(0)[line.any(0)].min()).mean())
        for line in (early, late)
    ]
    assert where[0] - where[1] == pytest.approx(4.0 / 10 * early.shape[1], abs=12)


def test_rare_frames_are_joined_and_a_face_that_left_has_no_trace():
    line, _ = strip_of(8.0, 0.0, 8.0, rate=2.0)
    columns = line.any(0)
    assert columns[np.flatnonzero(columns).min() :].all()
    line, _ = strip_of(8.0, 0.0, 8.0, until=4.0)
    after = seconds_of(np.flatnonzero(line.any(0)).max(), line.shape[1], 8.0)
    assert 3.9 < after < 4.7


def test_what_is_ahead_is_not_drawn_before_its_time():
    annotator = Annotator(LEGEND, Look(), 1280, 720)
    for index in range(int(AHEAD_SECONDS * 25)):
        annotator.expect(face_result(index, index / 25, [BOX], {"AU12": 1.0}))
    first = annotator.draw(gray(), 0, 0.0, None)
    layout = annotator.layout
    strip = first[layout.picture_height :, layout.labels : 1270 - layout.margin]
    assert (np.abs(strip.astype(int) - np.array(THEMES["dark"].person(0))).max(2) >= 30).all()


@pytest.mark.parametrize(
    ("seconds", "digits", "text"),
    [
        (0, 0, "0:00"),
        (83.5, 2, "1:23.50"),
        (59.999, 2, "1:00.00"),
        (3725, 0, "1:02:05"),
        (-1.5, 1, "-0:01.5"),
    ],
)
def test_clock(seconds, digits, text):
    assert clock(seconds, digits=digits) == text


# -- colours, text, memory -----------------------------------------------------------------------


def deuteranope(colour):
    """How it looks without green cones (Viénot, Brettel and Mollon, 1999), in linear RGB."""
    linear = (np.array(colour) / 255) ** 2.2
    lms = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    seen = lms @ linear
    seen[1] = 0.494207 * seen[0] + 1.24827 * seen[2]
    return np.clip(np.linalg.solve(lms, seen), 0, 1) ** (1 / 2.2) * 255


@pytest.mark.parametrize("name", ["dark", "light"])
def test_colours_of_persons_differ_for_the_colour_blind_and_from_the_paper(name):
    theme = THEMES[name]
    for one, other in combinations([*theme.persons, theme.tint], 2):
        assert np.linalg.norm(deuteranope(one) - deuteranope(other)) > 30
    for colour in (*theme.persons, theme.ink, theme.faint):
        assert (
            abs(
                colorsys.rgb_to_hls(*(v / 255 for v in colour))[1]
                - colorsys.rgb_to_hls(*(v / 255 for v in theme.paper))[1]
            )
            > 0.2
        )


def test_text_that_is_too_wide_ends_with_an_ellipsis():
    writer = Writer(12)
    assert writer.fitting("Lip corner puller", 1000) == "Lip corner puller"
    short = writer.fitting("Lip corner puller", 60)
    assert short.endswith("…")
    assert writer.width(short) <= 60
    assert writer.fitting("Lip", 1) == ""


def test_names_of_all_alphabets_can_be_written():
    picture = Image.new("RGB", (400, 40))
    Writer(20).write(picture, 0, 20, "Äé ß Жλ", (255, 255, 255))
    assert np.asarray(picture).any()


def test_memory_does_not_grow_with_the_video():
    # Of 400 frames the last 200, kept, would be 40 MB.
    annotator = Annotator(LEGEND, Look(), 240, 180)
    rng = np.random.default_rng(0)
    used = []
    for index in range(400):
        box = [(80 + 20 * np.sin(index / 9), 50, 60, 80)]
        result = face_result(index, index / 5, box, {"AU12": rng.random()}, tracks=[index // 50])
        annotator.expect(result)
        annotator.draw(gray(240, 180), index, index / 5, result)
        if index in (200, 399):
            used.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6)
    assert used[1] - used[0] < 8

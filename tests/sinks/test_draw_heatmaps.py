"""Heatmaps on frames: they lie where the face was cut out, and the column tells which AU and how strong."""

import numpy as np
import pytest
from PIL import Image

from aucli.datatypes import CropConvention, Faces
from aucli.faces.align import TEMPLATE, similarity
from aucli.sinks.draw.annotator import Annotator
from aucli.sinks.draw.heatmaps import Heatmaps
from aucli.sinks.draw.layout import Layout
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.look import Look
from aucli.sinks.draw.palette import THEMES
from aucli.sinks.frames import FrameResult
from aucli_models.au import AU_SETS

AUS = AU_SETS["disfa_intensity"]
LEGEND = Legend.of(AUS, {}, measure="intensity")
CROP = CropConvention(112, 1.02, -0.16)
WIDTH, HEIGHT, SIDE = 640, 480, 28
TURN = np.array([[0.96, -0.28], [0.28, 0.96]])


def landmarks(size, centre):
    """Five points of a face tilted by 16 degrees, float32 (5, 2)."""
    return ((TEMPLATE - 0.5) @ TURN.T * size + centre).astype(np.float32)


def result(points, heatmaps, values):
    count = len(points)
    boxes = np.array([[*p.min(0), *np.ptp(p, axis=0)] for p in points], np.float32)
    faces = Faces(boxes, np.ones(count, np.float32), np.stack(points), np.arange(count, dtype=np.int32))
    return FrameResult(
        0, 0.0, faces, values, np.zeros(values.shape, bool), np.ones(count, bool), heatmaps=heatmaps
    )


def one_peak(au, place):
    """Maps of one face: 5 around a place in pixels of the crop for one AU, 0 else."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    distance = (columns - place[0] / 4) ** 2 + (rows - place[1] / 4) ** 2
    maps = np.zeros((len(AUS), SIDE, SIDE), np.uint8)
    maps[AUS.index(au)] = np.rint(255 * np.exp(-distance / 8))
    return maps


@pytest.mark.parametrize("point", range(5))
def test_the_tint_lies_where_the_map_says(point):
    """A peak at a landmark of the crop is a tint around this landmark of the picture."""
    points = landmarks(240, (330, 230))
    matrix = similarity(points[None], CROP)[0]
    place = matrix[:, :2] @ points[point] + matrix[:, 2]
    drawer = Heatmaps(LEGEND, THEMES["dark"], Layout.of(WIDTH, HEIGHT, rows=0, graph=True), CROP)
    picture = Image.new("RGB", (WIDTH, HEIGHT), (128, 128, 128))
    drawer.tint(picture, points, one_peak("AU12", place))
    change = np.abs(np.asarray(picture, float) - 128).sum(2)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    middle = np.array([(columns * change).sum(), (rows * change).sum()]) / change.sum()
    np.testing.assert_allclose(middle, points[point], atol=1.5)
    assert change.max() > 50


def test_nothing_is_tinted_without_intensity():
    drawer = Heatmaps(LEGEND, THEMES["dark"], Layout.of(WIDTH, HEIGHT, rows=0, graph=True), CROP)
    picture = Image.new("RGB", (WIDTH, HEIGHT), (128, 128, 128))
    drawer.tint(picture, landmarks(240, (330, 230)), np.zeros((len(AUS), SIDE, SIDE), np.uint8))
    assert np.asarray(picture).std() == 0


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (160, 120), (480, 640)])
def test_the_column_has_a_tile_for_each_au(size):
    """Of the largest face; the AU with a map differs from the others."""
    width, height = size
    annotator = Annotator(LEGEND, Look(heatmaps=True, timeline=False), width, height, CROP)
    assert annotator.layout.graph > 0
    small = landmarks(height / 4, (width / 4, height / 2))
    large = landmarks(height / 2, (0.6 * width, height / 2))
    maps = np.stack([np.zeros((len(AUS), SIDE, SIDE), np.uint8), one_peak("AU9", (56, 60))])
    values = np.zeros((2, len(AUS)), np.float32)
    values[1, AUS.index("AU9")] = 0.84
    drawn = result([small, large], maps, values)
    pixels = np.full((height, width, 3), 90, np.uint8)
    annotator.expect(drawn)
    canvas = annotator.draw(pixels, 0, 0.0, drawn)
    column = canvas[:height, width:]
    warm = (column[..., 0].astype(int) - column[..., 2] > 90) & (column[..., 0] > 120)
    bar = warm.copy()
    bar[: -round(4 * annotator.layout.em)] = False
    tile = warm & ~bar
    assert bar.any()
    assert tile.any()
    rows, columns = np.nonzero(tile)
    assert np.ptp(rows) < 0.3 * height  # one tile of twelve, not all
    assert np.ptp(columns) < 0.8 * column.shape[1]
    # Without a face there is a column too, of the same width.
    assert annotator.draw(pixels, 1, 0.1, None).shape == canvas.shape


def test_heatmaps_take_the_place_of_the_regions():
    """What the network measured, and not where an AU might be, is tinted."""
    points = landmarks(240, (330, 230))
    values = np.full((1, len(AUS)), 0.9, np.float32)
    drawn = result([points], np.zeros((1, len(AUS), SIDE, SIDE), np.uint8), values)
    pixels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    pictures = []
    for look in (Look(heatmaps=True, timeline=False), Look(regions=True, timeline=False)):
        annotator = Annotator(LEGEND, look, WIDTH, HEIGHT, CROP)
        annotator.expect(drawn)
        inner = annotator.draw(pixels, 0, 0.0, drawn)[:HEIGHT, :WIDTH]
        x, y = points.mean(0).astype(int)
        pictures.append(inner[y - 20 : y + 20, x - 20 : x + 20].astype(int))
    assert np.abs(pictures[0] - 128).max() == 0
    assert np.abs(pictures[1] - 128).max() > 20


def test_values_are_written_as_grades():
    assert LEGEND.written(84) == "4.2"
    assert Legend.of(AUS, {}).written(84) == "84 %"
    assert np.isnan(LEGEND.thresholds).all()
    own = Legend.of(AUS, dict.fromkeys(AUS, 2.5), measure="intensity")
    np.testing.assert_allclose(own.thresholds, 0.5)

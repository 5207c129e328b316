"""Class rates, and the published class weights that follow from them."""

from pathlib import Path

import numpy as np
import pytest

from aucli.datasets.labelled import LabelledFaces
from aucli.datasets.rates import class_rates
from aucli.training.losses import au_weights

GOLDENS = Path(__file__).parents[1] / "models" / "goldens" / "losses.npz"

# Published class weights of each fold, its number of training frames, and the only numbers of positives among
# so many frames (for DISFA: and their multiples) from which these weights follow to 6 decimals.
PUBLISHED = {
    "bp4d 1": (
        "1.342985 1.689665 1.248091 .561356 .433044 .435894 "
        ".457287 .541004 1.408054 .722762 1.493145 1.666711",
        100_813,
        (18545, 14740, 19955, 44367, 57513, 57137, 54464, 46036, 17688, 34459, 16680, 14943),
    ),
    "bp4d 2": (
        "1.191051 1.337315 1.246995 .558933 .468168 .418041 "
        ".440099 .581900 1.670360 .774237 1.586367 1.726535",
        96_665,
        (20819, 18542, 19885, 44364, 52965, 59316, 56343, 42613, 14845, 32027, 15631, 14362),
    ),
    "bp4d 3": (
        "1.132895 1.519623 1.308560 .552098 .507140 .443118 "
        ".474432 .535111 1.496040 .749851 1.582501 1.698632",
        96_216,
        (22720, 16938, 19670, 46621, 50754, 58087, 54253, 48101, 17205, 34326, 16265, 15153),
    ),
    "disfa 1": (
        "1.422290 2.347771 .399672 .795021 1.878217 .440125 .195583 .521322",
        87_209,
        (3308, 2004, 11772, 5918, 2505, 10690, 24056, 9025),
    ),
    "disfa 2": (
        "1.390215 1.469573 .527298 1.034498 1.672842 .656650 .303915 .945009",
        87_209,
        (5037, 4765, 13280, 6769, 4186, 10664, 23041, 7410),
    ),
    "disfa 3": (
        "1.510590 1.560063 .475896 .884891 1.656857 .570937 .277589 1.063177",
        87_210,
        (4667, 4519, 14814, 7967, 4255, 12348, 25397, 6631),
    ),
}


def faces(labels):
    labels = np.asarray(labels, np.int8)
    rows, aus = labels.shape
    names = tuple(f"AU{number}" for number in range(aus))
    return LabelledFaces(
        "test", Path(), names, ("",) * rows, ("",) * rows, ("",) * rows, np.zeros(rows, np.int32), labels
    )


def test_missing_labels_count_in_no_rate():
    rates = class_rates(faces([[1, -1, -1], [0, 1, -1], [0, -1, -1], [1, 0, -1]]))
    assert rates[:2].tolist() == [0.5, 0.5]
    assert np.isnan(rates[2])


@pytest.mark.parametrize("name", ["class_weights", "class_weights_missing"])
def test_weights_are_those_of_the_official_code(name):
    golden = np.load(GOLDENS)
    labels = golden[name.replace("weights", "labels")]
    np.testing.assert_allclose(au_weights(class_rates(faces(labels))), golden[name], rtol=1e-12)


@pytest.mark.parametrize("fold", PUBLISHED)
def test_weights_are_the_published_ones_to_six_decimals(fold):
    text, frames, positives = PUBLISHED[fold]
    labels = np.zeros((frames, len(positives)), np.int8)
    for column, count in enumerate(positives):
        labels[:count, column] = 1
    weights = au_weights(class_rates(faces(labels))).numpy()
    assert [f"{weight:.6f}" for weight in weights] == [f"{float(weight):.6f}" for weight in text.split()]

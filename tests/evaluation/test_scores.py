"""All figures of one sample, in both ways of deciding."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import f1_score, roc_auc_score

from aucli.errors import ShapeError
from aucli.evaluation.sample import Sample
from aucli.evaluation.scores import score

AUS = ("AU1", "AU4", "AU12")


def sample(outputs, labels, *, threshold=0.5, subjects=None, shift=0.0):
    outputs, labels = np.asarray(outputs, np.float32), np.asarray(labels, np.int8)
    probabilities = (outputs + np.float32(shift)).astype(np.float32)
    thresholds = np.full(outputs.shape[1], threshold, np.float32)
    people = tuple(subjects or (str(row % 4) for row in range(len(outputs))))
    return Sample(
        AUS[: outputs.shape[1]],
        outputs,
        probabilities,
        probabilities >= thresholds,
        thresholds,
        labels,
        people,
    )


@pytest.fixture
def random_sample():
    rng = np.random.default_rng(0)
    labels = rng.choice([-1, 0, 1], (200, 3), p=[0.1, 0.6, 0.3]).astype(np.int8)
    labels[:, 1] = -1  # never labelled
    return sample(np.clip(0.2 * labels + rng.random((200, 3)) * 0.8, 0, 1), labels, threshold=0.7, shift=0.1)


def test_figures_of_both_ways_and_their_means(random_sample):
    scores = score(random_sample, draws=50)
    assert list(scores.modes) == ["protocol", "card"]
    for au in (0, 2):
        known = random_sample.labels[:, au] >= 0
        truth, out = random_sample.labels[known, au], random_sample.outputs[known, au]
        assert scores.auc[au] == pytest.approx(roc_auc_score(truth, out))
        assert scores.base_rate[au] == pytest.approx(truth.mean())
        assert scores.modes["protocol"].f1[au] == pytest.approx(f1_score(truth, out >= 0.5))
        assert scores.modes["card"].f1[au] == pytest.approx(f1_score(truth, out + np.float32(0.1) >= 0.7))
    f1 = scores.modes["protocol"].f1
    assert np.isnan([f1[1], scores.auc[1], scores.base_rate[1]]).all()
    found = scores.to_json()
    assert found["mean"]["protocol"]["f1"] == pytest.approx((f1[0] + f1[2]) / 2, abs=1e-6)
    # As OpenGraphAU's authors count an AU that is never labelled.
    assert found["mean"]["protocol"]["f1_unlabelled_as_zero"] == pytest.approx((f1[0] + f1[2]) / 3, abs=1e-6)


def test_json_has_null_where_a_figure_is_undefined(random_sample):
    text = json.dumps(score(random_sample, draws=50).to_json(), allow_nan=False)
    never = json.loads(text)["aus"]["AU4"]
    assert never["labelled"] == 0
    for name in ("auc", "auc_interval", "average_precision", "base_rate"):
        assert never[name] is None
    assert never["card"]["f1"] is never["card"]["f1_interval"] is never["protocol"]["accuracy"] is None
    low, high = json.loads(text)["aus"]["AU12"]["protocol"]["f1_interval"]
    assert low < json.loads(text)["aus"]["AU12"]["protocol"]["f1"] < high


def test_a_card_that_decides_like_the_protocol_is_not_shown_twice():
    assert list(score(sample([[0.2], [0.8]], [[0], [1]]), draws=0).modes) == ["protocol"]


def test_the_threshold_itself_counts_as_present():
    just_below = np.nextafter(np.float32(0.5), np.float32(0))
    counts = score(sample([[0.5], [just_below]], [[1], [1]]), draws=0).modes["protocol"].counts
    assert counts[0].tolist() == [1, 0, 1, 0]


def test_one_person_has_no_interval():
    one = sample([[0.2], [0.8], [0.6]], [[0], [1], [0]], subjects="aaa")
    found = score(one, draws=50).to_json()
    assert found["subjects"] == 1
    assert found["aus"]["AU1"]["auc_interval"] is None
    assert found["mean"]["protocol"]["f1_interval"] is None


def test_the_same_seed_gives_the_same_interval(random_sample):
    first, again, other = (score(random_sample, draws=50, seed=seed).to_json()["mean"] for seed in (1, 1, 2))
    assert first == again
    assert first["auc_interval"] != other["auc_interval"]


def test_intensities_have_figures_of_their_own(random_sample):
    assert not score(random_sample, draws=0).has_intensities
    assert "icc" not in score(random_sample, draws=0).to_json()["aus"]["AU1"]
    rng = np.random.default_rng(1)
    measured = rng.uniform(0, 5, (200, 3)).astype(np.float32)
    given = (0.7 * measured + rng.normal(0, 0.5, measured.shape)).astype(np.float32)
    measured[::9, 0], given[:, 2] = np.nan, np.nan  # AU12 has no intensity in the output
    scores = score(replace(random_sample, intensities=given, measured=measured), draws=0)
    known = np.isfinite(measured[:, 0])
    x, y = given[known, 0].astype(float), measured[known, 0].astype(float)
    found = scores.to_json()
    assert found["aus"]["AU1"]["icc"] == pytest.approx(
        2 * np.cov(x, y)[0, 1] / (x.var(ddof=1) + y.var(ddof=1)), abs=1e-5
    )
    assert found["aus"]["AU1"]["mae"] == pytest.approx(np.abs(x - y).mean(), abs=1e-5)
    assert found["aus"]["AU1"]["pearson"] == pytest.approx(pearsonr(x, y).statistic, abs=1e-5)
    assert found["aus"]["AU12"]["icc"] is None
    assert found["mean"]["mae"] == pytest.approx(np.nanmean(scores.mae), abs=1e-5)


def test_arrays_of_intensities_must_fit(random_sample):
    with pytest.raises(ShapeError, match=r"Sample\.measured"):
        replace(random_sample, measured=np.zeros((200, 2), np.float32))

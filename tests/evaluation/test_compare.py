"""A difference of two models and its interval, against scikit-learn on rows that are really repeated."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from aucli.evaluation.bootstrap import draw_subjects
from aucli.evaluation.compare import compare

AUS = ("AU6", "AU12")


def people(count, of_each=20, seed=0):
    """Labels, and outputs of a good and a middling model; people differ in how well they are read."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((count * of_each, 2)) < 0.4).astype(np.int8)
    subjects = np.repeat(np.arange(count), of_each)
    hard = rng.uniform(0.1, 0.6, count)[subjects, None]
    good, middling = (
        np.clip(0.5 + 0.3 * (labels - 0.5) + rng.normal(0, noise, labels.shape) * hard, 0, 1)
        for noise in (0.5, 1.0)
    )
    return labels, good.astype(np.float32), middling.astype(np.float32), [f"P{one}" for one in subjects]


def oracle(labels, outputs):
    aucs = [roc_auc_score(labels[:, au], outputs[:, au]) for au in range(2)]
    f1s = [f1_score(labels[:, au], outputs[:, au] >= 0.5) for au in range(2)]
    return np.mean(aucs), np.mean(f1s)


def test_the_difference_and_its_interval():
    labels, good, middling, subjects = people(12)
    found = compare(middling, good, labels, subjects, AUS, draws=200)
    auc, f1 = np.subtract(oracle(labels, good), oracle(labels, middling))
    assert (found.faces, found.subjects) == (240, 12)
    assert found.mean_auc == pytest.approx(auc, abs=1e-5)
    assert found.mean_f1 == pytest.approx(f1, abs=1e-5)
    names = np.unique(subjects)
    differences = []
    for copies in draw_subjects(12, 200, 0).astype(int):
        rows = np.concatenate(
            [
                np.tile(np.flatnonzero(np.array(subjects) == name), n)
                for name, n in zip(names, copies, strict=True)
            ]
        )
        differences.append(
            np.subtract(oracle(labels[rows], good[rows]), oracle(labels[rows], middling[rows]))
        )
    want = np.percentile(differences, [2.5, 97.5], axis=0)
    assert found.mean_auc_interval == pytest.approx(want[:, 0], abs=1e-5)
    assert found.mean_f1_interval == pytest.approx(want[:, 1], abs=1e-5)
    assert found.mean_auc_interval[0] > 0  # more than noise


def test_a_model_does_not_differ_from_itself():
    labels, good, _, subjects = people(5)
    found = compare(good, good, labels, subjects, AUS, draws=50)
    assert (found.mean_auc, found.mean_auc_interval) == (0.0, (0.0, 0.0))


def test_one_person_gives_no_interval():
    labels, good, middling, subjects = people(1)
    found = compare(middling, good, labels, subjects, AUS)
    assert found.mean_auc is not None
    assert found.mean_auc_interval is None
    assert found.mean_f1_interval is None

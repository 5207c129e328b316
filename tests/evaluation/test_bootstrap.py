"""The fast bootstrap against one that copies the faces of the drawn subjects and scores them anew."""

import time

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from aucli.evaluation.bootstrap import auc_draws, draw_subjects, f1_draws, interval, mean_over_aus
from aucli.evaluation.counts import count_by_group

SUBJECTS = 6


@pytest.fixture
def people():
    """Scores with ties, labels with gaps, and whose face it is; subject 5 has no positive label."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, SUBJECTS, 300)
    labels = rng.choice([-1, 0, 1], 300, p=[0.1, 0.6, 0.3]).astype(np.int8)
    labels[(group == 5) & (labels == 1)] = 0
    scores = np.round(np.clip(0.3 * labels + 0.1 * group / SUBJECTS + rng.normal(0.4, 0.2, 300), 0, 1), 1)
    return scores.astype(np.float32), labels, group


def test_a_draw_has_as_many_subjects_as_there_are():
    copies = draw_subjects(SUBJECTS, 200, seed=3)
    assert copies.shape == (200, SUBJECTS)
    assert (copies.sum(1) == SUBJECTS).all()
    assert copies.mean(0) == pytest.approx(np.ones(SUBJECTS), abs=0.25)
    np.testing.assert_array_equal(copies, draw_subjects(SUBJECTS, 200, seed=3))
    assert (copies != draw_subjects(SUBJECTS, 200, seed=4)).any()


def test_every_draw_scores_as_its_copied_faces(people):
    scores, labels, group = people
    copies = np.vstack([draw_subjects(SUBJECTS, 40, seed=1), np.eye(SUBJECTS)[5] * SUBJECTS])
    found = scores >= 0.5
    f1 = f1_draws(copies, count_by_group(found[:, None], labels[:, None], group, SUBJECTS))[:, 0]
    auc = auc_draws(copies, scores, labels, group)
    for draw, numbers in enumerate(copies.astype(int)):
        rows = np.concatenate([np.tile(np.flatnonzero(group == who), n) for who, n in enumerate(numbers)])
        rows = rows[labels[rows] >= 0]
        assert f1[draw] == pytest.approx(f1_score(labels[rows], found[rows], zero_division=0))
        if draw < 40:
            assert auc[draw] == pytest.approx(roc_auc_score(labels[rows], scores[rows]))
    assert np.isnan(auc[40])  # nobody with a positive label was drawn


def test_the_interval_is_wider_by_subject_than_by_face():
    """Scores that differ between people more than within: drawing faces would hide that."""
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(12), 100)
    labels = (rng.random(1200) < 0.5).astype(np.int8)
    scores = 0.2 * labels + 0.6 * rng.random(12)[group] + 0.1 * rng.random(1200)
    by_subject = interval(auc_draws(draw_subjects(12, 400, 0), scores, labels, group))
    by_face = interval(auc_draws(draw_subjects(1200, 400, 0), scores, labels, np.arange(1200)))
    assert by_subject[1] - by_subject[0] > 2 * (by_face[1] - by_face[0])
    assert by_subject[0] < roc_auc_score(labels, scores) < by_subject[1]


def test_what_is_undefined_stays_so_and_never_counts():
    draws = np.array([[np.nan, 1.0, np.nan], [np.nan, 3.0, 4.0]])
    low, high = interval(draws)
    assert np.isnan([low[0], high[0]]).all()
    assert (low[2], high[2]) == (4.0, 4.0)
    np.testing.assert_array_equal(mean_over_aus(draws), [1.0, 3.5])
    assert np.isnan(mean_over_aus(np.array([np.nan])))
    never = f1_draws(np.ones((2, 1)), np.zeros((1, 1, 4), np.int64))
    assert np.isnan(never).all()


def test_many_faces_take_little_time():
    rng = np.random.default_rng(0)
    faces, subjects = 200_000, 40
    group, labels = rng.integers(0, subjects, faces), (rng.random(faces) < 0.2).astype(np.int8)
    start = time.process_time()
    auc_draws(draw_subjects(subjects, 1000, 0), rng.random(faces).astype(np.float32), labels, group)
    assert time.process_time() - start < 5  # 0.1 s here; a sort for each draw takes minutes

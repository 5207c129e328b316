"""Shares, means and pairs against numpy and sklearn; no figure depends on the frame rate."""

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from aucli.series.summary import active_frames, cooccurrence_of, figures_of
from tests.series.recipes import track, variable_times

THRESHOLDS = np.array([0.5, 0.4, 0.9])


def summed(one):
    active = active_frames(one.values, THRESHOLDS[: len(one.signals)])
    return figures_of(one, one.values, active), cooccurrence_of(one.values, active, one.weights)


def made(seed=0, count=300, times=None):
    rng = np.random.default_rng(seed)
    base = rng.random(count)
    values = np.array([base, (base + rng.random(count)) / 2, rng.random(count)], np.float32)
    values[:, 10:15] = np.nan
    values[1, 40:60] = np.nan
    times = np.arange(count) / 25 if times is None else times
    return track(times, AU6=values[0], AU12=values[1], AU25=values[2])


def test_at_an_even_rate_they_are_plain_means():
    one = made()
    figures, _ = summed(one)
    known = ~np.isnan(one.values)
    assert figures.known_seconds == pytest.approx(known.sum(1) / 25)
    assert figures.mean == pytest.approx(np.nanmean(one.values, axis=1), rel=1e-5)
    assert figures.highest == pytest.approx(np.nanmax(one.values, axis=1))
    on = one.values >= THRESHOLDS.astype(np.float32)[:, None]
    assert figures.active_share == pytest.approx(on.sum(1) / known.sum(1))


def test_at_a_variable_rate_they_are_means_by_time():
    times = variable_times(3, 300)
    one = made(times=times)
    figures, _ = summed(one)
    shown = np.append(np.diff(times), np.median(np.diff(times)))
    for i, row in enumerate(one.values):
        known = ~np.isnan(row)
        assert figures.mean[i] == pytest.approx(np.average(row[known], weights=shown[known]), rel=1e-5)
        on = row[known] >= np.float32(THRESHOLDS[i])
        assert figures.active_share[i] == pytest.approx(np.average(on, weights=shown[known]))


def test_frames_shown_for_twice_as_long_are_like_two_frames():
    one = made()
    doubled = track(
        np.arange(600) / 50, **{s.name: np.repeat(v, 2) for s, v in zip(one.signals, one.values, strict=True)}
    )
    (first, pairs), (second, other) = summed(one), summed(doubled)
    for name in ("known_seconds", "active_share", "mean", "highest"):
        assert getattr(first, name) == pytest.approx(getattr(second, name))
    assert pairs.share == pytest.approx(other.share)
    assert pairs.phi == pytest.approx(other.phi)


def test_pairs_like_the_coefficient_of_sklearn():
    one = made()
    _, pairs = summed(one)
    on = one.values >= THRESHOLDS.astype(np.float32)[:, None]
    for i in range(3):
        for j in range(3):
            known = ~np.isnan(one.values[i]) & ~np.isnan(one.values[j])
            assert pairs.known[i, j] == pytest.approx(known.sum() / 25)
            assert pairs.share[i, j] == pytest.approx((on[i] & on[j])[known].mean())
            assert pairs.phi[i, j] == pytest.approx(matthews_corrcoef(on[i][known], on[j][known]))
    assert pairs.phi[0, 1] > 0.3


def test_tracks_add_up(monkeypatch):
    whole = made(count=400)
    halves = [
        track(
            whole.times_seconds[p], **{s.name: v[p] for s, v in zip(whole.signals, whole.values, strict=True)}
        )
        for p in (slice(0, 200), slice(200, 400))
    ]
    _, pairs = summed(whole)
    added = summed(halves[0])[1] + summed(halves[1])[1]
    assert added.share == pytest.approx(pairs.share)
    assert added.phi == pytest.approx(pairs.phi)
    monkeypatch.setattr("aucli.series.summary._FRAMES_AT_ONCE", 64)  # the same in pieces
    assert summed(whole)[1].phi == pytest.approx(pairs.phi)


def test_what_cannot_be_known():
    one = track([0, 0.1, 0.2], AU6=[np.nan] * 3, AU12=[0.9] * 3)
    figures, pairs = summed(one)
    assert np.isnan([figures.mean[0], figures.highest[0], figures.active_share[0]]).all()
    assert figures.known_seconds[0] == 0
    assert np.isnan(pairs.phi).all()  # one unknown, one that never changes
    assert np.isnan(pairs.share[0, 1])
    assert pairs.share[1, 1] == 1


def test_a_still_picture_has_values_but_no_time():
    figures, pairs = summed(track([0.0], AU6=[0.7], AU12=[0.1]))
    assert figures.mean == pytest.approx([0.7, 0.1])
    assert figures.active_share.tolist() == [1, 0]
    assert figures.known_seconds.tolist() == [0, 0]
    assert pairs.share[0, 0] == 1

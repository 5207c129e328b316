"""Calibration and thresholds of a card."""

from dataclasses import replace

import numpy as np
from scipy.special import expit

from aucli.inference.postprocess import Postprocess
from aucli.zoo.catalogue import find


def test_calibrated_probabilities_and_their_thresholds():
    card = find("builtin").card
    aus = len(card.au_names)
    rng = np.random.default_rng(0)
    card = replace(
        card,
        calibration={au: (3.0 + i, -1.0 - i / 2) for i, au in enumerate(card.au_names)},
        thresholds={au: 0.2 + 0.02 * i for i, au in enumerate(card.au_names)},
    )
    outputs = rng.random((50, aus)).astype(np.float32)
    probabilities, occurrences = Postprocess.of(card)(outputs)
    want = expit((3.0 + np.arange(aus)) * outputs - 1.0 - np.arange(aus) / 2)
    np.testing.assert_allclose(probabilities, want, atol=1e-7)
    thresholds = (0.2 + 0.02 * np.arange(aus)).astype(np.float32)
    np.testing.assert_array_equal(occurrences, probabilities >= thresholds)
    assert probabilities.dtype == np.float32


def test_without_calibration_the_output_is_the_probability():
    card = replace(find("builtin").card, calibration={})
    outputs = np.linspace(0, 1, 2 * len(card.au_names), dtype=np.float32).reshape(2, -1)
    probabilities, _ = Postprocess.of(card)(outputs)
    np.testing.assert_array_equal(probabilities, outputs)


def test_only_intensities_of_use_are_written():
    card = replace(find("builtin").card, intensity=True, intensity_aus=("AU12", "AU1"))
    given = np.arange(2 * len(card.au_names), dtype=np.float32).reshape(2, -1)
    columns = [card.au_names.index("AU12"), card.au_names.index("AU1")]
    np.testing.assert_array_equal(Postprocess.of(card).intensities(given), given[:, columns])
    assert Postprocess.of(replace(card, intensity_aus=())).intensities(given) is None
    assert Postprocess.of(find("builtin").card).intensities(None) is None

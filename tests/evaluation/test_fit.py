"""Which AUs a fit marks as weak."""

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

from aucli.evaluation.fit import fit

FACES = 4000


def of(base_rate, apart):
    """Outputs of one AU: two normal distributions that lie `apart`, the positive ones at the base rate."""
    draw = np.random.default_rng(3)
    labels = draw.random(FACES) < base_rate
    return 1 / (1 + np.exp(-draw.normal(labels * apart))), labels


def test_an_au_is_weak_by_its_order_or_by_its_calls():
    cases = {"AU12": of(0.3, 2.5), "AU4": of(0.3, 0.9), "AU23": of(0.02, 1.8)}
    outputs, labels = (np.stack(part, axis=1) for part in zip(*cases.values(), strict=True))
    result = fit(outputs.astype(np.float32), labels.astype(np.int8), tuple(cases))
    assert result.weak_aus == ("AU4", "AU23")

    # The second has a bad order and good calls, the third a good order and bad calls.
    auc = {au: roc_auc_score(known, output) for au, (output, known) in cases.items()}
    called = {
        au: 1 / (1 + np.exp(-(output * result.calibration[au][0] + result.calibration[au][1])))
        >= result.thresholds[au]
        for au, (output, _) in cases.items()
    }
    f1 = {au: f1_score(known, called[au]) for au, (_, known) in cases.items()}
    assert auc["AU4"] < 0.8 <= auc["AU23"]
    assert f1["AU23"] < 0.4 <= f1["AU4"]

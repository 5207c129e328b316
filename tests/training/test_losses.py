"""Losses, class weights, edge classes and schedule against the official code's numbers."""

import numpy as np
import pytest
import torch

from aucli.training.losses import (
    au_weights,
    edge_loss,
    edge_relations,
    intensity_loss,
    labelled_entries,
    labelled_pairs,
    node_places,
    weighted_asymmetric_loss,
)
from aucli.training.schedule import cosine_rate
from aucli_models.au import AU_SETS
from tests.models import golden


@pytest.fixture(scope="module")
def losses():
    return golden.arrays("losses")


@pytest.mark.parametrize("suffix", ["", "_unweighted"])
def test_weighted_asymmetric_loss_and_gradient(losses, suffix):
    p = torch.from_numpy(losses["wa_p"]).requires_grad_()
    weights = None if suffix else torch.from_numpy(losses["wa_w"])
    loss = weighted_asymmetric_loss(p, torch.from_numpy(losses["wa_y"]), weights)
    loss.backward()
    np.testing.assert_allclose(loss.item(), losses[f"wa_loss{suffix}"], rtol=1e-6)
    np.testing.assert_allclose(p.grad, losses[f"wa_grad{suffix}"], rtol=1e-5, atol=1e-8)


def test_missing_labels_never_count(losses):
    p = torch.from_numpy(losses["wa41_p"]).requires_grad_()
    labels = torch.from_numpy(losses["wa41_y"])
    loss = weighted_asymmetric_loss(p, labels, torch.from_numpy(losses["wa41_w"]))
    loss.backward()
    np.testing.assert_allclose(loss.item(), losses["wa41_loss"], rtol=1e-6)
    np.testing.assert_allclose(p.grad, losses["wa41_grad"], rtol=1e-5, atol=1e-8)
    assert (p.grad[labels == -1] == 0).all()


def test_a_batch_without_labels_is_refused():
    with pytest.raises(ValueError, match="no AU of this batch is labelled"):
        weighted_asymmetric_loss(torch.full((2, 3), 0.5), torch.full((2, 3), -1.0))


def test_edge_relations_and_loss(losses):
    labels = torch.from_numpy(losses["edge_y"])
    np.testing.assert_array_equal(edge_relations(labels).flatten(), losses["edge_relation"].ravel())
    logits = torch.from_numpy(losses["edge_logits"]).requires_grad_()
    loss = edge_loss(logits, labels)
    loss.backward()
    np.testing.assert_allclose(loss.item(), losses["edge_loss"], rtol=1e-6)
    np.testing.assert_allclose(logits.grad, losses["edge_grad"], rtol=1e-5, atol=1e-8)


def test_pairs_with_an_au_that_is_not_coded_never_count():
    labels = torch.tensor([[1.0, 0.0, -1.0], [-1.0, -1.0, 1.0]])
    assert edge_relations(labels).tolist() == [
        [3, 2, -1, 1, 0, -1, -1, -1, -1],
        [-1, -1, -1, -1, -1, -1, -1, -1, 3],
    ]
    assert labelled_pairs(labels) == 5
    logits = torch.randn(2, 9, 4, requires_grad=True)
    loss = edge_loss(logits, labels)
    loss.backward()
    coded = [(0, 0, 3), (0, 1, 2), (0, 3, 1), (0, 4, 0), (1, 8, 3)]
    want = torch.stack([-logits[face, pair].log_softmax(0)[kind] for face, pair, kind in coded]).mean()
    torch.testing.assert_close(loss, want)
    assert (logits.grad[edge_relations(labels) == -1] == 0).all()


def test_shares_of_a_batch_add_up_to_its_loss():
    """However a batch is cut, and however unevenly labels are missing."""
    torch.manual_seed(0)
    p, labels, logits = torch.rand(10, 3), torch.randint(-1, 2, (10, 3)).float(), torch.randn(10, 9, 4)
    weights = torch.tensor([0.5, 1.0, 1.5])
    whole = weighted_asymmetric_loss(p, labels, weights) + edge_loss(logits, labels)
    shares = [
        weighted_asymmetric_loss(p[part], labels[part], weights, count=labelled_entries(labels))
        + edge_loss(logits[part], labels[part], count=labelled_pairs(labels))
        for part in (slice(0, 1), slice(1, 7), slice(7, 10))
    ]
    torch.testing.assert_close(sum(shares), whole)


def test_intensity_loss_is_the_mean_over_what_is_known():
    """Written out: half a squared distance below the fifth where the smooth L1 distance bends, in fifths."""
    rng = np.random.default_rng(0)
    predicted, truth = rng.uniform(-1, 6, (6, 4)), rng.uniform(0, 5, (6, 4))
    truth[rng.random(truth.shape) < 0.3] = np.nan
    distance = np.abs(predicted - truth) / 5
    each = np.where(distance < 0.2, distance**2 / 0.4, distance - 0.1)
    known = int(np.isfinite(truth).sum())
    predictions = torch.from_numpy(predicted).requires_grad_()
    loss = intensity_loss(predictions, torch.from_numpy(truth), count=known)
    assert loss.item() == pytest.approx(np.nanmean(each))
    loss.backward()
    assert (predictions.grad.numpy()[np.isnan(truth)] == 0).all()
    nothing = intensity_loss(predictions, torch.full((6, 4), torch.nan), count=0)
    assert nothing.item() == 0.0


def test_edges_are_between_aus_without_a_side():
    assert node_places(AU_SETS["disfa"]).tolist() == list(range(8))
    assert node_places(("AU12L", "AU1", "AU4R", "AU12")).tolist() == [1, 3]


def test_class_weights(losses):
    labels = losses["class_labels"]
    np.testing.assert_allclose(au_weights(labels.mean(0)), losses["class_weights"], rtol=1e-6)
    assert au_weights(labels.mean(0)).sum().item() == pytest.approx(labels.shape[1])
    with pytest.raises(ValueError, match="never occurs"):
        au_weights(np.array([0.5, 0.0]))


def test_schedule(losses):
    rates = [cosine_rate(1e-4, int(e) * 7 + int(i), 20 * 7) for e, i in losses["lr_epoch_iter"]]
    np.testing.assert_allclose(rates, losses["lr_value"], rtol=1e-9)


def test_warm_up_rises_to_the_initial_rate():
    rates = [cosine_rate(1.0, i, 1000, warmup=10) for i in range(11)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert rates == sorted(rates[:10]) + rates[10:]

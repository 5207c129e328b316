"""SCC's checkpoints of TensorFlow through the zoo: the official numbers, and what is refused."""

import numpy as np
import pytest
import torch

from aucli.errors import CheckpointError, UnknownModelError
from aucli.zoo import load
from aucli.zoo.import_official import import_file
from aucli.zoo.network import spec_of
from aucli.zoo.published import generic
from aucli.zoo.store import State, sha256_of, verify
from tests.models import golden, golden_scc
from tests.zoo import bundles


def test_the_authors_file_gives_the_official_numbers(tmp_path):
    """All the variables, with what Adam leaves beside them; the file by its name without an ending."""
    state = {"beta1_power": np.float32(0.9), "Variable": np.float32(5e-4)}
    state["out/biases/Adam"] = np.zeros(10, np.float32)
    index = bundles.save(tmp_path / "snapshot_10.ckpt", golden_scc.variables() | state)
    (entry,) = import_file(tmp_path / "snapshot_10.ckpt")
    assert verify(entry) is State.OK
    assert entry.card.recorded["source_file"] == "snapshot_10.ckpt.index"
    assert entry.card.recorded["source_sha256"] == sha256_of(index)
    network, card = load("scc_resnet50.bp4d_intensity_stage1")
    assert card.au_names == ("AU6", "AU10", "AU12", "AU14", "AU17") == card.intensity_aus
    assert (card.node_layout, card.probabilities, dict(card.thresholds)) == ("authors", False, {})
    want = golden.arrays(golden_scc.NAME)
    bgr = golden_scc.picture(golden_scc.manifest()["image_names"][0])
    rgb = torch.from_numpy(bgr[..., ::-1].copy()).permute(2, 0, 1).float()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (card.mean, card.std))
    with torch.inference_mode():
        output = network(((rgb / 255 - mean) / std).unsqueeze(0))
    maps = output.heatmaps[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(maps, want["heatmaps"][0], rtol=0, atol=0.1)
    np.testing.assert_array_equal(output.points[0].numpy(), want["decoded"][0, :, :2])
    merged = want["decoded"][0, :, 2].reshape(5, 2).mean(1)
    np.testing.assert_allclose(output.intensities[0].numpy(), merged, rtol=0, atol=2e-3)


def small(change=None):
    """Variables with the authors' names and shapes, but for those that are changed, of zeros."""
    found = {name: np.zeros(shape, np.float32) for name, shape, _, _ in golden_scc.manifest()["tensors"][:6]}
    found |= {"out/weights": np.zeros((1, 1, 64, 10), np.float32), "out/biases": np.zeros(10, np.float32)}
    found |= {"conv3/weights": np.zeros((1, 1, 2, 1), np.float32), "up3/weights": np.zeros(1, np.float32)}
    return found | (change or {})


def test_what_lacks_variables_is_refused_by_their_names(tmp_path):
    bundles.save(tmp_path / "m.ckpt", small({"odd": np.zeros(2, np.float32)}))
    with pytest.raises(CheckpointError, match=r"m.ckpt.index: the file lacks .*conv1/BatchNorm/beta"):
        import_file(tmp_path / "m.ckpt")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"dense/kernel": np.zeros((2, 2), np.float32)}, "not variables of SCC"),
        (small({"out/weights": np.zeros((1, 1, 64, 12), np.float32)}), "SCC with 12 points: only 10"),
    ],
)
def test_other_checkpoints_of_tensorflow(tmp_path, variables, message):
    bundles.save(tmp_path / "m.ckpt", variables)
    with pytest.raises(CheckpointError, match=message):
        import_file(tmp_path / "m.ckpt")
    with pytest.raises(CheckpointError, match=message):
        load(str(tmp_path / "m.ckpt"))


def test_a_name_without_files(tmp_path):
    with pytest.raises(UnknownModelError):
        load(str(tmp_path / "snapshot_10.ckpt"))


@pytest.mark.parametrize(("au_set", "aus"), [("bp4d_intensity", 5), ("disfa_intensity", 12)])
def test_card_of_a_checkpoint(au_set, aus):
    card = generic("scc", "resnet50", au_set, 1)
    assert len(card.intensity_aus) == aus
    assert spec_of(card).input_size == 256
    np.testing.assert_allclose(np.array(card.mean) * 255, [103.94, 116.78, 123.68])
    assert not card.gives_occurrences

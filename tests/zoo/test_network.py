"""Cards and weights: the built-in model loads strictly; everything that does not fit is named."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from aucli.errors import CheckpointError, UnknownModelError
from aucli.zoo import load
from aucli.zoo.card import Card
from aucli.zoo.catalogue import find, packaged
from aucli_models.au import AU_SETS
from aucli_models.registry import ModelSpec, create_model


@pytest.fixture
def model(tmp_path):
    """A small random model as a card and its weights; returns the card's values and a way to write them."""
    torch.manual_seed(0)
    network = create_model(ModelSpec("me_graphau", "resnet10_small", "disfa", 1))
    weights = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    values = {
        "name": "tiny",
        "system": "me_graphau",
        "backbone": "resnet10_small",
        "au_set": "disfa",
        "stage": 1,
        "weights": "tiny.safetensors",
        "sha256": "",
        "licence": "MIT",
        "training_data": "none",
        "description": "random weights",
        "thresholds": dict.fromkeys(AU_SETS["disfa"], 0.5),
    }

    def write(tensors=weights, **changes):
        save_file(tensors, tmp_path / "tiny.safetensors")
        digest = hashlib.sha256((tmp_path / "tiny.safetensors").read_bytes()).hexdigest()
        card = tmp_path / "tiny.json"
        card.write_text(json.dumps(values | {"sha256": digest} | changes))
        return str(card)

    return weights, write, network


def test_a_card_file_loads_its_weights(model):
    _, write, original = model
    network, card = load(write())
    images = torch.randn(2, 3, 112, 112)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    with torch.inference_mode():
        want = original.eval()(images).probabilities
    torch.testing.assert_close(network(images).probabilities, want, rtol=0, atol=0)
    assert card.au_names == AU_SETS["disfa"]


def test_builtin_is_packaged_small_and_complete():
    entry = find("builtin")
    assert entry == packaged()[entry.card.name]
    assert entry.weights_path.stat().st_size <= 25e6
    network, card = load("builtin")
    assert set(card.thresholds) == set(card.au_names) == set(card.validation)
    with torch.inference_mode():
        out = network(torch.zeros(1, 3, card.crop.size, card.crop.size)).probabilities
    assert out.shape == (1, len(card.au_names))
    assert out.isfinite().all()


def test_unknown_names_get_the_nearest():
    name = next(iter(packaged()))
    with pytest.raises(UnknownModelError, match=name):
        find(name[:-1])
    with pytest.raises(UnknownModelError, match="builtin"):
        find("bultin")


@pytest.mark.parametrize("change", ["missing", "surplus", "shape", "nan"])
def test_weights_that_do_not_fit_are_named(model, change):
    weights, write, _ = model
    weights = dict(weights)
    if change == "missing":
        del weights["head.sc"]
    elif change == "surplus":
        weights["head.sb"] = torch.zeros(1)
    elif change == "shape":
        weights["head.sc"] = torch.zeros(3, 128)
    else:
        weights["head.sc"] = weights["head.sc"] * float("nan")
    with pytest.raises(CheckpointError, match=r"head\.s"):
        load(write(weights))


def test_another_file_under_the_same_name_is_refused(model):
    _, write, _ = model
    with pytest.raises(CheckpointError, match="sha256"):
        load(write(sha256="0" * 64))


def test_weights_without_a_recorded_checksum_are_refused_with_theirs(model, tmp_path):
    _, write, _ = model
    card = write(sha256=None)
    digest = hashlib.sha256((tmp_path / "tiny.safetensors").read_bytes()).hexdigest()
    with pytest.raises(CheckpointError, match=f'"sha256": "{digest}"'):
        load(card)


def test_a_truncated_file_is_refused(model, tmp_path):
    _, write, _ = model
    write()
    content = (tmp_path / "tiny.safetensors").read_bytes()[:-1000]
    card = write(sha256=hashlib.sha256(content).hexdigest())
    (tmp_path / "tiny.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load(card)


def test_missing_weights_are_named(model, tmp_path):
    _, write, _ = model
    card = write()
    (tmp_path / "tiny.safetensors").unlink()
    with pytest.raises(CheckpointError, match="missing"):
        load(card)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "resnet9"}, "unknown backbone"),
        ({"au_set": "bp5d"}, "unknown AU set"),
        ({"stage": 3}, "stages 1 and 2"),
        ({"thresholds": {"AU1": 0.5}}, "thresholds must name exactly"),
        ({"weights": "../tiny.safetensors"}, "beside the card"),
        ({"colour": "red"}, "not a model card"),
        ({"weak_aus": ["AU43"]}, "AU43"),
        ({"intensity": True, "intensity_aus": ["AU43"]}, "intensity_aus names AU43"),
        ({"intensity_aus": ["AU12"]}, "its network gives no intensities"),
        ({"intensity": True}, r"lacks intensity_head\.bias, intensity_head\.weight"),
    ],
)
def test_cards_that_contradict_themselves_are_refused(model, changes, message):
    _, write, _ = model
    with pytest.raises(CheckpointError, match=message):
        load(write(**changes))


def test_what_is_not_a_card_is_refused(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("not json")
    with pytest.raises(CheckpointError, match="not JSON"):
        load(str(path))
    with pytest.raises(CheckpointError, match="folder"):
        load(str(tmp_path))
    other = tmp_path / "model.bin"
    other.write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"\.json"):
        load(str(other))


def test_cards_survive_their_json():
    for entry in packaged().values():
        assert Card.from_json(json.loads(json.dumps(entry.card.to_json())), "here") == entry.card


def test_a_card_with_intensities_survives_too():
    card = replace(
        find("builtin").card,
        au_set="synth_sided",
        thresholds=dict.fromkeys(AU_SETS["synth_sided"], 0.5),
        intensity=True,
        intensity_aus=("AU12", "AU12L"),
        validation={"AU12": {"auc": 0.9, "icc": 0.7, "mae": 0.4}, "AU1": {"auc": 0.8}},
    )
    assert Card.from_json(json.loads(json.dumps(card.to_json())), "here") == card

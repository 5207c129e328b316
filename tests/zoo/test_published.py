"""The table of released models: all of them, with what their authors say."""

import json
from collections import Counter

import numpy as np
import pytest

from aucli.datatypes import CropConvention
from aucli.faces.align import similarity
from aucli.zoo.card import Card
from aucli.zoo.published import published
from aucli_models.au import AU_SETS
from aucli_models.backbones import BACKBONES
from aucli_models.registry import SYSTEMS

# From the authors' READMEs: drive id, percent.
SAMPLES = {
    "me_graphau_resnet50.bp4d_fold1": ("1gYVHRjIj6ounxtTdXMje4WNHFMfCTVF9", 64.7),
    "me_graphau_swin_small.bp4d_fold3": ("1EiQd6q7x1bEO6JBLi3s2y5348EuVdP3L", 65.1),
    "me_graphau_swin_base.disfa_fold2": ("1T44KPDaUhi4J_C-fWa6RxXNkY3yoDwIi", 62.4),
    "open_graphau_resnet18.hybrid_stage1": ("1b9yrKF663K9IwY2C2-1SD6azpAdNgBm7", 22.33),
    "open_graphau_mae_vit_base.hybrid_stage2": ("1yE_kvSCxHC3ULsJYQU22g0LuNTjNeijP", 25.29),
}


def test_every_released_file_has_its_cards():
    cards = published()
    assert len(cards) == 33
    assert all(name == card.name for name, card in cards.items())
    files = Counter(card.download.url for card in cards.values())
    assert Counter(files.values()) == {3: 7, 1: 12}
    assert Counter((card.system, card.au_set) for card in cards.values()) == {
        ("me_graphau", "bp4d"): 15,
        ("me_graphau", "disfa"): 6,
        ("open_graphau", "hybrid"): 12,
    }
    for name, (drive_id, mean_f1) in SAMPLES.items():
        assert drive_id in cards[name].source
        assert drive_id in cards[name].download.url
        assert cards[name].published["mean_f1"] == pytest.approx(mean_f1 / 100)


@pytest.mark.parametrize("card", published().values(), ids=lambda card: card.name)
def test_a_card_is_whole(card):
    assert card.system in SYSTEMS
    assert card.backbone in BACKBONES
    assert card.download.archive == (card.fold is not None) == (card.system == "me_graphau")
    assert card.sha256 is None
    assert "no licence stated" in card.licence
    assert "non-commercial" in card.training_data
    assert set(card.thresholds.values()) == {0.5}
    assert ("accuracy" in card.published) == (card.system == "open_graphau")
    assert any("AU11" in note for note in card.notes) == (card.system == "open_graphau")
    assert any("one too high" in note for note in card.notes) == (card.fold is not None)
    assert Card.from_json(json.loads(json.dumps(card.to_json())), "here") == card


def test_the_figures_per_au_are_those_of_the_papers_tables():
    tables = {card.name: card for card in published().values() if card.published_f1 and card.fold == 1}
    assert set(tables) == {
        f"me_graphau_{backbone}.{au_set}_fold1"
        for backbone in ("resnet50", "swin_base")
        for au_set in ("bp4d", "disfa")
    }
    for card in tables.values():
        assert tuple(card.published_f1) == AU_SETS[card.au_set]
        # The tables' own column of means, rounded to 0.1 percent.
        assert np.mean(list(card.published_f1.values())) == pytest.approx(card.published["mean_f1"], abs=6e-4)


@pytest.mark.parametrize(
    ("name", "left_eye", "right_eye", "nose", "mouth", "most_pixels", "most_degrees"),
    [
        ("me_graphau_resnet50.bp4d_fold1", (80, 70), (180, 71), (132, 125), (130, 188), 5, 1),
        ("me_graphau_resnet50.disfa_fold1", (97, 74), (170, 77), (135, 110), (127, 165), 5, 4),
    ],
)
def test_the_aligner_gives_the_authors_sample_back(
    name, left_eye, right_eye, nose, mouth, most_pixels, most_degrees
):
    """Points as read from the samples of 256 pixels; the authors' test crop is the central 224 of it."""
    half = 0.414 * np.hypot(*np.subtract(right_eye, left_eye))  # half a mouth, in the template's proportion
    corners = [(mouth[0] - half, mouth[1]), (mouth[0] + half, mouth[1])]
    points = np.array([left_eye, right_eye, nose, *corners], float) - 16
    matrix = similarity(points[None], published()[name].crop)[0]
    assert np.linalg.det(matrix[:, :2]) ** 0.5 == pytest.approx(1, abs=0.01)
    assert abs(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))) < most_degrees
    centre = points.mean(axis=0)
    assert np.abs(matrix[:, :2] @ centre + matrix[:, 2] - centre).max() < most_pixels


def test_open_graphau_crops_are_as_loose_as_its_demonstration():
    crop = published()["open_graphau_resnet50.hybrid_stage2"].crop
    eyes = np.diff(np.array([38.2946, 73.5318]) / 112)[0] * crop.scale  # of the crop's side
    assert eyes * 224 / 256 == pytest.approx(0.25, abs=0.002)
    assert crop != CropConvention()

"""OpenGraphAU: order, names, the node that each AU reads, and independence of the batch for both systems."""

import json
import re

import pytest
import torch

from aucli_models.au import AU_SETS, title
from aucli_models.open_graphau import MAIN_AUS, SIDED_AUS, OpenGraphAU, node_of
from aucli_models.registry import ModelSpec, create_model
from tests.models import golden


def test_au12_left_and_right_read_the_node_of_au11():
    assert (len(MAIN_AUS), len(SIDED_AUS)) == (27, 14)
    # Nodes 0, 1, 2, 4, 7, 8, 11 for the seven pairs: the authors' list.
    assert [node_of(au) for au in SIDED_AUS] == [0, 0, 1, 1, 2, 2, 4, 4, 7, 7, 8, 8, 11, 11]
    assert MAIN_AUS[node_of("AU12L")] == MAIN_AUS[node_of("AU12R")] == "AU11"
    assert MAIN_AUS[node_of("AU12")] == "AU12"
    network = create_model(ModelSpec("open_graphau", "resnet18", "hybrid", 1)).eval()
    nodes = torch.rand(1, 27, 128)
    changed = nodes.clone()
    changed[:, MAIN_AUS.index("AU11")] = torch.rand(128)
    moved = (network.head(nodes) != network.head(changed))[0].nonzero().flatten().tolist()
    assert [AU_SETS["hybrid"][index] for index in moved] == ["AU11", "AU12L", "AU12R"]


def test_names_and_order_are_those_of_the_authors_demo():
    text = json.loads((golden.FOLDER / "og_text.json").read_text())
    printed = re.findall(r"AU([LR]?)(\d+): +([\d.]+)", text["prob_line"])
    assert [f"AU{number}{side}" for side, number, _ in printed] == list(AU_SETS["hybrid"])
    active = {f"AU{number}{side}" for side, number, percent in printed if float(percent) >= 50}
    theirs = set(text["active_names_sorted"])
    # The demo gives AU12L and AU12R the name of the AU whose node they read.
    ours = [title("AU11L") if au == "AU12L" else title(au) for au in active]
    split = [name.partition(", ") for name in ours]
    assert {f"{side.title()} {name}".strip() for name, _, side in split} == theirs


def test_other_au_sets_are_refused():
    with pytest.raises(ValueError, match="'bp4d': OpenGraphAU predicts the set hybrid"):
        OpenGraphAU("resnet18", "bp4d", 1)


@torch.inference_mode()
@pytest.mark.parametrize(("system", "au_set"), [("me_graphau", "bp4d"), ("open_graphau", "hybrid")])
@pytest.mark.parametrize("stage", [1, 2])
def test_a_picture_alone_and_among_64(system, au_set, stage):
    spec = ModelSpec(system, "resnet18", au_set, stage)
    network = golden.loaded(spec, golden.formula_state(spec))
    images = golden.normalised(golden.images(7, 64))
    together = network(images).probabilities
    for index in range(0, 64, 9):
        alone = network(images[index : index + 1]).probabilities[0]
        torch.testing.assert_close(alone, together[index], rtol=0, atol=1e-6)

"""The authors' variable names: what a file holds is told from them; they become ours and back."""

import pytest
import torch

from aucli_models.registry import create_model
from aucli_models.scc_official import from_ours, is_training_state, recognise, to_ours
from tests.models import golden_scc


def shapes(points=10):
    found = {name: tuple(shape) for name, shape, _, _ in golden_scc.manifest()["tensors"]}
    return found | {"out/weights": (1, 1, 64, points), "out/biases": (points,)}


@pytest.mark.parametrize(("points", "au_set"), [(10, "bp4d_intensity"), (24, "disfa_intensity")])
def test_there_and_back(points, au_set):
    spec = recognise(shapes(points))
    assert (spec.system, spec.backbone, spec.au_set, spec.input_size) == ("scc", "resnet50", au_set, 256)
    network = create_model(spec)
    theirs = from_ours(network.state_dict())
    assert {name: tuple(value.shape) for name, value in theirs.items()} == shapes(points)
    assert list(theirs) == list(shapes(points))
    state = network.state_dict()
    back = to_ours(theirs)
    assert {key for key in state if not key.endswith("num_batches_tracked")} == back.keys()
    assert all(torch.equal(back[key], state[key]) for key in back)
    first = theirs["resnet_v1_50/conv1/weights"]
    want = state["backbone.net.conv1.weight"]
    assert torch.equal(first[2, 3, :, 5], want[5, [2, 1, 0], 2, 3])  # blue, green, red there


def test_the_state_of_training_is_left_out_and_strangers_pass():
    zero = torch.zeros(1)
    state = to_ours({"out/biases": zero, "out/biases/Adam": zero, "beta1_power": zero, "odd": zero})
    assert state.keys() == {"out.bias", "odd"}
    assert not is_training_state("out/weights")


def test_what_is_not_scc():
    with pytest.raises(ValueError, match="not variables of SCC: its 1 names begin with dense/kernel"):
        recognise({"dense/kernel": (3, 3)})
    with pytest.raises(ValueError, match="11 points: only 10"):
        recognise(shapes(11))

"""Stage 1 to 2: exactly the official code's list of entries carries over."""

import pytest
import torch

from aucli.training.stages import start_graph_from_stage1, transfer_stage1
from aucli_models.me_graphau import MEGraphAU
from aucli_models.registry import ModelSpec, create_model
from tests.models import golden


def test_transfer_fills_what_the_official_code_fills():
    stage1, stage2 = MEGraphAU("resnet18", "disfa", 1), MEGraphAU("resnet18", "disfa", 2)
    before = {key: value.clone() for key, value in stage2.state_dict().items()}
    transfer = transfer_stage1(stage1, stage2)
    official = golden.manifest("me_resnet18_disfa_stage2")["stage1_to_stage2"]
    # Eight separate AU blocks of seven entries there are one wide block of seven here.
    assert len(transfer.filled) == len(official["loaded"]) - 7 * 7
    # The official list of missing entries leaves the batch norms' counters out.
    fresh = [key for key in transfer.fresh if not key.endswith("num_batches_tracked")]
    assert len(fresh) == len(official["missing_in_stage1"])
    assert len(transfer.unused) == len(official["unused_from_stage1"])
    after = stage2.state_dict()
    for key in transfer.filled:
        torch.testing.assert_close(after[key], stage1.state_dict()[key], rtol=0, atol=0)
    for key in transfer.fresh:
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=0)
    assert all(key.startswith("graph.") for key in transfer.unused)


def test_another_backbone_is_refused():
    small = create_model(ModelSpec("me_graphau", "resnet10_small", "disfa", 1))
    with pytest.raises(ValueError, match="does not fit stage 2 at backbone"):
        transfer_stage1(small, MEGraphAU("resnet18", "disfa", 2))


def test_the_edge_graph_can_begin_where_stage_1_ended():
    """With the warm start stage 2 says nearly what stage 1 says; with a random graph it does not."""
    torch.manual_seed(0)
    stage1 = create_model(ModelSpec("me_graphau", "resnet10_small", "disfa", 1)).eval()
    images = torch.randn(4, 3, 112, 112)
    distance = {}
    for warm in (False, True):
        stage2 = create_model(ModelSpec("me_graphau", "resnet10_small", "disfa", 2)).eval()
        transfer_stage1(stage1, stage2)
        if warm:
            start_graph_from_stage1(stage1, stage2)
        with torch.inference_mode():
            difference = stage2(images).probabilities - stage1(images).probabilities
        distance[warm] = difference.abs().mean().item()
    assert distance[True] < distance[False] / 4, distance


def test_messages_are_divided_by_the_nodes_not_by_all_aus():
    """39 AUs, 25 of them nodes: the edge graph takes the mean of 25 messages, the other one their sum."""
    stage1, stage2 = (
        create_model(ModelSpec("me_graphau", "resnet10_small", "synth_sided", stage)) for stage in (1, 2)
    )
    start_graph_from_stage1(stage1, stage2)
    torch.testing.assert_close(stage2.graph.layers[0].V.weight, 25 * stage1.graph.V.weight)

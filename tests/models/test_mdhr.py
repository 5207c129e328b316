"""MDHR against the numbers of the authors' code, and against its own rules on other backbones and AUs."""

import numpy as np
import pytest
import torch

from aucli_models.au import AU_SETS
from aucli_models.mdhr import HALO, MDHR
from aucli_models.mdhr_motion import beyond, mean_around
from aucli_models.mdhr_regions import REGIONS
from aucli_models.official import from_ours, recognise, to_ours
from aucli_models.registry import ModelSpec, create_model
from tests.models import golden, golden_mdhr
from tests.models.small_mdhr import moving, small


@pytest.fixture(scope="module")
def network():
    state = golden_mdhr.official_state()
    return golden.loaded(recognise(state), state)


@pytest.fixture(scope="module")
def want():
    return golden.arrays(golden_mdhr.NAME)


def close(got, expected, atol):
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)


def check(out, want, prefix):
    """Tolerances of the golden README; the smallest mistake it lists moves a score by 0.035."""
    close(out.probabilities.flatten(0, 1), want[f"{prefix}_au"], 1e-5)
    assert out.probabilities.dtype == torch.float32
    assert list(out.region_logits) == ["up", "mid", "down1", "down2"]
    for name, logits in out.region_logits.items():
        close(logits.flatten(0, 1), want[f"{prefix}_{name}"], 1e-3)


def test_a_clip_gives_the_authors_scores_and_everything_between(network, want):
    clip = golden_mdhr.make_clip("mdhr/clipA", 1, 16)
    taps = {}

    def keep(name):
        def hook(_module, _inputs, output):
            taps[name] = output

        return hook

    parts = {
        "backbone": network.backbone,
        "static": network.global_linear,
        "dynamic": network.motion,
        "gat": network.graph,
        "tcn": network.temporal,
    }
    hooks = [module.register_forward_hook(keep(name)) for name, module in parts.items()]
    inputs = {}
    hooks.append(network.graph.register_forward_pre_hook(lambda _m, args: inputs.update(graph=args)))
    hooks.append(network.motion.register_forward_pre_hook(lambda _m, args: inputs.update(motion=args)))
    try:
        check(network(clip), want, "clipA")
    finally:
        for hook in hooks:
            hook.remove()
    tokens, maps = taps["backbone"]
    frames = want["tap_frames"]
    for number, x in enumerate(maps, 1):
        close(x.mean((2, 3)), want[f"clipA_tap_backbone_x{number}_chmean"], 1e-4)
    close(tokens[frames][:, ::7, ::8], want["clipA_tap_backbone_tokens"], 1e-4)
    for name in ("static", "dynamic", "gat"):
        close(taps[name][frames], want[f"clipA_tap_{name}"], 1e-4)
    close(network.motion.scale_weights(*inputs["motion"]), want["clipA_tap_scale_weights"], 1e-5)
    nodes, active = inputs["graph"]
    close(nodes[frames], want["clipA_tap_nodes"], 1e-4)
    np.testing.assert_array_equal(active.numpy(), want["clipA_tap_adj_mask"] > 0)
    close(taps["tcn"][0, frames], want["clipA_tap_tcn"], 1e-4)


def test_clips_of_a_batch_do_not_see_each_other(network, want):
    """The second clip of two, alone."""
    clips = golden_mdhr.make_clip("mdhr/clipB", 2, 16)
    out = network(clips[1:])
    close(out.probabilities[0], want["clipB_au"][16:], 1e-5)


@pytest.mark.parametrize("au_set", ["bp4d", "disfa"])
def test_a_batch_of_clips_equals_its_clips(au_set):
    network, clips = small(au_set), moving(2, 9)
    both = network(clips)
    assert both.probabilities.shape == (2, 9, len(AU_SETS[au_set]))
    for number in range(2):
        alone = network(clips[number : number + 1])
        close(alone.probabilities[0], both.probabilities[number], 1e-6)
        for region in REGIONS[au_set]:
            assert both.region_logits[region.name].shape == (2, 9, 2 ** len(region.aus))
            close(alone.region_logits[region.name][0], both.region_logits[region.name][number], 1e-5)


def test_a_frame_depends_on_seven_frames_on_each_side_and_no_more():
    """Which frames move which outputs, by changing one at a time."""
    network, clip = small(), moving(1, 31)
    before = network(clip).probabilities[0]
    other = clip.clone()
    other[0, 15] += 1.0
    moved = (network(other).probabilities[0] - before).abs().amax(1)
    assert HALO == 7
    assert (moved[:8] < 1e-6).all()
    assert (moved[23:] < 1e-6).all()
    assert (moved[8:23] > 1e-5).all()


def test_the_mean_counts_zeros_beyond_the_ends():
    """As many differences are summed as the authors' clips of 16 have, always divided by 10."""
    counted = mean_around(beyond(torch.ones(15, 1)))
    assert (counted * 10).flatten().tolist() == pytest.approx(
        [5, 6, 7, 8, 9, 10, 10, 10, 10, 10, 10, 9, 8, 7, 6, 5]
    )


@pytest.mark.parametrize("au_set", REGIONS)
def test_regions_hold_each_au_once(au_set):
    aus = [au for region in REGIONS[au_set] for au in region.aus]
    assert sorted(aus) == sorted(AU_SETS[au_set])


# Millions of parameters and tensors of the authors' code; 106.01 is not stated but follows from the parts.
COUNTS = {
    ("resnet50", "bp4d"): (93.226, 544),
    ("resnet50", "disfa"): (91.091, 478),
    ("swin_base", "bp4d"): (108.149, 588),
    ("swin_base", "disfa"): (106.014, 522),
}


@pytest.mark.parametrize(("backbone", "au_set"), COUNTS)
def test_every_configuration_goes_there_and_back(backbone, au_set):
    spec = ModelSpec("mdhr", backbone, au_set, 1)
    with torch.device("meta"):  # only names and shapes: random numbers for all of it would take seconds
        network = create_model(spec)
    state = network.state_dict()
    theirs = from_ours(spec, state)
    parameters, tensors = COUNTS[backbone, au_set]
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(parameters, abs=6e-4)
    assert len(theirs) == tensors
    assert recognise(theirs) == spec
    back = to_ours(spec, theirs)
    assert {key: x.shape for key, x in back.items()} == {key: x.shape for key, x in state.items()}
    if backbone == "swin_base":
        assert sum(key.endswith("attn_mask") for key in theirs) == 11
        assert sum(key.endswith("relative_position_index") for key in theirs) == 24


@pytest.mark.parametrize("au_set", REGIONS)
def test_values_go_there_and_back(au_set):
    network = small(au_set)
    spec, state = ModelSpec("mdhr", "resnet10_small", au_set, 1), network.state_dict()
    back = to_ours(spec, from_ours(spec, state))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], value) for key, value in state.items())


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="maps of several sizes"):
        MDHR("mae_vit_base", "bp4d")
    with pytest.raises(ValueError, match="'resnet34': choose one of"):
        MDHR("resnet34", "bp4d")
    with pytest.raises(ValueError, match="regions for bp4d and disfa"):
        MDHR("resnet18", "hybrid")
    with pytest.raises(ValueError, match="one stage"):
        create_model(ModelSpec("mdhr", "resnet10_small", "bp4d", 2))
    with pytest.raises(ValueError, match="no motion"):
        small()(moving(1, 1))

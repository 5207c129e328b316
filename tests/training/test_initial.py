"""What a run starts from, and what it says where it cannot."""

from dataclasses import replace

import pytest
import timm
import torch

from aucli.errors import CheckpointError, DownloadError, UsageError
from aucli.training.export import export_model
from aucli.training.initial import default_start, read_start, start_from
from aucli.training.stages import start_graph_from_stage1, transfer_stage1
from aucli_models.au import AU_SETS
from aucli_models.backbones import BACKBONES
from aucli_models.official import from_ours
from aucli_models.registry import ModelSpec, create_model

FIELDS = {
    "system": "me_graphau", "backbone": "resnet10_small", "licence": "MIT", "training_data": "none",
    "description": "random",
}  # fmt: skip


def spec(au_set="disfa", stage=1, backbone="resnet10_small", *, intensity=False):
    return ModelSpec("me_graphau", backbone, au_set, stage, intensity=intensity)


def saved(folder, given, name="start"):
    torch.manual_seed(1)
    network = create_model(given)
    thresholds = dict.fromkeys(given.au_names, 0.5)
    fields = FIELDS | {
        "system": given.system,
        "au_set": given.au_set,
        "stage": given.stage,
        "backbone": given.backbone,
        "intensity": given.intensity,
        "thresholds": thresholds,
    }
    export_model(network, folder, name, fields, dtype=torch.float32)
    return network


def same(one, other, keys):
    ours, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(ours[key], theirs[key]) for key in keys)


@pytest.mark.parametrize("ending", [".json", ".safetensors"])
def test_a_model_of_the_same_kind_fills_everything(tmp_path, ending):
    old, new = saved(tmp_path, spec()), create_model(spec())
    transfer = start_from(read_start(str(tmp_path / f"start{ending}")), new, spec())
    assert not transfer.fresh
    assert same(old, new, [key for key, _ in new.named_parameters()])


def test_stage_1_fills_stage_2_but_for_its_graph(tmp_path):
    old, new = saved(tmp_path, spec()), create_model(spec(stage=2))
    start = read_start(str(tmp_path / "start.json"))
    transfer = start_from(start, new, spec(stage=2))
    assert same(old, new, transfer.filled)
    assert all(key.startswith(("graph.", "edge_fc.")) for key in transfer.fresh)
    assert start.stage1(spec(stage=2)) is not None


READ_OUT = {"intensity_head.weight", "intensity_head.bias"}


@pytest.mark.parametrize("stage", [1, 2])
def test_a_model_without_intensities_starts_one_with_them(tmp_path, stage):
    old, new = saved(tmp_path, spec()), create_model(spec(stage=stage, intensity=True))
    transfer = start_from(read_start(str(tmp_path / "start.json")), new, spec(stage=stage, intensity=True))
    assert {key for key in transfer.fresh if not key.startswith(("graph.", "edge_fc."))} == READ_OUT
    assert same(old, new, transfer.filled)
    assert not new.intensity_head.weight.any()


@pytest.mark.parametrize("stage", [1, 2])
def test_intensities_carry_over_or_are_said_to_be_unused(tmp_path, stage):
    old = saved(tmp_path, spec(intensity=True))
    torch.nn.init.normal_(old.intensity_head.weight)
    new, plain = create_model(spec(stage=stage, intensity=True)), create_model(spec(stage=stage))
    start = read_start(str(tmp_path / "start.json"))
    start.network.load_state_dict(old.state_dict())
    transfer = start_from(start, new, spec(stage=stage, intensity=True))
    assert set(transfer.filled) >= READ_OUT
    assert same(old, new, transfer.filled)
    transfer = start_from(start, plain, spec(stage=stage))
    assert set(transfer.unused) >= READ_OUT
    assert same(old, plain, transfer.filled)


def blocks(network, aus):
    """The AU's own part of every entry that has one, by AU, taken apart by hand."""
    channels, found = network.channels, {}
    state = network.state_dict()
    for place, au in enumerate(aus):
        found[au] = {
            key: state[f"au_features.{key}"][place * channels : (place + 1) * channels].clone()
            for key in ("fc.weight", "fc.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
        } | {"head": state["head.sc"][place].clone()}
    return found


@pytest.mark.parametrize("stage", [1, 2])
def test_of_another_au_set_the_aus_in_common_carry_over(tmp_path, stage):
    old, new = saved(tmp_path, spec("synth", stage)), create_model(spec(stage=stage))
    begun = blocks(new, AU_SETS["disfa"])
    start = read_start(str(tmp_path / "start.json"))
    torch.nn.init.normal_(start.network.au_features.bn.running_mean)
    transfer = start_from(start, new, spec(stage=stage))
    theirs, ours = blocks(start.network, AU_SETS["synth"]), blocks(new, AU_SETS["disfa"])
    assert set(AU_SETS["disfa"]) <= set(AU_SETS["synth"])
    for au, parts in ours.items():
        for key, value in parts.items():
            torch.testing.assert_close(value, theirs[au][key], rtol=0, atol=0)
    assert not torch.equal(begun["AU12"]["head"], ours["AU12"]["head"])
    assert same(old, new, [key for key in transfer.filled if key.startswith(("backbone.", "global_linear."))])
    graph = {key for key, _ in new.named_parameters() if key.startswith("graph.")}
    assert graph <= set(transfer.filled if stage == 1 else transfer.fresh)
    assert start.stage1(spec(stage=2)) is None


def test_aus_that_the_model_lacks_begin_at_random(tmp_path):
    saved(tmp_path, spec("disfa"))
    new = create_model(spec("bp4d"))
    before = {
        au: {k: v.clone() for k, v in part.items()} for au, part in blocks(new, AU_SETS["bp4d"]).items()
    }
    start = read_start(str(tmp_path / "start.json"))
    start_from(start, new, spec("bp4d"))
    theirs = blocks(start.network, AU_SETS["disfa"])
    for au, parts in blocks(new, AU_SETS["bp4d"]).items():
        expected = theirs.get(au, before[au])
        assert all(torch.equal(parts[key], expected[key]) for key in parts), au


def test_a_side_begins_as_the_au_without_a_side(tmp_path):
    old, new = (
        saved(tmp_path, spec("synth", intensity=True)),
        create_model(spec("synth_sided", intensity=True)),
    )
    transfer = start_from(read_start(str(tmp_path / "start.json")), new, spec("synth_sided", intensity=True))
    assert not transfer.fresh
    rows = dict(zip(AU_SETS["synth_sided"], new.head.sc, strict=True))
    for au, row in zip(AU_SETS["synth"], old.head.sc, strict=True):
        for side in ("", "L", "R"):
            assert torch.equal(rows.get(f"{au}{side}", row), row)
    images = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        theirs, ours = old.eval()(images).probabilities, new.eval()(images).probabilities
    torch.testing.assert_close(ours[:, : theirs.shape[1]], theirs)


def test_stage_2_of_me_graphau_goes_back_to_the_stage_1_that_it_began_with(tmp_path):
    torch.manual_seed(3)
    stage1, again = create_model(spec("synth")), create_model(spec("synth"))
    torch.nn.init.zeros_(stage1.graph.U.bias)
    torch.nn.init.zeros_(stage1.graph.V.bias)
    torch.nn.init.uniform_(stage1.graph.bnv.running_var, 0.5, 2.0)
    saved(tmp_path, spec("synth", 2))
    start = read_start(str(tmp_path / "start.json"))
    transfer_stage1(stage1, start.network)
    start_graph_from_stage1(stage1, start.network)
    transfer = start_from(start, again, spec("synth"))
    assert not transfer.fresh
    assert all(key.startswith(("graph.", "edge_fc.")) for key in transfer.unused)
    images = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(images).probabilities, stage1.eval()(images).probabilities)


@pytest.mark.parametrize(("system", "au_set"), [("mdhr", "disfa"), ("scc", "disfa_intensity")])
def test_of_another_system_the_backbone_carries_over(tmp_path, system, au_set):
    old = saved(tmp_path, spec("synth", 2))
    given = ModelSpec(system, "resnet10_small", au_set, 1, 112, intensity=system == "scc")
    new, begun = create_model(given), create_model(given)
    begun.load_state_dict(new.state_dict())
    transfer = start_from(read_start(str(tmp_path / "start.json")), new, given)
    assert {key.split(".")[0] for key in transfer.filled} == {"backbone"}
    assert {key for key in new.state_dict() if key.startswith("backbone.")} == set(transfer.filled)
    assert same(old, new, [key for key in transfer.filled if not key.endswith("num_batches_tracked")])
    assert same(begun, new, transfer.fresh)
    images = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        tokens = new.eval().backbone(images)
        want = old.eval().backbone(images)
    torch.testing.assert_close(tokens[0] if system == "mdhr" else tokens, want, rtol=0, atol=0)


def test_the_authors_checkpoint_is_a_start(tmp_path):
    given = spec(backbone="resnet18")
    torch.manual_seed(1)
    old, new = create_model(given), create_model(given)
    state = {f"module.{key}": value for key, value in from_ours(given, old.state_dict()).items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "MEFARG_resnet18_DISFA_fold1.pth")
    start_from(read_start(str(tmp_path / "MEFARG_resnet18_DISFA_fold1.pth")), new, given)
    assert same(old, new, [key for key, _ in new.named_parameters()])


def test_what_does_not_fit_is_refused(tmp_path):
    other = replace(spec("hybrid"), system="open_graphau")
    saved(tmp_path, replace(other, stage=2))
    start = read_start(str(tmp_path / "start.json"))
    with pytest.raises(CheckpointError, match="of stage 2 and cannot start stage 1"):
        start_from(start, create_model(other), other)
    saved(tmp_path, spec(stage=2))
    start = read_start(str(tmp_path / "start.json"))
    with pytest.raises(CheckpointError, match="me_graphau on resnet10_small, not me_graphau on resnet18"):
        start_from(start, create_model(spec(backbone="resnet18")), spec(backbone="resnet18"))
    (tmp_path / "start.json").unlink()
    with pytest.raises(CheckpointError, match=r"no card start\.json beside it"):
        read_start(str(tmp_path / "start.safetensors"))


def test_imagenet_weights_come_from_timm_under_the_authors_tags(monkeypatch):
    """The hub is not asked: timm is given a file in its place."""
    asked = []
    create = timm.create_model

    def from_hub(name, *, pretrained=False, **others):
        if pretrained:
            asked.append(name)
            torch.manual_seed(5)
        return create(name, pretrained=False, **others)

    monkeypatch.setattr(timm, "create_model", from_hub)
    for backbone, tag in (
        ("resnet18", "resnet18.tv_in1k"),
        ("swin_tiny", "swin_tiny_patch4_window7_224.ms_in1k"),
    ):
        given = spec(backbone=backbone)
        network = create_model(given)
        transfer = start_from(read_start("imagenet"), network, given)
        assert asked.pop() == tag
        assert set(transfer.filled) == {key for key in network.state_dict() if key.startswith("backbone.")}
        torch.manual_seed(5)
        want = create(tag, pretrained=False, num_classes=0, global_pool="").state_dict()
        for key in transfer.filled:
            torch.testing.assert_close(network.state_dict()[key], want[key.removeprefix("backbone.net.")])


def test_the_tags_are_known_to_timm():
    known = set(timm.list_pretrained())
    for backbone, built in BACKBONES.items():
        if default_start(backbone) == "imagenet":
            tag = {"resnet": "tv_in1k", "swin": "ms_in1k"}[built.family]
            assert f"{built.timm_name}.{tag}" in known


def test_without_a_network_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # huggingface_hub has read its environment when it was imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    given = spec(backbone="resnet18")
    with pytest.raises(DownloadError, match=r"resnet18\.tv_in1k.*hf download timm/.*--init scratch"):
        start_from(read_start("imagenet"), create_model(given), given)
    with pytest.raises(UsageError, match="no ImageNet weights for resnet10_small"):
        start_from(read_start("imagenet"), create_model(spec()), spec())
    assert (default_start("resnet50"), default_start("resnet10_small")) == ("imagenet", "scratch")

"""What `doctor` finds out: each check by itself. The whole of it is in tests/cli/test_doctor.py."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

import aucli.inference.devices
from aucli.config import ExtractConfig
from aucli.errors import DecoderUnavailableError, DeviceError
from aucli.inference import health
from aucli.inference.health import (
    decoders,
    detectors,
    gpu_decoders,
    gpus,
    machine,
    models,
    settings,
    versions,
)

CONFIG = ExtractConfig()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user who has installed and chosen nothing."""
    monkeypatch.setenv("AUCLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUCLI_CONFIG_FOLDER", str(tmp_path / "config"))
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")


def test_every_dependency_is_among_the_versions():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        name = requirement.split(";")[0].split(">")[0].split("=")[0]
        assert name in (versions.OPTIONAL if ";" in requirement else versions.REQUIRED), name


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(versions, "REQUIRED", ("torch", "no-such-package"))
    found = versions.check_versions()[-1]
    assert found.state == "warn"
    assert found.repair == "pip install no-such-package"
    assert found.details["torch"] == torch.__version__.partition("+")[0]


def test_memory_that_is_too_little_for_the_cores(monkeypatch):
    (found,) = machine.check_memory()
    assert found.details["total_bytes"] > found.details["available_bytes"] > 0
    monkeypatch.setattr(machine, "memory_limit_bytes", lambda: 5 * 2**29)  # room for two processes
    monkeypatch.setattr(machine, "available_cores", lambda: 64)
    (found,) = machine.check_memory()
    assert (found.state, found.repair) == ("warn", "aucli extract --jobs 2")
    assert "limited to 2.5 GiB" in found.text


def test_pyav_decodes_what_it_says():
    (found,) = decoders.pyav(CONFIG)
    assert found.state == "ok"
    assert found.details["codecs"] == dict.fromkeys(decoders.USUAL_CODECS, True)
    assert found.details["frames_read"] == 3


def test_a_codec_that_ffmpeg_lacks_is_said(monkeypatch):
    # FFmpeg's own av1 decoder is there, and can do nothing without special hardware.
    monkeypatch.setattr(decoders, "USUAL_CODECS", {"h264": ("h264",), "odd": ("no_such_codec",)})
    (found,) = decoders.pyav(CONFIG)
    assert found.state == "warn"
    assert found.details["codecs"] == {"h264": True, "odd": False}
    assert "cannot decode odd" in found.text


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
@pytest.mark.parametrize("trial", [gpu_decoders.torchcodec, gpu_decoders.pyav_cuda])
def test_decoders_of_a_gpu_without_one(trial):
    (found,) = trial(CONFIG)
    assert found.state == "ok"
    assert "there is no GPU" in found.text
    with pytest.raises(DecoderUnavailableError, match="needs an NVIDIA GPU"):
        trial(ExtractConfig(decoder=found.name))


@pytest.mark.gpu
def test_pyav_cuda_reads_the_example_clip():
    (found,) = gpu_decoders.pyav_cuda(CONFIG)
    assert found.state == "ok"
    assert found.details["frames_read"] == 3
    assert found.details["decodes"]["h264 4:2:0 8 bit"] >= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_why_there_is_no_gpu(monkeypatch, tmp_path):
    found = {finding.name: finding for finding in gpus.gpus(CONFIG)}
    assert "no NVIDIA driver" in found["GPU"].text
    assert found["choice"].details == {"devices": ["cpu"]}
    with pytest.raises(DeviceError):
        gpus.gpus(ExtractConfig(device="cuda"))
    # A driver's file alone does not make a GPU: torch is asked, and its reason is shown.
    (tmp_path / "nvidiactl").touch()
    monkeypatch.setattr(aucli.inference.devices, "_DRIVER_FILES", (tmp_path / "nvidiactl",))
    found = {finding.name: finding for finding in gpus.gpus(CONFIG)}
    assert (found["GPU"].state, found["choice"].state) == ("warn", "ok")
    assert "--device cpu" in found["GPU"].repair


@pytest.mark.gpu
def test_each_gpu_computes():
    found = {finding.name: finding for finding in gpus.gpus(CONFIG)}
    details = found["cuda:0"].details
    assert details["pictures_converted_by"] in ("one kernel", "steps")
    assert found["cuda:0"].state == "ok"
    assert 0 < details["free_bytes"] <= details["total_bytes"]
    assert details["difference_to_cpu"] < 0.01


def test_a_detector_that_finds_nothing_is_not_called_good(monkeypatch):
    frames = decoders.first_frames("pyav")
    frames[0].pixels.zero_()
    monkeypatch.setattr(detectors, "first_frames", lambda _: frames)
    with pytest.raises(ValueError, match="0 faces"):
        detectors.mtcnn(CONFIG)


@pytest.mark.parametrize(("chosen", "state"), [("mtcnn", "warn"), ("insightface", "fail")])
def test_insightface_without_weights(monkeypatch, tmp_path, chosen, state):
    pytest.importorskip("cv2", exc_type=ImportError)
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path))
    (found,) = detectors.insightface(ExtractConfig(detector=chosen))
    assert found.state == state
    assert str(tmp_path) in found.text
    assert "det_10g.onnx" in found.repair


@pytest.mark.parametrize("folder", ["/proc/self/aucli", "file/cache"])  # not even root can write there
def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path, folder):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUCLI_CACHE", str(tmp_path / folder))
    found = next(finding for finding in models.models(CONFIG) if finding.section == "cache")
    assert found.state == "warn"
    assert found.details["writable"] is False
    assert "cannot be written" in found.text


def test_a_card_in_the_cache_that_is_no_card(tmp_path):
    (tmp_path / "cache" / "models").mkdir(parents=True)
    (tmp_path / "cache" / "models" / "mine.json").write_text("{")
    found = {finding.name: finding for finding in models.models(CONFIG)}
    assert found["folder"].state == "ok"
    assert found["folder"].details["writable"] is True
    assert (found["mine"].state, found["mine"].section) == ("warn", "models")


@pytest.mark.parametrize(
    ("variable", "value", "repair"),
    [
        ("AUCLI_MODEL", "no such model", "unset AUCLI_MODEL"),
        ("AUCLI_CONFIG", 'model = "no such model"', "take the line"),
        (None, '{"model": "no such model"}', "aucli models use builtin"),
    ],
)
def test_a_model_that_is_not_there_is_repaired_where_it_was_named(
    monkeypatch, tmp_path, variable, value, repair
):
    if variable == "AUCLI_CONFIG":
        (tmp_path / "run.toml").write_text(value)
        value = str(tmp_path / "run.toml")
    if variable is not None:
        monkeypatch.setenv(variable, value)
    else:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "default_model.json").write_text(value)
    config, found = settings.check_settings()
    assert [finding.state for finding in found] == ["ok"]
    assert config.model == "no such model"
    chosen = next(finding for finding in models.models(config) if finding.name == "default")
    assert chosen.state == "fail"
    assert repair in chosen.repair


def test_settings_that_extract_would_refuse(monkeypatch, tmp_path):
    monkeypatch.setenv("AUCLI_EVERY", "often")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "default_model.json").write_text("not json")
    config, found = settings.check_settings()
    assert [finding.state for finding in found] == ["fail", "fail"]
    assert "AUCLI_EVERY=often" in found[0].text
    assert found[1].repair == "aucli models use builtin"
    assert config == CONFIG


def test_a_trial_that_hangs_is_ended():
    script = (
        "import time\nfrom aucli.config import ExtractConfig\nfrom aucli.inference import health\n"
        "health._SECONDS = 1\n"
        "health.TRIALS = (health.Trial('decoders', 'slow', 'finding:hang', 'wait'),)\n"
        "import aucli.inference.health.finding as module\nmodule.hang = lambda _: time.sleep(60)\n"
        "health.set_up(ExtractConfig())(0, None)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=30)
    assert (
        health._how_it_died(f"worker died (signal {-done.returncode})") == "did not answer within 60 seconds"
    )
    assert health._how_it_died("worker died (signal 11)") == "crashed: worker died (signal 11)"

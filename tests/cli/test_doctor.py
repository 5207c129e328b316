"""`aucli doctor`: what works here, and the line that repairs what does not."""

import json
import os
import shutil

import pytest

import aucli as package
from aucli.zoo.catalogue import BUILTIN_NAME
from tests.cli.commands import EXAMPLES, aucli

ROOT = EXAMPLES.parents[1]


@pytest.fixture
def home(tmp_path):
    """Variables for a user who has installed and chosen nothing."""
    return {"AUCLI_CACHE": str(tmp_path / "cache"), "AUCLI_CONFIG_FOLDER": str(tmp_path / "config")}


def findings(done):
    return {(found["section"], found["name"]): found for found in json.loads(done.stdout)["findings"]}


def states(found):
    return {key: finding["state"] for key, finding in found.items()}


def broken_package(folder, name, code):
    """A package of that name which is found first, and what it does when it is imported."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)


def test_where_all_is_well(home, tmp_path):
    done = aucli("doctor", "--json", **home, HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["exit_code"] == 0
    found = findings(done)
    assert "fail" not in states(found).values()
    assert found["versions", "aucli"]["details"]["version"] == package.__version__
    assert {"torch", "timm", "av", "decord", "pyarrow"} <= found["versions", "packages"]["details"].keys()
    assert found["devices", "CPU"]["details"]["usable_cores"] <= os.cpu_count()
    assert found["devices", "memory"]["details"]["total_bytes"] > 2**30
    assert found["decoders", "pyav"]["details"]["codecs"]["h264"] is True
    assert found["detectors", "mtcnn"]["details"]["score"] > 0.9
    assert found["cache", "folder"]["details"]["folder"] == str(tmp_path / "cache")
    # It only looked. onnxruntime, left alone, would write an identity to report with.
    assert not (tmp_path / "cache").exists()
    assert not list(tmp_path.rglob("*onnxruntime*"))
    shipped = [found["models", name] for section, name in found if name.endswith(".synth")]
    assert len(shipped) == 3
    assert {model["details"]["checksum"] for model in shipped} == {"ok"}
    # Three frames in the first tenth of a second at 30 frames per second, one face in each, 39 AUs.
    trial = found["extract", "trial"]["details"]
    assert (trial["frames"], trial["faces"], trial["aus"]) == (3, 3, 39)


def test_damaged_weights_a_lost_cache_and_a_library_that_crashes(home, tmp_path):
    for name in ("aucli", "models"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    weights = tmp_path / "aucli" / "zoo" / "weights" / f"{BUILTIN_NAME}.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    broken_package(tmp_path / "broken", "decord", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    (tmp_path / "cache").write_text("a file where the folder should be")
    path = os.pathsep.join(str(tmp_path / name) for name in ("broken", "", "models"))
    done = aucli("doctor", "--json", **home, PYTHONPATH=path)
    assert done.returncode == 1, done.stdout + done.stderr
    found = findings(done)
    model = found["models", weights.stem]
    assert (model["state"], model["details"]["checksum"]) == ("fail", "changed")
    assert model["details"]["weights"] == str(weights)
    assert "pip install --force-reinstall" in model["repair"]
    assert found["extract", "trial"]["state"] == "fail"
    assert "sha256" in found["extract", "trial"]["text"]
    # Neither of these stops extract; and none of the others was stopped.
    assert found["cache", "folder"]["state"] == "warn"
    assert "AUCLI_CACHE" in found["cache", "folder"]["repair"]
    assert found["decoders", "decord"]["state"] == "warn"
    assert "signal 11" in found["decoders", "decord"]["text"]
    for name in ("GPU", "pyav", "mtcnn"):
        section = {"GPU": "devices", "pyav": "decoders", "mtcnn": "detectors"}[name]
        assert found[section, name]["state"] == "ok", found[section, name]


def test_a_broken_pyav_no_weights_for_mtcnn_and_a_default_that_is_gone(home, tmp_path):
    broken_package(tmp_path / "broken", "av", "raise ImportError('libavcodec.so.62: cannot open it')\n")
    broken_package(tmp_path / "broken", "facenet_pytorch", "")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "default_model.json").write_text('{"model": "was_here_once"}')
    path = os.pathsep.join([str(tmp_path / "broken"), str(ROOT), str(ROOT / "models")])
    done = aucli("doctor", **home, PYTHONPATH=path, HOME=str(tmp_path), COLUMNS="400")
    assert done.returncode == 1, done.stdout + done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]

    def repair_of(name):
        (place,) = (place for place, line in enumerate(lines) if line.split()[:2] == ["fail", name])
        return lines[place], lines[place + 1]

    assert "libavcodec.so.62" in repair_of("pyav")[0]
    assert "pip install --force-reinstall --no-deps av" in repair_of("pyav")[1]
    assert "facenet-pytorch" in repair_of("mtcnn")[1]
    assert "was_here_once" in repair_of("default")[0]
    assert repair_of("default")[1] == "to repair: aucli models use builtin"
    assert lines[-1].startswith("extract cannot run as it is set up here:")
    # A listing that is pasted somewhere does not name the user's folder.
    assert "~/cache" in done.stdout
    assert str(tmp_path / "cache") not in done.stdout
    assert "Traceback" not in done.stderr

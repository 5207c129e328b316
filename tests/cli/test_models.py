"""`aucli models`: what is there, what is installed, and which model `extract` takes."""

import hashlib
import io
import json
import os
import pty
import subprocess
import sys
import threading

import pyarrow.parquet as pq
import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

import aucli as package
from aucli.cli.models import pull
from aucli.cli.models.verify import EXIT_NOT_OK
from aucli.sinks.metadata import read_metadata
from aucli_models.au import AU_SETS
from aucli_models.official import from_ours
from aucli_models.registry import ModelSpec, create_model
from tests.cli.commands import AUCLI, EXAMPLES
from tests.cli.commands import aucli_here as aucli
from tests.cli.test_wrong_use import refused
from tests.zoo.servers import DriveImitation

BUILTIN = "me_graphau_resnet10_small.synth"
PACKAGED = {BUILTIN, "mdhr_resnet10_small.synth", "scc_resnet10_small.synth"}
PULLED = "open_graphau_resnet18.hybrid_stage1"
# The files that ME-GraphAU's and OpenGraphAU's authors released, from the tables in their README files.
RELEASED = {
    f"me_graphau_{backbone}.{au_set}_fold{fold}"
    for backbone, au_set in (
        *((name, "bp4d") for name in ("resnet50", "resnet101", "swin_tiny", "swin_small", "swin_base")),
        *((name, "disfa") for name in ("resnet50", "swin_base")),
    )
    for fold in (1, 2, 3)
} | {
    f"open_graphau_{backbone}.hybrid_stage{stage}"
    for backbone in ("resnet18", "resnet50", "swin_tiny", "swin_small", "swin_base", "mae_vit_base")
    for stage in (1, 2)
}


@pytest.fixture
def home(tmp_path):
    """Variables for a user who has installed and chosen nothing."""
    return {"AUCLI_CACHE": str(tmp_path / "cache"), "AUCLI_CONFIG_FOLDER": str(tmp_path / "config")}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small model with random weights as a card file; it knows the 8 AUs of DISFA."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    state = create_model(ModelSpec("me_graphau", "resnet10_small", "disfa", 1)).state_dict()
    save_file({k: v for k, v in state.items() if "num_batches" not in k}, folder / "tiny.safetensors")
    card = {
        **{
            "name": "tiny",
            "system": "me_graphau",
            "backbone": "resnet10_small",
            "au_set": "disfa",
            "stage": 1,
        },
        **{"weights": "tiny.safetensors", "licence": "MIT", "training_data": "none", "description": "random"},
        "sha256": hashlib.sha256((folder / "tiny.safetensors").read_bytes()).hexdigest(),
        "thresholds": dict.fromkeys(AU_SETS["disfa"], 0.5),
    }
    (folder / "tiny.json").write_text(json.dumps(card))
    return folder / "tiny.json"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A file as the authors of `PULLED` would save it, with random weights."""
    spec = ModelSpec("open_graphau", "resnet18", "hybrid", 1)
    torch.manual_seed(0)
    state = from_ours(spec, create_model(spec).state_dict())
    path = tmp_path_factory.mktemp("official") / "stage1.pth"
    torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    return path


def out(done):
    """What a command that went well printed."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_a_terminal(*arguments, **environ):
    """Exit code of the command with a terminal as its stderr, and what appeared there."""
    terminal, end = pty.openpty()
    seen = []

    def read():
        try:
            while piece := os.read(terminal, 4096):
                seen.append(piece)
        except OSError:  # the other end is closed
            return

    reader = threading.Thread(target=read)
    reader.start()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"} | environ
    done = subprocess.run(
        [AUCLI, *arguments], stdout=subprocess.PIPE, stderr=end, env=environment, check=False
    )
    os.close(end)
    reader.join()
    os.close(terminal)
    return done.returncode, b"".join(seen).decode()


def test_every_released_model_is_listed_with_what_one_chooses_by(home):
    listed = json.loads(out(aucli("models", "list", "--json", **home)))
    models = {model["name"]: model for model in listed["models"]}
    assert models.keys() == RELEASED | PACKAGED
    assert listed["default"] == BUILTIN
    assert {name for name, model in models.items() if model["installed"]} == PACKAGED
    assert [name for name, model in models.items() if model["default"]] == [BUILTIN]
    swin = models["me_graphau_swin_tiny.bp4d_fold2"]
    assert (swin["system"], swin["au_set"], swin["stage"], swin["fold"]) == ("me_graphau", "bp4d", 2, 2)
    assert swin["published"]["mean_f1"] == 0.656
    assert "non-commercial research" in swin["licence"]
    assert len(models[PULLED]["aus"]) == 41


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_list_keeps_names_whole(home, columns):
    lines = out(aucli("models", "list", COLUMNS=columns, **home)).splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert rows.keys() >= RELEASED
    assert rows[BUILTIN][1] == "*"
    assert rows[BUILTIN][-2:] == ["MIT", "packaged"]
    assert rows[PULLED][-3:] == ["0.223", "research", "no"]
    assert ("open_graphau" in rows[PULLED]) == (columns == "120")
    assert all(len(line) <= int(columns) for line in lines)


def test_only_what_is_installed(home):
    text = out(aucli("models", "list", "--installed", **home))
    assert BUILTIN in text
    assert PULLED not in text


def test_show_says_everything_of_the_card(home):
    text = out(aucli("models", "show", "builtin", COLUMNS="160", **home))
    for words in ("AU23, AU39", "MIT", "280 synthetic people", "Lip tightener (weak)", "safetensors"):
        assert words in text
    text = out(aucli("models", "show", "me_graphau_swin_base.disfa_fold2", **home))
    for words in ("drive.google.com", "0.929", "Lips part", "non-commercial", "fold 2", "models pull"):
        assert words in text
    card = json.loads(out(aucli("models", "show", "me_graphau_swin_base.disfa_fold2", "--json", **home)))
    assert card["thresholds"] == dict.fromkeys(AU_SETS["disfa"], 0.5)
    assert (card["installed"], card["origin"], card["sha256"]) == (False, "published", None)
    assert card["notes"]


@pytest.mark.parametrize("command", ["show", "path", "pull", "use", "verify"])
def test_an_unknown_name_gets_the_nearest(home, command):
    name = "open_graphau_resnet18.hybrid_stage"
    assert refused(aucli("models", command, name, **home), "hybrid_stage1", "hybrid_stage2")


@pytest.mark.parametrize("command", ["path", "use", "verify"])
def test_what_is_not_installed_is_refused_with_the_command_that_installs_it(home, command):
    assert refused(aucli("models", command, PULLED, **home), "not installed", f"aucli models pull {PULLED}")


def test_path_is_one_line(home, tmp_path):
    assert out(aucli("models", "path", **home)) == f"{tmp_path / 'cache' / 'models'}\n"
    assert out(aucli("models", "path", "builtin", **home)).endswith(f"{BUILTIN}.safetensors\n")
    assert json.loads(out(aucli("models", "path", "--json", **home))) == {
        "path": str(tmp_path / "cache" / "models")
    }


def test_no_command_shows_help_and_is_wrong_use(home):
    done = aucli("models", **home)
    assert done.returncode == 2
    assert "verify" in done.stdout
    assert refused(aucli("models", "lst", **home), "lst", "list")


def test_looking_imports_no_torch(home):
    script = (
        "import sys\nfrom aucli.cli.main import app\n"
        "for words in ('list', 'show builtin', 'path', 'verify'):\n"
        "  try: app(['models', *words.split()])\n"
        "  except SystemExit as error: assert error.code == 0\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | home, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_pull_verify_and_repair(home, tmp_path, checkpoint, monkeypatch):
    # On a slow machine a line of progress would stand among those that are compared.
    monkeypatch.setattr(pull, "_SECONDS_BETWEEN_LINES", 3600.0)
    whole = dict.fromkeys(PACKAGED, "ok")
    with DriveImitation(tmp_path, checkpoint.read_bytes()) as drive:
        place = home | drive.environment()
        assert refused(aucli("models", "pull", PULLED, "--offline", **place), "--offline")
        assert not drive.requests
        done = aucli("models", "pull", PULLED, "--json", **place)
        pulled = json.loads(out(done))
        assert pulled["name"] == PULLED
        assert "non-commercial" in pulled["licence"]
        assert done.stderr == ""  # no line of progress: it took less than the seconds between two
        weights = tmp_path / "cache" / "models" / f"{PULLED}.safetensors"
        assert pulled["path"] == str(weights)
        assert pulled["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        verified = json.loads(out(aucli("models", "verify", "--json", **place)))
        assert {model["name"]: model["state"] for model in verified} == whole | {PULLED: "ok"}

        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
        done = aucli("models", "verify", **place)
        assert done.returncode == EXIT_NOT_OK
        states = {line.split()[1].rstrip(":"): line.split()[0] for line in done.stdout.splitlines()}
        assert states == whole | {PULLED: "CHANGED"}
        assert aucli("models", "verify", PULLED, **place).returncode == EXIT_NOT_OK
        assert aucli("models", "verify", "builtin", **place).returncode == 0
        assert refused(aucli("models", "use", PULLED, **place), "sha256")
        assert not (tmp_path / "config").exists()

        code, terminal = on_a_terminal("models", "pull", PULLED, **place)
        assert code == 0, terminal
        assert "\x1b[" in terminal
        assert "MB" in terminal
        assert aucli("models", "verify", **place).returncode == 0
        rows = [line.split() for line in out(aucli("models", "list", **place)).splitlines()]
        assert [row[-1] for row in rows if PULLED in row] == ["yes"]


def test_import_under_a_name_of_ones_own(home, checkpoint):
    text = out(aucli("models", "import", checkpoint, "--name", "mine", **home))
    assert "Installed: mine\nLicence: " in text
    assert "aucli extract --model mine" in text
    (imported,) = json.loads(out(aucli("models", "import", checkpoint, "--name", "mine", "--json", **home)))
    listed = json.loads(out(aucli("models", "list", "--installed", "--json", **home)))["models"]
    mine = next(model for model in listed if model["name"] == "mine")
    assert (mine["origin"], mine["weights_path"]) == ("imported", imported["path"])


def test_what_is_no_checkpoint_is_not_imported(home, tmp_path):
    (tmp_path / "text.pth").write_text("not weights")
    assert refused(aucli("models", "import", tmp_path / "text.pth", **home), "text.pth")
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_the_default_is_what_use_chose_for_the_command_and_for_python(home, tiny, tmp_path, monkeypatch):
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    output = tmp_path / "out.parquet"

    def run():
        result = package.extract(EXAMPLES / "smile.mp4", output=output, every=30)
        names = [name.removesuffix("_prob") for name in result.table.column_names if name.endswith("_prob")]
        return read_metadata(pq.read_schema(output))["config"]["model"], len(names)

    assert run() == ("builtin", 39)
    text = out(aucli("models", "use", tiny, **home))
    assert str(tiny) in text
    assert "aucli models use builtin" in text
    # The same output: nothing of the other model's may be taken over.
    assert run() == (str(tiny), 8)

    def planned(*options, **environ):
        dry = ("extract", EXAMPLES, "-o", tmp_path / "x.parquet", "--dry-run", "--json", *options)
        return json.loads(out(aucli(*dry, **home, **environ)))["model"]

    assert planned() == "tiny"
    assert planned("--model", "builtin") == BUILTIN
    assert planned(AUCLI_MODEL="builtin") == BUILTIN


def test_a_default_that_was_removed_is_named_with_the_way_back(home, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "default_model.json").write_text('{"model": "was_here_once"}')
    run = ("extract", EXAMPLES, "-o", tmp_path / "out.parquet", "--dry-run")
    assert refused(aucli(*run, **home), "the default model", "was_here_once", "aucli models use builtin")
    assert out(aucli(*run, "--model", "builtin", **home))
    assert "The default is now builtin" in out(aucli("models", "use", "builtin", **home))
    assert out(aucli(*run, **home))


def test_without_a_terminal_a_download_says_plain_lines(monkeypatch):
    monkeypatch.setattr(pull, "_SECONDS_BETWEEN_LINES", 0.0)
    console = Console(file=io.StringIO(), width=40)
    with pull._lines(console, "a_model") as progress:
        progress(1_500_000, 44_000_000)
        progress(3_000_000, None)
    assert console.file.getvalue().splitlines() == ["aucli: a_model: 2 of 44 MB", "aucli: a_model: 3 MB"]


def test_the_shell_completes_names(home):
    words = "aucli models show open_graphau_swin_b"
    environ = os.environ | home | {"_AUCLI_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
    done = subprocess.run([AUCLI], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [f"open_graphau_swin_base.hybrid_stage{stage}" for stage in (1, 2)]

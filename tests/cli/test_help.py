"""Help is instant and complete."""

import ast
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import aucli as package
from aucli.cli.lazy import read_command
from aucli.cli.main import app
from aucli.config import SETTINGS, ExtractConfig
from tests.cli.commands import AUCLI, aucli

HEAVY = ["torch", "torchvision", "timm", "av", "pyarrow", "pandas", "numpy", "scipy", "cv2", "rich.progress"]


def help_text(*command):
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    return result.output


def test_help_takes_less_than_three_tenths_of_a_second():
    # Processor time: help waits for nothing, so this is its time on a machine that is not busy otherwise.
    seconds = []
    for _ in range(5):
        before = os.times()
        subprocess.run([AUCLI, "--help"], check=True, capture_output=True)
        after = os.times()
        seconds.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert 0 < statistics.median(seconds) < 0.3, seconds


@pytest.mark.parametrize(
    "words",
    [
        *(
            "--help",
            "extract --help",
            "merge --help",
            "annotate --help",
            "view --help",
            "events --help",
            "summary --help",
            "report --help",
            "export --help",
            "prepare --help",
            "train --help",
            "evaluate --help",
            "calibrate --help",
            "demo --help",
            "doctor --help",
            "models --help",
            "--version",
        ),
        *(f"models {name} --help" for name in ("list", "show", "pull", "import", "verify", "use", "path")),
    ],
)
def test_help_imports_nothing_heavy(words):
    arguments = words.split()
    script = (
        "import sys\nfrom aucli.cli.main import app\n"
        f"try: app({arguments!r})\n"
        f"except SystemExit: print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout, done.stdout[-200:]


def test_import_of_the_package_is_light():
    script = (
        f"import sys, aucli; print([name for name in {[*HEAVY, 'typer', 'rich']!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_the_package_s():
    assert aucli("--version").stdout == f"aucli {package.__version__}\n"


def test_no_command_shows_help_and_is_wrong_use():
    done = aucli()
    assert done.returncode == 2
    assert "extract" in done.stdout


def test_every_command_is_a_file_and_documented():
    folder = Path(package.__file__).parent / "cli"
    for name, (place, line) in get_command(app).places.items():
        command = read_command(name, place)
        assert command.help.split("\n\n")[0].replace("\n", " ") == line
        inner = getattr(command, "commands", {name: command})
        for of_user, one in inner.items():
            module = one.callback.__module__
            path = folder.parent.parent / f"{module.replace('.', '/')}.py"
            assert path.parent == (folder if inner == {name: command} else folder / name), of_user
            assert one.help
            assert ast.get_docstring(ast.parse(path.read_text())), path


def test_every_setting_is_an_option_and_every_option_a_setting():
    options = set(re.findall(r"--([a-z][a-z-]+)", help_text("extract")))
    options = {name for name in options if not name.startswith("no-")} - {"help", "config"}
    assert {name.replace("-", "_") for name in options} == set(SETTINGS)


@pytest.mark.parametrize("name", ["model", "detector", "decoder", "precision", "min_face", "device"])
def test_the_defaults_in_the_help_are_those_of_the_configuration(name):
    option = name.replace("_", "-")
    shown = re.search(rf"--{option} .*Default: ([^ ]+)\. ", help_text("extract"))
    assert shown is not None
    assert shown[1] == str(getattr(ExtractConfig(), name))


@pytest.mark.parametrize(
    ("option", "choices"),
    [
        ("--primary", ["largest", "central", "longest"]),
        ("--decoder", ["auto", "pyav", "torchcodec", "pyav-cuda", "decord"]),
    ],
)
def test_the_shell_completes_choices(option, choices):
    words = f"aucli extract {option} "
    environ = os.environ | {"_AUCLI_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
    done = subprocess.run([AUCLI], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == choices

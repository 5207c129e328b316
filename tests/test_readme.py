"""The README says what is there: folders, commands, options, columns, queries."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import aucli
from aucli.cli.main import app
from aucli.sinks.schema import output_schema
from aucli.zoo.catalogue import find
from aucli_models.au import AU_SETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL))
COMMANDS = re.findall(r"^(aucli .*?)(?: +#.*)?$", SHELL, flags=re.MULTILINE)
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


GROUPS = {"models"}


def options_of(*command):
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, command
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", result.output))


def test_the_file_tree_is_the_real_one():
    tree = re.search(r"```text\naucli/ .*?```", README, flags=re.DOTALL)[0]
    named = {line.split()[0].rstrip("/") for line in tree.splitlines()[1:-1]}
    assert all(len(line.split()) > 1 for line in tree.splitlines()[1:-1])  # with a remark
    real = {
        path.relative_to(ROOT).as_posix()
        for root in ("aucli", "models")
        for path in [ROOT / root, *(ROOT / root).rglob("*")]
        if path.is_dir() and path.name != "__pycache__" and not path.name.endswith(".egg-info")
    }
    assert real <= named
    assert all((ROOT / name).is_dir() for name in named)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_their_options_exist(line):
    words = shlex.split(line)[1:]
    command = [word for word in words if not word.startswith("-")]
    if command:
        known = options_of(*command[: 2 if command[0] in GROUPS else 1]) | {"--debug"}
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= known


def test_the_table_of_options_is_complete():
    table = README[README.index("| option |") : README.index("Every option can be a line")]
    named = set(re.findall(r"--[a-z][a-z-]*", table))
    real = {name for name in options_of("extract") if name.startswith("--") and not name.startswith("--no-")}
    assert real - {"--help"} == named


def test_the_table_of_columns_is_complete():
    table = README[README.index("| column |") : README.index("A frame without a face is")]
    schema = output_schema(AU_SETS["disfa"], with_subject=True)
    named = set(re.findall(r"`([\w]+)`", table))
    for name in schema.names:
        assert name in named or re.match(r"AU\d\d|lm_", name), name
    assert {name for name in named if not re.match(r"AU\d\d", name)} <= set(schema.names)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with videos/ and their out.parquet."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "videos").mkdir()
    shutil.copy(ROOT / "aucli" / "examples" / "smile.mp4", folder / "videos")
    aucli.extract(folder / "videos", output=folder / "out.parquet", every=10)
    return folder


@pytest.mark.parametrize("code", PYTHON, ids=["extract", "pandas", "duckdb", "polars", "plot", "load"])
def test_the_python_runs_as_it_stands(study, code):
    environ = os.environ | {"MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=study, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if "savefig" in code:
        assert (study / "au12.png").stat().st_size > 5000
    elif "zoo" in code:
        assert "torch.Size([8, 39])" in done.stdout
    else:
        assert "smile.mp4" in done.stdout


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", SHELL, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_figures_are_those_measured_on_the_model_that_ships(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    result = json.loads((ROOT / "benchmarks" / "results" / "accuracy.json").read_text())
    assert result["sha256"] == find("builtin").card.sha256
    shown = importlib.import_module("accuracy").table(result).splitlines()
    assert len(shown) > 40
    assert [line for line in shown if line and line not in README.splitlines()] == []

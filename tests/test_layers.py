"""The layers of the design: a room imports only what is below it (contracts in pyproject.toml)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{folder / 'models'}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_layer_imports_only_what_is_below_it():
    found = lint_imports(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("aucli/faces/__init__.py", "import aucli.cli.main"),
        ("aucli/media/__init__.py", "import aucli.faces"),
        ("aucli/sinks/__init__.py", "import aucli_models.registry"),
        ("models/aucli_models/au.py", "import aucli.errors"),
    ],
)
def test_a_wrong_import_is_found(tmp_path, file, line):
    for name in ("aucli", "models"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a") as source:
        source.write(f"\n{line}\n")
    found = lint_imports(tmp_path)
    assert found.returncode == 1
    assert "BROKEN" in found.stdout, found.stdout + found.stderr

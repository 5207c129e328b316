"""What ships: one version, and every data file of the package in the wheel."""

import fnmatch
import tomllib
from pathlib import Path

import aucli

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_one_version():
    assert aucli.__version__ == PROJECT["project"]["version"]


def test_every_data_file_is_packaged():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    for package, folder in (("aucli", ROOT / "aucli"), ("aucli_models", ROOT / "models" / "aucli_models")):
        files = [
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc")
        ]
        assert "py.typed" in files
        for file in files:
            assert any(fnmatch.fnmatchcase(file, pattern) for pattern in patterns[package]), file


def test_every_folder_with_code_is_a_package():
    for root in ("aucli", "models/aucli_models"):
        for file in (ROOT / root).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), file.parent  # setuptools would leave it out


def test_the_licence_of_the_face_model_ships_with_what_was_made_from_it():
    text = (ROOT / "aucli" / "examples" / "LICENSE.ICT-FaceKit").read_text().strip()
    assert "USC Institute for Creative Technologies" in text
    assert text in (ROOT / "NOTICE.md").read_text()
    assert "MIT License" in (ROOT / "LICENSE").read_text()

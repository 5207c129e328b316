"""The README's table of media names what is tested, and nothing else."""

import re
from pathlib import Path

import pytest

from tests.media.support import HEAD, SUPPORTED, table_lines

TESTS = Path(__file__).parents[1]
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")


def test_every_line_of_the_table_is_held_by_tests_that_exist():
    there = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    assert {name for _, _, names in SUPPORTED for name in names} <= there
    assert all(names for _, _, names in SUPPORTED)


@pytest.mark.skipif(HEAD[0] not in README, reason="the README has no table of media")
def test_the_readme_has_the_table():
    lines = README.splitlines()
    start = lines.index(HEAD[0])
    assert lines[start : start + len(table_lines())] == table_lines()

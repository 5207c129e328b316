"""The forms that options of several commands have."""

from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from aucli.cli.options import one_of_option, output_option, value_option
from tests.cli.test_help import help_text

Colour = Literal["red", "green"]


def command(
    output: Annotated[str | None, output_option("Where to.")] = None,
    size: Annotated[str | None, value_option("Look", "N", "How large.", default="3")] = None,
    colour: Annotated[str | None, one_of_option("Look", Colour, "Which.")] = None,
    as_is: Annotated[str | None, value_option(None, "X", "Another.", "--raw")] = None,
):
    print(output, size, colour, as_is)


@pytest.fixture
def app():
    made = typer.Typer()
    made.command()(command)
    return made


def test_what_is_typed_arrives_and_defaults_are_told_and_not_set(app):
    runner = CliRunner()
    assert runner.invoke(app, []).output.split() == ["None"] * 4
    words = ["-o", "out/", "--size", "5", "--colour", "red", "--raw", "1"]
    assert runner.invoke(app, words).output.split() == ["out/", "5", "red", "1"]
    shown = runner.invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    for text in ("How large. Default: 3.", "red|green", "FILE|FOLDER/", "Look"):
        assert text in shown


@pytest.mark.parametrize("name", ["extract", "merge", "export", "annotate"])
def test_commands_that_write_files_name_their_output_alike(name):
    (line,) = (line for line in help_text(name).splitlines() if "--output" in line)
    assert line.split()[1:4] == ["--output", "-o", "FILE|FOLDER/"]

"""What becomes of errors that no command expects, and of signals."""

import signal
import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from aucli.cli.main import _OneLineErrors
from aucli.errors import OutputError
from tests.cli.commands import AUCLI, EXAMPLES


def living(session):
    """Processes of the session that still run; a zombie only waits to be counted by the system."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, number = status.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it ended just now
            continue
        if int(number) == session and state != "Z":
            found.append(status.parent.name)
    return found


def run(error, *arguments, name="fail"):
    """A command that raises, behind the group that aucli has."""
    app = typer.Typer(cls=_OneLineErrors, pretty_exceptions_enable=False)

    @app.command(name)
    def fail():
        raise error

    app.callback()(lambda: None)
    return CliRunner().invoke(app, [name, *arguments])


def test_an_unexpected_error_is_called_a_bug():
    done = run(ZeroDivisionError("division by zero"))
    assert done.exit_code == 1
    assert done.stderr == (
        "aucli: this is a bug in aucli: ZeroDivisionError: division by zero "
        "(the same command with --debug shows where)\n"
    )


def test_an_expected_error_is_one_line_with_its_own_exit_code():
    done = run(OutputError("out.parquet: the disk\nis full"))
    assert done.exit_code == 1
    assert done.stderr == "aucli: out.parquet: the disk is full\n"


def test_interrupted_from_the_keyboard():
    done = run(KeyboardInterrupt())
    assert done.exit_code == 130
    assert done.stderr.strip() == "aucli: interrupted; the same command goes on where it stopped"


def test_what_begins_anew_is_not_said_to_go_on():
    assert run(KeyboardInterrupt(), name="evaluate").stderr.strip() == "aucli: interrupted"
    assert run(KeyboardInterrupt(), name="extract").stderr.strip().endswith("goes on where it stopped")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_and_its_workers(tmp_path, number, code):
    process = subprocess.Popen(
        [AUCLI, "extract", EXAMPLES, "-o", tmp_path / "out.parquet", "--jobs", "1"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert "videos" in process.stderr.readline()  # the run has begun
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code
        assert errors.splitlines()[-1].endswith("the same command goes on where it stopped")
        assert "Traceback" not in errors
        assert living(process.pid) == []
        assert not (tmp_path / "out.parquet").exists()
    finally:
        process.kill()

"""Running the command: as a user does, in a process of its own, or in this one, which has imported torch."""

import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

from typer.testing import CliRunner

from aucli.cli.main import app

AUCLI = Path(sys.executable).with_name("aucli")
KEPT = ("AUCLI_CACHE", "AUCLI_CONFIG_FOLDER")
EXAMPLES = Path(__file__).parents[2] / "aucli" / "examples"


def aucli(*arguments, cwd=None, **environ):
    """The finished process, with its output as text; of the AUCLI_* variables only tests/conftest.py's."""
    clean = {name: value for name, value in os.environ.items() if name in KEPT or name[:6] != "AUCLI_"}
    return subprocess.run(
        [AUCLI, *map(str, arguments)],
        cwd=cwd,
        env=clean | {"COLUMNS": "120"} | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def aucli_here(*arguments, cwd=".", **environ):
    """The same in this process, for tests that look at what a command does and not at its process."""
    clean = {name: None for name in os.environ if name[:6] == "AUCLI_" and name not in KEPT}
    words = [str(argument) for argument in arguments]
    with chdir(cwd):
        done = CliRunner().invoke(app, words, env=clean | {"COLUMNS": "120"} | environ)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

"""Running the command as a user does, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

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

"""Running the command as a user does, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

AUCLI = Path(sys.executable).with_name("aucli")
EXAMPLES = Path(__file__).parents[2] / "aucli" / "examples"


def aucli(*arguments, cwd=None, **environ):
    """The finished process, with its output as text; the user's own AUCLI_* variables are left out."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUCLI_")}
    return subprocess.run(
        [AUCLI, *map(str, arguments)],
        cwd=cwd,
        env=clean | {"COLUMNS": "120"} | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

"""Log lines on stderr. Every module says ``logging.getLogger(__name__)``; this is set up once.

The level is `AUCLI_LOG` (debug, info, warning, error), or warning where nothing is said.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

from aucli.errors import UsageError

LEVELS = ("debug", "info", "warning", "error")


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever `sys.stderr` is at that moment, so that a progress bar that has taken it
    over can put the line above itself.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)  # not StreamHandler's, which would keep today's stream

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # a plain attribute in the parent
        return sys.stderr


def set_up_logging(level: str | None = None) -> None:
    """Send the package's log lines to stderr; call it again to change the level.

    Raises:
        UsageError: the level is none of `LEVELS`.
    """
    name = (level or os.environ.get("AUCLI_LOG") or "warning").lower()
    if name not in LEVELS:
        raise UsageError(f"AUCLI_LOG={name}: choose one of {', '.join(LEVELS)}")
    logger = logging.getLogger("aucli")
    if not any(isinstance(handler, _StderrHandler) for handler in logger.handlers):
        handler = _StderrHandler()
        handler.setFormatter(logging.Formatter("aucli: %(levelname)s: %(name)s: %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(name.upper())

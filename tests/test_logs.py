"""Log lines go to stderr, once, at the level asked for."""

import logging

import pytest

from aucli.errors import UsageError
from aucli.logs import set_up_logging


@pytest.fixture(autouse=True)
def _leave_no_trace():
    logger = logging.getLogger("aucli")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


def test_lines_are_written_once_to_the_stderr_of_the_moment(capsys, monkeypatch):
    monkeypatch.delenv("AUCLI_LOG", raising=False)
    set_up_logging()
    set_up_logging()
    logger = logging.getLogger("aucli.media")
    logger.warning("shown")
    logger.info("not shown")
    assert capsys.readouterr().err == "aucli: WARNING: aucli.media: shown\n"


def test_the_variable_sets_the_level_and_an_argument_overrules_it(capsys, monkeypatch):
    monkeypatch.setenv("AUCLI_LOG", "error")
    set_up_logging()
    logging.getLogger("aucli.media").warning("not shown")
    set_up_logging("debug")
    logging.getLogger("aucli.media").debug("shown")
    assert capsys.readouterr().err == "aucli: DEBUG: aucli.media: shown\n"


def test_an_unknown_level_is_refused():
    with pytest.raises(UsageError, match="debug, info, warning, error"):
        set_up_logging("loud")

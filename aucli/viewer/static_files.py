"""The files of the page, as they lie in the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from aucli.viewer.answers import Body

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".uPlot": "text/plain; charset=utf-8",
}


@cache
def _names() -> frozenset[str]:
    return frozenset(entry.name for entry in files("aucli.viewer").joinpath("static").iterdir())


def static_file(name: str) -> Body:
    """A file of the page by its bare name.

    Raises:
        LookupError: the page has no such file.
    """
    if name not in _names():  # compared with a list, never joined to a path unseen
        raise LookupError(f"no file {name}")
    content = files("aucli.viewer").joinpath("static", name).read_bytes()
    return Body(content, _TYPES[name[name.rindex(".") :]])

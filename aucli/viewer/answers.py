"""What a page's request is answered with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aucli.plain_json import json_bytes


@dataclass(frozen=True)
class Body:
    """Something short."""

    content: bytes
    content_type: str


@dataclass(frozen=True)
class FileContent:
    """A file, in parts where the browser asks for parts."""

    path: Path
    content_type: str


@dataclass(frozen=True)
class Stream:
    """Pieces that are sent as they come, until the browser goes or there are no more."""

    pieces: Iterator[bytes]
    content_type: str


Answer = Body | FileContent | Stream


class Pages(Protocol):
    """What can be asked for behind the token."""

    def answer(self, parts: tuple[str, ...], query: dict[str, str]) -> Answer:
        """The answer to a request.

        parts: of the path, decoded. query: what stands behind the question mark.

        Raises:
            LookupError: there is no such thing.
            ValueError: it is asked for in a wrong way.
            AucliError: it cannot be read.
        """
        ...


def as_json(value: Any) -> Body:
    return Body(json_bytes(value), "application/json")

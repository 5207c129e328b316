"""Published models over the network: fetched once, continued where interrupted, checked, installed.

Proxies and certificates are those of the environment (`HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`).
A wrong call, or one that is forbidden to use the network, has exit code 2; trouble with the network, the
server or the disk has 1.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aucli.errors import CheckpointError, DownloadError, UsageError
from aucli.plain_json import read_json
from aucli.zoo.archive import fold_in, unpack
from aucli.zoo.card import Card
from aucli.zoo.catalogue import BUILTIN, find, known, unknown
from aucli.zoo.published import published
from aucli.zoo.store import (
    Entry,
    State,
    cannot_write,
    downloads_folder,
    installed,
    lock,
    models_folder,
    scratch_folder,
    sha256_of,
    verify,
)

if TYPE_CHECKING:
    from requests import Response, Session

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be, None where the server does not say."""

_TIMEOUT_SECONDS = 30.0  # to connect, and between two pieces of the file
_PIECE = 2**18
_DRIVE = ("drive.google.com", "docs.google.com")
_PAGES = 4  # Drive asks for one confirmation; more than a few pages in a row lead nowhere
_PAGE_BYTES = 2**20
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def pull(name: str, *, offline: bool = False, progress: Progress | None = None) -> Entry:
    """Download and install a published model, with all folds of its archive at once; returns its entry.

    What is installed and whole is not downloaded again. A download that was interrupted goes on where it
    stopped, as long as the server still has the same file. Two processes download once.

    Raises:
        UnknownModelError: no such name.
        UsageError: `offline` or the variable `AUCLI_OFFLINE` forbids it, or there is no source for it.
        DownloadError: no network, no file, or not the right one.
        OutputError: the cache cannot be written, for instance because the disk is full.
    """
    names = known()
    if name != BUILTIN and name not in names:
        raise unknown(name)
    if name == BUILTIN or names[name].origin == "packaged":
        return find(name)
    card, entry = names[name].card, names[name].entry
    if entry is not None and verify(entry) is State.OK:
        return entry
    if name not in published():
        raise UsageError(f"{name} was imported from a file and cannot be downloaded: import that file again")
    by_hand = _by_hand(card)
    if offline or is_offline():
        why = "--offline" if offline else f"AUCLI_OFFLINE={os.environ['AUCLI_OFFLINE']}"
        raise UsageError(f"{name} is not installed and {why} forbids to download it; {by_hand}")
    together = [other for other in published().values() if other.download == published()[name].download]
    return fetch(together, progress)[name]


def is_offline() -> bool:
    """Whether `AUCLI_OFFLINE` forbids every use of the network: any value but 0, false, no, off."""
    return os.environ.get("AUCLI_OFFLINE", "").lower() not in {"", "0", "false", "no", "off"}


def fetch(cards: Sequence[Card], progress: Progress | None = None) -> dict[str, Entry]:
    """Download the one file of these cards and install each of them; their entries by name.

    Raises:
        DownloadError, OutputError: see `pull`. Nothing is installed that was not complete.
    """
    download = cards[0].download
    if download is None:
        raise UsageError(f"{cards[0].name} has no download; {_by_hand(cards[0])}")
    key = hashlib.sha256(download.url.encode()).hexdigest()[:16]
    with lock(f"download-{key}"):
        there = installed()  # another process may have been faster
        if all(card.name in there and verify(there[card.name]) is State.OK for card in cards):
            return {card.name: there[card.name] for card in cards}
        part = _Part.of(downloads_folder() / f"{key}.part")
        _download(download.url, part, _by_hand(cards[0]), progress)
        try:
            if download.sha256 is not None and sha256_of(part.path) != download.sha256:
                raise DownloadError(
                    f"{cards[0].name}: the file at {download.url} is not the expected one (sha256 differs)"
                )
            entries = _install(part.path, cards, there)
        except Exception as error:
            part.remove()
            if isinstance(error, CheckpointError):
                raise DownloadError(f"{error}; try again, {_by_hand(cards[0])}") from error
            raise
        part.remove()
        return entries


def _by_hand(card: Card) -> str:
    place = card.source or (card.download.url if card.download else "where its authors have it")
    return f"or open {place} in a browser and run `aucli models import FILE` with what it saves"


def _install(file: Path, cards: Sequence[Card], there: Mapping[str, Entry]) -> dict[str, Entry]:
    download = cards[0].download
    assert download is not None
    if not download.archive:
        return {cards[0].name: _install_one(file, cards[0], download.url, {}, there)}
    by_fold = {card.fold: card for card in cards}
    entries: dict[str, Entry] = {}
    recorded = {"archive_sha256": sha256_of(file)}
    with scratch_folder(f"{file.stem}-unpacked") as folder:
        for name, checkpoint in unpack(file, folder):
            card = by_fold.get(fold_in(name))
            if card is None or card.name in entries:
                raise DownloadError(
                    f"{download.url}: {name} in the zip is of no fold, or of one that came before"
                )
            one = recorded | {"source_file": name}
            noted = replace(card, notes=(*card.notes, f"The authors' file is called {name}."))
            entries[card.name] = _install_one(checkpoint, noted, f"{download.url}: {name}", one, there)
    if missing := [card.name for card in cards if card.name not in entries]:
        raise DownloadError(f"{download.url}: the zip has no file for {', '.join(missing)}")
    return entries


def _install_one(
    file: Path, card: Card, shown: str, recorded: Mapping[str, str], there: Mapping[str, Entry]
) -> Entry:
    from aucli.zoo.import_official import install_checkpoint

    before = there.get(card.name)
    if before is not None and verify(before) is State.OK:
        return before
    digest = sha256_of(file)
    first = before.card.recorded.get("source_sha256") if before else None
    if first not in (None, digest):
        raise DownloadError(
            f"{shown}: not the file that {card.name} was first installed from (sha256 is {digest}, was "
            f"{first}); if you trust it, remove {card.name}.json from {models_folder()} and pull again"
        )
    return install_checkpoint(file, card, shown, {"source_sha256": digest, **recorded})


@dataclass
class _Part:
    """An unfinished download and what the server said about its file, kept beside it.

    validator: the file's ETag, or its date where there is no strong ETag: what a server compares before it
    continues. length: bytes of the whole file.
    """

    path: Path
    validator: str | None = None
    length: int | None = None

    @classmethod
    def of(cls, path: Path) -> _Part:
        try:
            said = read_json(path.with_suffix(".json").read_text(encoding="utf-8"))
            return cls(path, said["validator"], said["length"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls(path)

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def can_continue(self) -> bool:
        return self.validator is not None and self.length is not None and 0 < self.size <= self.length

    def save(self) -> None:
        said = json.dumps({"validator": self.validator, "length": self.length})
        self.path.with_suffix(".json").write_text(said, encoding="utf-8")

    def remove(self) -> None:
        for path in (self.path, self.path.with_suffix(".json")):
            path.unlink(missing_ok=True)


class _BrokenError(Exception):
    """The connection ended before the file did."""


class _NoFileError(Exception):
    """The server gave something else."""


def _download(url: str, part: _Part, by_hand: str, progress: Progress | None) -> None:
    """Bring `part` to its whole length; goes on by itself as long as each attempt brings more."""
    import requests

    with requests.Session() as session:
        session.headers.update({"User-Agent": "aucli", "Accept-Encoding": "identity"})
        while True:
            before = part.size if part.can_continue else 0
            try:
                return _attempt(session, url, part, progress)
            except _BrokenError as error:
                if part.can_continue and part.size > before:
                    continue
                problem, cause = str(error), error.__cause__
            except requests.RequestException as error:
                problem, cause = _trouble(error), error
            except _NoFileError as error:
                problem, cause = str(error), error
            if part.can_continue:
                again = "run the same command again to go on from there"
            else:
                part.remove()
                again = "try again"
            raise DownloadError(f"{url}: {problem}; {again}, {by_hand}") from cause


def _attempt(session: Session, url: str, part: _Part, progress: Progress | None) -> None:
    headers = {}
    if part.can_continue:
        assert part.validator is not None
        headers = {"Range": f"bytes={part.size}-", "If-Range": part.validator}
    with _response(session, url, headers) as response:
        if headers and response.status_code == 416 and part.size == part.length:
            return None  # it was whole already, and the server's file is still the same
        if headers and response.status_code == 206 and _continues(response, part):
            return _write(response, part, "ab", progress)
        if not headers or response.status_code == 200:
            part.validator, part.length = _validator(response), _length(response)
            return _write(response, part, "wb", progress)
    part.remove()
    part.validator = part.length = None
    return _attempt(session, url, part, progress)


def _response(session: Session, url: str, headers: Mapping[str, str]) -> Response:
    """The server's answer with the file itself, past Drive's page that asks for a confirmation."""
    from gdown.download import get_url_from_gdrive_confirmation
    from gdown.exceptions import FileURLRetrievalError

    for _ in range(_PAGES):
        response = session.get(url, headers=dict(headers), stream=True, timeout=_TIMEOUT_SECONDS)
        if response.status_code == 416 and headers:
            return response
        if not response.ok:
            raise _NoFileError(f"the server answered {response.status_code} {response.reason}")
        if not _is_page(response):
            return response
        page = response.raw.read(_PAGE_BYTES, decode_content=True).decode("utf-8", "replace")
        response.close()
        if urlsplit(url).hostname not in _DRIVE:
            raise _NoFileError("the server sent a web page instead of the file")
        try:
            url = get_url_from_gdrive_confirmation(page)
        except (FileURLRetrievalError, KeyError, AssertionError) as error:
            said = re.sub(r"<[^>]*>", "", str(error)).strip().split(". ")[0]
            raise _NoFileError(f"Google Drive sent a page instead of the file ({said})") from error
    raise _NoFileError("Google Drive sent one page after the other instead of the file")


def _is_page(response: Response) -> bool:
    kind = response.headers.get("Content-Type", "")
    return kind.startswith("text/html") and "Content-Disposition" not in response.headers


def _continues(response: Response, part: _Part) -> bool:
    """Whether a partial answer is the rest of the same file."""
    assert part.length is not None
    place = response.headers.get("Content-Range", "")
    return place == f"bytes {part.size}-{part.length - 1}/{part.length}" and _validator(response) in (
        None,
        part.validator,
    )


def _validator(response: Response) -> str | None:
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _length(response: Response) -> int | None:
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and not encoded else None


def _write(response: Response, part: _Part, mode: str, progress: Progress | None) -> None:
    import requests

    try:
        part.path.parent.mkdir(parents=True, exist_ok=True)
        with part.path.open(mode) as file:
            if mode == "wb":
                part.save()
            done = part.size
            pieces = response.iter_content(_PIECE)
            while True:
                try:
                    piece = next(pieces, None)
                except requests.RequestException as error:
                    file.flush()
                    raise _BrokenError(_short(done, part.length)) from error
                if piece is None:
                    break
                if done == 0 and piece.lstrip()[:1] == b"<":
                    raise _NoFileError("the server sent a web page instead of the file")
                file.write(piece)
                done += len(piece)
                if progress is not None:
                    progress(done, part.length)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in _DISK_FULL:
            part.remove()
        raise cannot_write(part.path, error) from error
    if part.length is not None and done < part.length:
        raise _BrokenError(_short(done, part.length))
    if part.length is not None and done > part.length:
        raise _NoFileError(f"the server sent more than the {part.length} bytes that it announced")


def _short(done: int, length: int | None) -> str:
    return f"the connection ended after {done} bytes" + (f" of {length}" if length is not None else "")


def _trouble(error: Exception) -> str:
    import requests

    host = urlsplit(getattr(getattr(error, "request", None), "url", None) or "").hostname or "the server"
    inner = error.args[0] if error.args else error
    reason = str(getattr(inner, "reason", inner)).rsplit(": ", 1)[-1]
    if reason.count(")") > reason.count("("):
        reason = reason.rstrip("')")  # the end of a tuple in which it was the last part
    if isinstance(error, requests.Timeout):
        return f"{host} does not answer"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy to {host} does not work ({reason})"
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection to {host} ({reason})"
    return f"no connection to {host} ({reason})"

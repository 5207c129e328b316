"""Files on storage that has an address in place of a path: s3://, gs:// and whatever fsspec knows.

pyarrow's own clients for S3 and Google's storage come with it; other addresses need the fsspec package of
their kind. `file://` is a path and no more. Names and keys come from where these clients always take them
(`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, ...).
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from fnmatch import translate
from pathlib import Path, PurePosixPath
from typing import Any

from aucli.datatypes import RemoteFile, Source
from aucli.errors import InputNotFoundError, MediaError, MissingDependencyError, OutputError, UsageError
from aucli.media.kinds import LIST_SUFFIXES, is_annotated_name, is_picture_name, is_video_name, natural_key
from aucli.media.names import Rejected

_ADDRESS = re.compile("([A-Za-z][A-Za-z0-9+.-]*)://")
_OF_PYARROW = ("s3", "gs", "gcs", "hdfs", "abfs", "abfss")
_SAMPLE_BYTES = 64 * 1024
_CHUNK_BYTES = 1 << 20
_PREFIX = "aucli-fetched-"


def is_remote(text: str) -> bool:
    """Whether this is an address, and of something else than this machine's files."""
    match = _ADDRESS.match(text)
    return match is not None and match[1].lower() != "file"


def without_file_scheme(text: str) -> str:
    """The path of a `file://` address; anything else as it is."""
    if not text.lower().startswith("file://"):
        return text
    return urllib.parse.unquote(urllib.parse.urlsplit(text).path)


class Storage:
    """One address: its file system, and the path there. `url` joined with `/` names what is below.

    Raises:
        UsageError: not an address that can be understood.
        MissingDependencyError: it needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        import pyarrow as pa  # not needed for local files
        import pyarrow.fs

        self.url = url.rstrip("/")
        scheme = _scheme(url)
        try:
            if scheme in _OF_PYARROW:
                # Only so far is it parsed: an object's name may hold what means something in a URI.
                bucket, _, rest = self.url.partition("://")[2].partition("/")
                self.files, root = pyarrow.fs.FileSystem.from_uri(f"{scheme}://{bucket}")
                self.path = "/".join(part for part in (root.rstrip("/"), rest) if part)
            else:
                import fsspec

                found, self.path = fsspec.core.url_to_fs(self.url)
                self.files = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(found))
        except ImportError as error:
            raise MissingDependencyError(f"{url}: {error}") from error
        except (ValueError, OSError, pa.ArrowException) as error:
            raise UsageError(f"{url}: is no address that can be used: {_one_line(error)}") from error

    def info(self, below: str = "") -> Any:
        """The FileInfo (pyarrow) of the address, or of what is at this path below it.

        Raises:
            OSError: the storage does not answer.
        """
        return self.files.get_file_info(self._at(below))

    def listing(self, below: str = "") -> list[tuple[str, Any]]:
        """All files below, as their path relative to the address and their FileInfo.

        Raises:
            OSError: the storage does not answer.
        """
        import pyarrow.fs

        selector = pyarrow.fs.FileSelector(self._at(below), recursive=True, allow_not_found=True)
        return [
            (PurePosixPath(info.path).relative_to(self.path).as_posix(), info)
            for info in self.files.get_file_info(selector)
            if info.is_file
        ]

    def get(self, local: Path, below: str = "") -> None:
        """Copy a file to this machine.

        Raises:
            OSError: it cannot be read whole, or there is no room.
        """
        with self.files.open_input_stream(self._at(below)) as source, local.open("wb") as to:
            shutil.copyfileobj(source, to, _CHUNK_BYTES)

    def put(self, local: Path, below: str = "") -> None:
        """Write a file as one object, which takes its name when all of it is there.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            with local.open("rb") as source, self.files.open_output_stream(self._at(below)) as to:
                shutil.copyfileobj(source, to, _CHUNK_BYTES)
        except OSError as error:
            with suppress(OSError):  # closing the stream may have made an object of what was there
                if self.info(below).size != local.stat().st_size:
                    self.files.delete_file(self._at(below))
            raise OutputError(
                f"cannot write {self.url}{'/' + below if below else ''}: {_one_line(error)}; "
                "what is finished is kept, and the same command goes on from there"
            ) from error

    def remove_folder(self, below: str) -> None:
        """Remove a folder with all files in it, if it is there.

        On S3 pyarrow leaves an empty object with the name of the folder around it, as S3's own web page does.
        """
        import pyarrow.fs

        if self.info(below).type == pyarrow.fs.FileType.Directory:
            self.files.delete_dir(self._at(below))

    def _at(self, below: str) -> str:
        return f"{self.path}/{below}" if below else self.path


def remote_entries(given: str) -> list[Source | Rejected]:
    """What is behind an address: a video or picture, all videos below a folder, or all that a glob matches.

    Raises:
        InputNotFoundError: nothing is there.
        UsageError: the address or the storage cannot be used, or it is a list.
    """
    if PurePosixPath(given).suffix.lower() in LIST_SUFFIXES:
        raise UsageError(
            f"{given}: a list is read from this machine only: copy it here; it may name addresses"
        )
    fixed, pattern = _split_glob(given)
    try:
        storage = Storage(fixed)
        info = storage.info()
        if info.is_file and pattern is None:
            return [_entry(storage.url, PurePosixPath(fixed).name, info, chosen=True)]
        found = storage.listing()
    except OSError as error:
        raise UsageError(f"{given}: the storage cannot be read: {_one_line(error)}") from error
    entries = [
        _entry(f"{storage.url}/{name}", name, info)
        for name, info in sorted(found, key=lambda item: natural_key(item[0]))
        if is_video_name(name) and not _is_hidden(name) and (pattern is None or pattern.fullmatch(name))
    ]
    if not entries:
        raise InputNotFoundError(f"{given}: there is no video; check the address, or give that of one video")
    return entries


def remote_identity(file: RemoteFile) -> dict[str, Any]:
    """What identifies the content without fetching all of it; as `sinks.identity.input_identity`.

    Raises:
        OSError: it cannot be read.
    """
    storage = Storage(file.url)
    with storage.files.open_input_file(storage.path) as stream:
        samples = hashlib.sha256(stream.read_at(_SAMPLE_BYTES, 0) if file.size else b"")
        start = max(file.size - _SAMPLE_BYTES, 0)
        samples.update(stream.read_at(min(_SAMPLE_BYTES, file.size), start) if file.size else b"")
    return {"size": file.size, "mtime_ns": file.mtime_ns, "samples_sha256": samples.hexdigest()}


@contextmanager
def local_copy(source: Source) -> Iterator[Source]:
    """The source with a path on this machine; what was fetched for it is removed at the end.

    Raises:
        MediaError: it cannot be fetched whole, or there is no room for it.
    """
    if source.remote is None:
        yield source
        return
    remote = source.remote
    with _own_folder() as folder:
        free = shutil.disk_usage(folder).free
        if remote.size > free:
            raise MediaError(
                f"{remote.url}: its {remote.size:,} bytes do not fit into {folder} with {free:,} free: "
                "set TMPDIR to a larger disk"
            )
        path = folder / f"fetched{PurePosixPath(remote.url).suffix}"
        try:
            Storage(remote.url).get(path)
        except OSError as error:
            raise MediaError(f"{remote.url}: cannot be fetched: {_one_line(error)}") from error
        if path.stat().st_size != remote.size:
            raise MediaError(
                f"{remote.url}: has {path.stat().st_size:,} bytes and had {remote.size:,} before: "
                "it changed during the run; run again"
            )
        try:
            yield replace(source, path=path)
        except MediaError as error:
            raise type(error)(str(error).replace(str(path), remote.url)) from error


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder for what is fetched, gone at the end; if this process is killed, the next one removes it."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), (left / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its process lives
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        folder = Path(name)
        with (folder / "new").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "new").rename(folder / "lock")  # under this name it was never free
            yield folder


def _entry(url: str, name: str, info: Any, *, chosen: bool = False) -> Source | Rejected:
    path = Path(_ADDRESS.sub("", url))  # for names only: nothing is there
    base = PurePosixPath(url).name
    if is_annotated_name(base) and not chosen:
        return Rejected(
            name,
            path,
            "has the name of a video that annotate has drawn on; give it by its own name",
            "skipped",
        )
    remote = RemoteFile(url, int(info.size or 0), int(info.mtime_ns or 0))
    if is_video_name(base):
        return Source(path, name, remote=remote)
    if is_picture_name(base):
        return Source(path, name, "image", remote=remote)
    return Rejected(name, path, "has the name of no kind that is read")


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") for part in parts) or any(part.endswith(".parts") for part in parts[:-1])


def _split_glob(given: str) -> tuple[str, re.Pattern[str] | None]:
    """The address up to the first part with a wildcard, and what the rest has to match; None: no wildcard."""
    parts = given.split("/")
    first = next(
        (place for place in range(3, len(parts)) if any(sign in parts[place] for sign in "*?[")), len(parts)
    )
    if first == len(parts):
        return given, None
    expression = ""
    for place, part in enumerate(parts[first:], first):
        last = place == len(parts) - 1
        if part == "**":
            expression += ".*" if last else "(?:[^/]+/)*"
        else:
            # fnmatch's * also matches a slash, which divides folders here.
            body = translate(part).removeprefix("(?s:").removesuffix(r")\Z").removesuffix(r")\z")
            expression += body.replace(".*", "[^/]*") + ("" if last else "/")
    return "/".join(parts[:first]), re.compile(expression)


def _scheme(url: str) -> str:
    match = _ADDRESS.match(url)
    return match[1].lower() if match else ""


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__

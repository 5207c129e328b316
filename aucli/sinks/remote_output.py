"""An output at an address (s3://, gs://, ...): worked on here, every finished video put there at once.

Here lies a copy of what an earlier run left there; a `RunFolder` works on it as on any other. Each commit
puts the video's part, then its record, each as one object, so that any machine can go on from there. The
merged file and its report follow at the end, then the parts are removed.

Object stores have no locks: that two runs do not write one address at once is for the user to see to.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Self

import pyarrow as pa

from aucli.errors import UsageError
from aucli.media.remote import Storage, is_remote, without_file_scheme
from aucli.sinks.place import OutputPlace, output_place
from aucli.sinks.report import Report, ReportEntry
from aucli.sinks.run_folder import PlannedInput, RunFolder

_MANIFEST = "manifest.json"


class RemoteOutput:
    """The output at `url`, and its copy in `folder`.

    Raises:
        UsageError: the address cannot be an output.
        MissingDependencyError: it needs a package that is not installed.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        scheme, _, rest = url.partition("://")
        path = PurePosixPath(rest)
        self.single_file = path.suffix == ".parquet" and not url.endswith("/")
        base = path.parent if self.single_file else path
        if str(base) in (".", "/"):
            raise UsageError(
                f"-o {url}: name a bucket and what to write there: {scheme}://bucket/out.parquet"
            )
        if path.suffix and not self.single_file and not url.endswith("/"):
            raise UsageError(
                f"-o {url}: the output is Parquet; give -o {scheme}://{path.with_suffix('.parquet')} for one "
                f"file, or -o {url}/ for a folder with one file per video"
            )
        self._storage = Storage(f"{scheme}://{base}")
        self._root = folder if self.single_file else folder / "out"
        self._path = folder / path.name if self.single_file else self._root
        self._seen: dict[Path, int] = {}  # what is there as it is here, by the time of its writing

    @property
    def path(self) -> Path:
        """The copy of the Parquet file or of the folder."""
        return self._path

    def place(self, inputs: Iterable[Path]) -> OutputPlace:
        """The copy as a place to write.

        Raises:
            UsageError: see `output_place`; for instance something there that aucli did not write.
        """
        try:
            place = output_place(f"{self._path}{'' if self.single_file else '/'}", inputs)
        except UsageError as error:
            raise UsageError(str(error).replace(str(self._path), self.url)) from error
        return replace(place, url=self.url)

    def pull_finished(self) -> None:
        """Fetch what earlier runs finished there.

        Raises:
            UsageError: the storage cannot be read.
        """
        place = OutputPlace(self._path, self.single_file)
        try:
            if self.single_file:
                for path in (place.path, place.report):
                    if self._storage.info(self._name(path)).is_file:
                        self._pull(self._name(path))
            else:
                self._root.mkdir(exist_ok=True)
                for name, _ in self._storage.listing():
                    if name == "report.json" or (
                        name.endswith(".parquet") and not name.startswith(".parts/")
                    ):
                        self._pull(name)
        except OSError as error:
            raise UsageError(f"-o {self.url}: the storage cannot be read: {error}") from error

    def pull_parts(self, work: Path) -> None:
        """Fetch the parts of an unfinished run, with their records."""
        below = self._name(work)
        names = {name.rpartition("/")[2] for name, _ in self._storage.listing(below)}
        for name in sorted(names):
            # A part without a record was never finished; in a folder of files a record has no part.
            if name.endswith(".json") and name != _MANIFEST:
                part = f"{name.removesuffix('.json')}.parquet"
                for wanted in (part, name) if part in names else (name,):
                    self._pull(f"{below}/{wanted}")

    def push(self, path: Path) -> None:
        """Put a file of the copy there, unless it is there as it is.

        Raises:
            OutputError: it cannot be written.
        """
        written = path.stat().st_mtime_ns
        if self._seen.get(path) != written:
            self._storage.put(path, self._name(path))
            self._seen[path] = written

    def push_output(self, place: OutputPlace) -> None:
        """Put all that is finished: the rows, then the report."""
        files = [place.path] if self.single_file else sorted(place.path.rglob("*.parquet"))
        for path in [*files, place.report]:
            if path.exists():
                self.push(path)

    def remove_parts(self, work: Path) -> None:
        """Remove what is there of an unfinished run."""
        self._storage.remove_folder(self._name(work))

    def fetch_part(self, path: Path) -> None:
        """Fetch a part that a worker on another machine has put there."""
        self._pull(self._name(path))

    def part_url(self, path: Path) -> str:
        """Where a worker on another machine puts the part that has this path in the copy."""
        return f"{self._storage.url}/{self._name(path)}"

    def _pull(self, name: str) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._storage.get(path, name)
        self._seen[path] = path.stat().st_mtime_ns

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


class RemoteRunFolder(RunFolder):
    """A `RunFolder` on the copy of a remote output, which puts there what is finished."""

    def __init__(
        self,
        remote: RemoteOutput,
        place: OutputPlace,
        schema: pa.Schema,
        describe: Callable[[Sequence[ReportEntry]], Mapping[bytes, bytes]],
        *,
        fresh: bool = False,
    ) -> None:
        super().__init__(place, schema, describe, fresh=fresh)
        self._remote = remote

    def __enter__(self) -> Self:
        super().__enter__()
        if self._fresh:
            self._remote.remove_parts(self.place.work)
        else:
            self._remote.pull_parts(self.place.work)
        return self

    def plan(self, inputs: Sequence[PlannedInput]) -> dict[str, ReportEntry]:
        entries = super().plan(inputs)
        # Whether anything can be written there shows before the first video and not after it.
        self._remote.push(self.place.work / _MANIFEST)
        return entries

    def commit(self, entry: ReportEntry) -> ReportEntry:
        part = self.part_path(entry.key)
        if entry.rows and not part.exists():
            self._remote.fetch_part(part)
        entry = super().commit(entry)
        if entry.rows:
            self._remote.push(part if entry.file is None else self.place.path / entry.file)
            self._remote.push(self.place.work / f"{entry.key}.json")
        return entry

    def finish(self, report: Report) -> None:
        super().finish(report)
        self._remote.push_output(self.place)
        self._remote.remove_parts(self.place.work)


@contextmanager
def staged(output: str | Path) -> Iterator[str | Path | RemoteOutput]:
    """An output with an address as a `RemoteOutput`, with what is finished there; any other as it is.

    The copy here is gone after the block.

    Raises:
        UsageError: the address cannot be an output, or the storage cannot be read.
    """
    if not is_remote(str(output)):
        yield without_file_scheme(output) if isinstance(output, str) else output
        return
    with tempfile.TemporaryDirectory(prefix="aucli-") as folder:
        remote = RemoteOutput(str(output), Path(folder))
        remote.pull_finished()
        yield remote

"""The outputs of all shards of a run as one output: the rows and the metadata of a run on one machine.

Every shard wrote down who does what (see `share.Share`), so what is missing, there twice or divided
differently is found before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aucli.errors import InputNotFoundError, UsageError
from aucli.sinks.metadata import METADATA_KEY, read_metadata
from aucli.sinks.place import OutputPlace, output_place
from aucli.sinks.remote_output import RemoteOutput, RemoteRunFolder, staged
from aucli.sinks.report import Report, ReportEntry
from aucli.sinks.run_folder import PlannedInput, RunFolder
from aucli.sinks.share import Share

_SAME = ("version", "config", "card", "detector", "crop", "valid_rule")
"""What must be equal in the metadata of all shards. The machine's kind of device is, too."""


@dataclass(frozen=True)
class Merged:
    """report: of all shards, one entry per input. output: as named; None where no shard has a row.
    remarks: what differs between the shards and was no reason to refuse, one line each.
    """

    report: Report
    output: Path | str | None
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Shard:
    """A finished shard.

    given: as what it was named. path: where it, or the copy of what has an address, lies. rows: per key of a
    video with rows the file that holds them, and from which row on.
    """

    given: str
    path: Path
    share: Share
    report: Mapping[str, Any]
    entries: tuple[ReportEntry, ...]
    rows: Mapping[str, tuple[Path, int]]
    schema: pa.Schema | None  # None: a folder without a row
    metadata: Mapping[str, Any]
    videos: Mapping[str, Mapping[str, Any]]  # by key, as in the metadata


def merge_shards(
    outputs: Sequence[str | Path], output: str | Path, *, command_line: Sequence[str] | None = None
) -> Merged:
    """Join the outputs of all shards of one run, given in any order.

    The rows are those of the run without shards, in its order; so is the metadata, but for the command line,
    which is the first shard's. In the report, `wall_seconds` is that of the slowest shard. The shards'
    outputs stay.

    command_line: of the merge, for the report.

    Raises:
        InputNotFoundError: an output is not there.
        UsageError: not an output of a shard, a shard is missing or there twice, the shards divided other
            inputs or were made with another configuration or model, or `output` cannot be written.
        OutputError: the disk is full or fails.
    """
    if not outputs:
        raise UsageError("no shard: name all outputs, for instance aucli merge out.*.parquet -o all.parquet")
    with ExitStack() as stack:
        given = [(str(name), stack.enter_context(staged(name))) for name in outputs]
        return _merge(given, output, stack.enter_context(staged(output)), command_line)


def _merge(
    outputs: Sequence[tuple[str, str | Path | RemoteOutput]],
    output: str | Path,
    staging: str | Path | RemoteOutput,
    command_line: Sequence[str] | None,
) -> Merged:
    shards = sorted((_read(*given) for given in outputs), key=lambda shard: shard.share.number)
    _check_division(shards)
    _check_configuration(shards)
    paths = [shard.path for shard in shards]
    remote = staging if isinstance(staging, RemoteOutput) else None
    place = staging.place(paths) if isinstance(staging, RemoteOutput) else output_place(staging, paths)
    for shard in shards:
        if place.path.resolve() in (path.resolve() for path, _ in shard.rows.values()):
            raise UsageError(f"-o {output} is a file of {shard.given}: choose another output")
    sources = [
        (shard, entry)
        for _, shard, entry in sorted(
            (
                (position, shard, entry)
                for shard in shards
                for position, entry in zip(shard.share.positions, shard.entries, strict=False)
            ),
            key=lambda item: item[0],
        )
    ]
    refused = [entry for shard in shards for entry in shard.entries[len(shard.share.positions) :]]
    schema = next((shard.schema for shard in shards if shard.schema is not None), None)
    metadata = next((shard.metadata for shard in shards if shard.schema is not None), {})
    videos = {key: video for shard in shards for key, video in shard.videos.items()}

    def describe(entries: Sequence[ReportEntry]) -> Mapping[bytes, bytes]:
        value = {**metadata, "videos": [videos[entry.key] for entry in entries]}
        return {METADATA_KEY: json.dumps(value, ensure_ascii=False, allow_nan=False).encode()}

    schema = schema or pa.schema([])
    with (
        RunFolder(place, schema, describe, fresh=True)
        if remote is None
        else RemoteRunFolder(remote, place, schema, describe, fresh=True)
    ) as folder:
        with_key = [entry for _, entry in sources if entry.key]
        folder.plan([PlannedInput(entry.video, entry.path, entry.key) for entry in with_key])
        entries = [
            folder.adopt(entry, *shard.rows[entry.key]) if entry.rows else entry for shard, entry in sources
        ]
        where = None if folder.merge(entries) is None else place.location
        report = _report(shards, [*entries, *refused], where, command_line)
        folder.finish(report)
    return Merged(report, where, tuple(_remarks(shards)))


def _read(given: str, staging: str | Path | RemoteOutput) -> _Shard:
    path = staging.path if isinstance(staging, RemoteOutput) else Path(staging)
    if not path.exists():
        raise InputNotFoundError(f"{given} does not exist: give what each aucli extract --shard has written")
    place = OutputPlace(path, single_file=not path.is_dir())
    try:
        report = json.loads(place.report.read_bytes())
        entries = tuple(ReportEntry.from_json(entry) for entry in report["entries"])
        share = None if report.get("shard") is None else Share.from_json(report["shard"])
    except FileNotFoundError as error:
        raise UsageError(
            f"{given}: its report {place.report} is not there: it is no finished output of aucli extract; "
            "run that again, it goes on from where it stopped"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{given}: its report {place.report} cannot be read: run extract again") from error
    if share is None:
        raise UsageError(f"{given} is whole, not a shard: it was made without --shard; leave it out")
    files = [path] if place.single_file else [path / entry.file for entry in entries if entry.file]
    rows: dict[str, tuple[Path, int]] = {}
    videos: dict[str, Mapping[str, Any]] = {}
    schema: pa.Schema | None = None
    metadata: Mapping[str, Any] = {}
    for file in files:
        schema, metadata = _metadata_of(file)
        start = 0
        for video in metadata["videos"]:
            rows[video["key"]], videos[video["key"]] = (file, start), video
            start += int(video["rows"])
    expected = {entry.key: entry.rows for entry in entries if entry.rows}
    if {key: int(video["rows"]) for key, video in videos.items()} != expected or (
        len(share.positions) > len(entries)
    ):
        raise UsageError(f"{given} and its report {place.report} are not of one run: run extract again")
    return _Shard(given, path, share, report, entries, rows, schema, metadata, videos)


def _metadata_of(file: Path) -> tuple[pa.Schema, Mapping[str, Any]]:
    try:
        schema, there = pq.read_schema(file), pq.read_metadata(file).num_rows
        metadata = read_metadata(schema)
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{file} cannot be read as Parquet ({error}): run extract again") from error
    if metadata is None or there != sum(int(video["rows"]) for video in metadata["videos"]):
        raise UsageError(f"{file} is not as aucli extract wrote it: run extract again")
    return schema.remove_metadata(), metadata


def _check_division(shards: Sequence[_Shard]) -> None:
    first = shards[0]
    for shard in shards:
        if shard.share.count != first.share.count:
            raise UsageError(
                f"{first.given} is {first.share} and {shard.given} is {shard.share}: "
                "merge the shards of one run only"
            )
    given: dict[int, str] = {}
    for shard in shards:
        if shard.share.number in given:
            raise UsageError(
                f"{given[shard.share.number]} and {shard.given} are both {shard.share}: leave one out"
            )
        given[shard.share.number] = shard.given
    missing = [str(number) for number in range(1, first.share.count + 1) if number not in given]
    if missing:
        what = "shard" if len(missing) == 1 else "shards"
        raise UsageError(
            f"{what} {', '.join(missing)} of {first.share.count} missing: give all outputs, "
            f"or run first aucli extract ... --shard {missing[0]}/{first.share.count}"
        )
    for shard in shards:
        if shard.share.division_sha256 != first.share.division_sha256:
            raise UsageError(
                f"{first.given} and {shard.given} divided different inputs ({first.share.inputs} and "
                f"{shard.share.inputs}, or other names or sizes): run all shards again on the same inputs"
            )


def _check_configuration(shards: Sequence[_Shard]) -> None:
    described = [shard for shard in shards if shard.schema is not None]
    for shard in described[1:]:
        first = described[0]
        for name, ours, theirs in (
            *((name, first.metadata.get(name), shard.metadata.get(name)) for name in _SAME),
            ("device", first.metadata["machine"].get("device"), shard.metadata["machine"].get("device")),
            ("columns", first.schema, shard.schema),
        ):
            if ours != theirs:
                what = {"card": "model", "config": "options"}.get(name, name)
                raise UsageError(
                    f"{first.given} and {shard.given} differ in their {what}"
                    f"{_difference(ours, theirs)}: run the odd one again as the others were"
                )


def _difference(ours: Any, theirs: Any) -> str:
    """` (every 1 and 2)`: the first difference, as far as it fits a line."""
    name, shown = "", (ours, theirs)
    while isinstance(shown[0], dict) and isinstance(shown[1], dict):
        keys = [key for key in {**shown[0], **shown[1]} if shown[0].get(key) != shown[1].get(key)]
        name, shown = str(keys[0]), (shown[0].get(keys[0]), shown[1].get(keys[0]))
    if any("\n" in str(value) for value in shown):
        return ""
    return f" ({name + ' ' if name else ''}{str(shown[0])[:40]} and {str(shown[1])[:40]})"


def _remarks(shards: Sequence[_Shard]) -> list[str]:
    first, found = shards[0], []
    for shard in shards[1:]:
        ours = {**first.report["versions"], "architecture": first.report["machine"].get("architecture")}
        theirs = {**shard.report["versions"], "architecture": shard.report["machine"].get("architecture")}
        different = [
            f"{name} {theirs.get(name)} for {ours.get(name)}"
            for name in {**ours, **theirs}
            if ours.get(name) != theirs.get(name)
        ]
        if different:
            found.append(f"{shard.given} was made with {', '.join(different)}")
    return found


def _report(
    shards: Sequence[_Shard],
    entries: Sequence[ReportEntry],
    output: Path | str | None,
    command_line: Sequence[str] | None,
) -> Report:
    reports = [shard.report for shard in shards]
    machine = dict(reports[0]["machine"])
    return Report(
        entries=tuple(entries),
        output=None if output is None else str(output),
        command_line=None if command_line is None else tuple(command_line),
        started=min(str(report["started"]) for report in reports),
        finished=max(str(report["finished"]) for report in reports),
        wall_seconds=max(float(report["totals"]["wall_seconds"]) for report in reports),
        machine=machine
        | {
            "host": ", ".join(dict.fromkeys(str(report["machine"].get("host")) for report in reports)),
            "workers": sum(int(report["machine"].get("workers", 1)) for report in reports),
            "shards": len(shards),
        },
        versions=reports[0]["versions"],
    )

"""The report beside the output: one entry per input, totals, and the exit code that follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from aucli.datatypes import Status, readable
from aucli.errors import ShapeError
from aucli.sinks.share import Share

EXIT_OK = 0
EXIT_SOME_FAILED = 3
EXIT_NOTHING_USABLE = 4


@dataclass(frozen=True)
class ReportEntry:
    """What became of one input.

    status: `ok`: all frames read and at least one face; `no_face`: all frames read, none with a face;
        `partial`: damaged, the rows are those that could be read; `failed`: no rows; `skipped`: no
        input of this command, never tried.
    reason: one line for `partial`, `failed` and `skipped`, else None; made `readable`.
    rows: rows in the output; `frames`: frames processed; `faces`: face rows.
    duration_seconds: time in the video from the first to the end of the last processed frame.
    wall_seconds, fps: time that it took and frames per second of that time.
    top_aus: the most frequent AUs and the share of the face rows in which each occurs, 0 to 1.
    key: see `part_key`; empty for an input that never got one.
    file: the input's own Parquet file, relative to the output folder, where each has its own.
    """

    video: str
    path: str
    status: Status
    reason: str | None = None
    subject: str | None = None
    rows: int = 0
    frames: int = 0
    faces: int = 0
    tracks: int = 0
    duration_seconds: float = 0.0
    wall_seconds: float = 0.0
    fps: float = 0.0
    decoder: str | None = None
    top_aus: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    key: str = ""
    file: str | None = None

    def __post_init__(self) -> None:
        if self.reason is not None:  # it may name the path, see `readable`
            object.__setattr__(self, "reason", readable(self.reason))
        if self.status not in get_args(Status):
            raise ShapeError(f"ReportEntry.status must be one of {get_args(Status)}, got {self.status!r}")
        if self.rows and self.status in ("failed", "skipped"):
            raise ShapeError(f"ReportEntry: {self.status} with {self.rows} rows")
        if self.rows and not self.key:
            raise ShapeError("ReportEntry: rows without the key of their part")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` takes them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ReportEntry:
        """The entry that `to_json` wrote.

        Raises:
            TypeError, KeyError: not such an entry.
        """
        top_aus = tuple((str(au), float(share)) for au, share in values["top_aus"])
        return cls(**{**values, "top_aus": top_aus, "notes": tuple(values["notes"])})


@dataclass(frozen=True)
class Report:
    """One run: its entries in the order of the inputs, and everything volatile about it.

    output: the Parquet file or the folder of them; None when nothing usable came out.
    started, finished: ISO 8601 with time zone.
    versions: of aucli, Python and the packages that compute.
    machine: host, devices, processes; plain JSON values.
    share: what this run had of all inputs, for one shard of several.
    """

    entries: tuple[ReportEntry, ...]
    output: str | None
    command_line: tuple[str, ...] | None
    started: str
    finished: str
    wall_seconds: float
    machine: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    share: Share | None = None

    @property
    def exit_code(self) -> int:
        """See `exit_code`; a shard that got no input has nothing to fail in."""
        return EXIT_OK if self.share and not self.entries else exit_code(self.entries)

    @property
    def totals(self) -> dict[str, Any]:
        """Sums over the entries; `fps` is frames over the run's wall time."""
        frames = sum(entry.frames for entry in self.entries)
        statuses = Counter(entry.status for entry in self.entries)
        return {
            "inputs": len(self.entries),
            **{status: statuses[status] for status in get_args(Status)},
            "rows": sum(entry.rows for entry in self.entries),
            "frames": frames,
            "faces": sum(entry.faces for entry in self.entries),
            "tracks": sum(entry.tracks for entry in self.entries),
            "duration_seconds": sum(entry.duration_seconds for entry in self.entries),
            "wall_seconds": self.wall_seconds,
            "fps": frames / self.wall_seconds if self.wall_seconds else 0.0,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, as written beside the output and printed by `--json`."""
        return {
            "output": self.output,
            "exit_code": self.exit_code,
            "totals": self.totals,
            "entries": [entry.to_json() for entry in self.entries],
            "command_line": None if self.command_line is None else list(self.command_line),
            "started": self.started,
            "finished": self.finished,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "shard": None if self.share is None else self.share.to_json(),
        }


def exit_code(entries: Sequence[ReportEntry]) -> int:
    """What the process returns: 0 all well, 3 some inputs failed or partial, 4 no rows at all.

    A video without a face is well: its rows say so, frame by frame. So is an input that was skipped
    because it is not a video; but a run of nothing else has nothing usable.
    """
    if not any(entry.rows for entry in entries):
        return EXIT_NOTHING_USABLE
    if any(entry.status in ("failed", "partial") for entry in entries):
        return EXIT_SOME_FAILED
    return EXIT_OK

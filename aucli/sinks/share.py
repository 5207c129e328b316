"""What one shard of a run has of its inputs, as its report says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aucli.errors import UsageError


@dataclass(frozen=True)
class Share:
    """Shard `number` of `count`, both from 1.

    positions: of its inputs among those of all shards, from 0. inputs: how many all have together.
    division_sha256: of who does what; equal for all shards that divided the same inputs alike.
    """

    number: int
    count: int
    positions: tuple[int, ...]
    inputs: int
    division_sha256: str

    def __str__(self) -> str:
        return f"shard {self.number} of {self.count}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` takes them back."""
        return {**asdict(self), "positions": list(self.positions)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Share:
        """The share that `to_json` wrote.

        Raises:
            TypeError, KeyError, ValueError: not such a share.
        """
        return cls(**{**values, "positions": tuple(int(place) for place in values["positions"])})


def refuse_another_shard(report: Path, share: Share) -> None:
    """Refuse to write one shard where another one of the same division lies.

    report: of the output, where it has one.

    Raises:
        UsageError: it does, for two jobs of an array were given one output.
    """
    try:
        there = Share.from_json(json.loads(report.read_bytes())["shard"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing there, or the output of no shard
    if there.count == share.count and there.number != share.number:
        raise UsageError(
            f"--shard {share.number}/{share.count}: the output holds {there} ({report}): "
            f"give each shard its own, for instance -o out.{share.number}.parquet"
        )

"""What `aucli extract --dry-run` shows: the plan of a run, which writes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from aucli.cli.names import one_line, shorten
from aucli.cli.summary import stdout_console
from aucli.config import ExtractConfig
from aucli.datatypes import Shard, Source
from aucli.inference.cluster import cluster_for
from aucli.inference.extract_plan import ExtractPlan, plan_extract
from aucli.sinks.remote_output import staged


def show_plan(
    inputs: Sequence[str | Path],
    output: str | Path,
    config: ExtractConfig,
    *,
    shard: Shard | None = None,
    engine: str = "local",
    scheduler: str | None = None,
    as_json: bool,
) -> None:
    """Print what `extract` would work on, refuse, and write.

    Raises:
        UsageError: what `extract` would refuse, too.
    """
    with staged(output) as staging, cluster_for(engine, scheduler, config) as cluster:
        plan = plan_extract(inputs, staging, config, shard=shard, cluster=cluster)
    if as_json:
        print(json.dumps(_to_json(plan), indent=2, ensure_ascii=False))
        return
    console = stdout_console()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in ("video", "kind", "subject", "from", "to"):
        table.add_column(name, no_wrap=True)
    for source in plan.sources:
        table.add_row(
            escape(shorten(source.name, max(16, console.width // 2))),
            source.kind.replace("_", " "),
            escape(source.subject or ""),
            *_window(source, config),
        )
    console.print(table)
    for entry in plan.rejected:
        console.print(one_line(f"not read: {entry.video}: {entry.reason}"), markup=False, soft_wrap=True)
    devices = ", ".join(dict.fromkeys(worker.device for worker in plan.workers))
    of_all = f" of {plan.share.inputs} ({plan.share})" if plan.share else ""
    minutes = config.segment_minutes
    split = "" if minutes is None else f" Videos over {minutes:g} min may be split over more processes."
    console.print(
        f"{len(plan.sources)}{of_all} to do with {plan.card.name} in {len(plan.workers)} processes "
        f"on {devices}, into {plan.place.location}.{split} Nothing was written.",
        markup=False,
        soft_wrap=True,
    )


def _window(source: Source, config: ExtractConfig) -> tuple[str, str]:
    """First and last second, a list's before the command's; empty where there is no bound."""
    chosen = config.selection
    start = chosen.start_seconds if source.start_seconds is None else source.start_seconds
    end = chosen.end_seconds if source.end_seconds is None else source.end_seconds
    return "" if start is None else f"{start:g} s", "" if end is None else f"{end:g} s"


def _to_json(plan: ExtractPlan) -> dict[str, object]:
    return {
        "output": str(plan.place.location),
        "model": plan.card.name,
        "shard": plan.share.to_json() if plan.share else None,
        "workers": [{"device": worker.device, "threads": worker.threads} for worker in plan.workers],
        "inputs": [
            {
                "video": source.name,
                "path": source.location,
                "kind": source.kind,
                "subject": source.subject,
                "start_seconds": source.start_seconds,
                "end_seconds": source.end_seconds,
            }
            for source in plan.sources
        ],
        "rejected": [
            {"video": entry.video, "path": entry.path, "reason": entry.reason} for entry in plan.rejected
        ],
    }

"""Finished shards of a made-up run, as `extract --shard` leaves them."""

from dataclasses import replace
from pathlib import Path

from aucli.datatypes import Source
from aucli.inference.shards import divide
from aucli.sinks.place import output_place
from aucli.sinks.report import ReportEntry
from aucli.sinks.run_folder import RunFolder
from tests.sinks.recipes import SCHEMA, describe, finish_video, key_of, planned, report_of


def small_shard(output, videos, shard, *, failing=(), refused=(), schema=SCHEMA, facts=None):
    """A whole run of one shard of `{video: seed}`; the files need not exist, so all have the same size."""
    names = list(videos)
    share = divide([Source(Path(name), name) for name in names], shard)
    mine = [names[place] for place in share.positions]
    place = output_place(output)
    with RunFolder(place, schema, facts or describe(schema)) as run:
        finished = run.plan(planned(mine))
        entries = []
        for name in mine:
            if name in failing:
                entry = ReportEntry(name, f"videos/{name}", "failed", "cannot be opened", key=key_of(name))
                entries.append(run.commit(entry))
            else:
                entries.append(
                    finished.get(key_of(name)) or finish_video(run, name, videos[name], schema=schema)
                )
        path = run.merge(entries, even_without_rows=True)
        rejected = [ReportEntry(name, name, "skipped", "has such a name") for name in refused]
        report = report_of([*entries, *rejected], path)
        run.finish(replace(report, share=share))
    return place.path

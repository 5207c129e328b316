"""What a run is to do, checked before any video is opened. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aucli import __version__
from aucli.config import ExtractConfig
from aucli.datatypes import Shard, Source
from aucli.inference.clip_mode import check_clip_mode
from aucli.inference.cluster import Cluster
from aucli.inference.devices import WorkerPlan, plan_workers, resolve_device, resolve_precision
from aucli.inference.shards import divide
from aucli.media.decode import check_decoder, decoders_tried
from aucli.media.discover import Discovery, discover
from aucli.sinks.identity import content_identity, part_key, source_identity
from aucli.sinks.place import OutputPlace, output_place
from aucli.sinks.remote_output import RemoteOutput
from aucli.sinks.report import ReportEntry
from aucli.sinks.share import Share, refuse_another_shard
from aucli.zoo.card import Card
from aucli.zoo.catalogue import find

_REQUESTS_AT_ONCE = 16


@dataclass(frozen=True)
class ExtractPlan:
    """A run before it runs: its inputs in order, what is refused, where it writes, on which devices.

    share: which of all inputs these are, for one shard of several. with_subject: whether any input, also of
    another shard, has a subject: all shards have the same columns. remote: of an output with an address.
    """

    sources: tuple[Source, ...]
    rejected: tuple[ReportEntry, ...]
    place: OutputPlace
    card: Card
    workers: tuple[WorkerPlan, ...]
    share: Share | None = None
    with_subject: bool = False
    remote: RemoteOutput | None = None


def plan_extract(
    inputs: Sequence[str | Path],
    output: str | Path | RemoteOutput,
    config: ExtractConfig,
    *,
    shard: Shard | None = None,
    cluster: Cluster | None = None,
) -> ExtractPlan:
    """Check everything that can be checked before any video is opened; writes nothing.

    shard: plan its part of the inputs only. What is refused is the first shard's to report.
    cluster: whose workers are to do it; None for this machine.

    Raises:
        UsageError: no input, an unknown model, an output that cannot be or holds another shard, a device
            that is not there, a decoder that does not fit it.
    """
    card = find(config.model).card
    check_clip_mode(config.clips, card)
    found: Discovery = discover(inputs)
    remote = output if isinstance(output, RemoteOutput) else None
    paths = [*(source.path for source in found.sources), *_existing(inputs)]
    place = output_place(output, paths) if not isinstance(output, RemoteOutput) else output.place(paths)
    devices = tuple(worker.device for worker in cluster.workers) if cluster else resolve_device(config.device)
    for device in devices:
        resolve_precision(config.precision, device)
    if cluster is None:
        check_decoder(config.decoder, devices[0])
    sources, share = found.sources, None
    if shard is not None:
        share = divide(found.sources, shard)
        refuse_another_shard(place.report, share)
        sources = tuple(found.sources[position] for position in share.positions)
    workers = cluster.workers if cluster else plan_workers(devices, config.jobs, len(sources))
    rejected = tuple(
        ReportEntry(item.name, str(item.path), item.status, reason=item.reason)
        for item in found.rejected
        if shard is None or shard.number == 1
    )
    with_subject = any(source.subject is not None for source in found.sources)
    return ExtractPlan(sources, rejected, place, card, tuple(workers), share, with_subject, remote)


def _existing(inputs: Sequence[str | Path]) -> list[Path]:
    return [path for path in map(Path, inputs) if path.exists()]


@dataclass(frozen=True)
class Keys:
    """By what the finished parts of a run's inputs are known again.

    of_sources: in their order; None for one that cannot even be read, which has an entry in `failed`, by its
    name. identities: of the contents, by key, for the metadata.
    """

    of_sources: tuple[str | None, ...]
    failed: Mapping[str, ReportEntry] = field(default_factory=dict)
    identities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def keys_of(plan: ExtractPlan, config: ExtractConfig) -> Keys:
    """A key for each source, from its content, the settings that change a value, and the model."""
    device = plan.workers[0].device
    values = config.value_fields() | {
        "precision": resolve_precision(config.precision, device),
        "device": device.partition(":")[0],
        "decoder": list(decoders_tried(config.decoder, device)),
    }
    card = json.dumps(plan.card.to_json(), sort_keys=True).encode()
    model = hashlib.sha256(card).hexdigest()
    keys: list[str | None] = []
    failed: dict[str, ReportEntry] = {}
    contents: dict[str, Mapping[str, Any]] = {}
    remote = [source for source in plan.sources if source.remote is not None]
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as requests:  # their time is waiting for the network
        identities = {source.name: requests.submit(source_identity, source) for source in remote}
    for source in plan.sources:
        try:
            identity = identities[source.name].result() if source.remote else source_identity(source)
        except OSError as error:
            keys.append(None)
            failed[source.name] = ReportEntry(
                source.name,
                source.location,
                "failed",
                reason=f"cannot be read: {error.strerror or error}",
                subject=source.subject,
            )
            continue
        key = part_key(source, identity, values, model, __version__)
        keys.append(key)
        contents[key] = content_identity(identity)
    return Keys(tuple(keys), failed, contents)

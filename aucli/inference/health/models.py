"""The cache folder, and the models with the state of their checksums."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from aucli.config import ExtractConfig
from aucli.errors import AucliError
from aucli.inference.health.finding import Finding
from aucli.inference.health.machine import gib
from aucli.zoo.card import read_card
from aucli.zoo.catalogue import BUILTIN, Entry, Status, find, known
from aucli.zoo.default import default_model
from aucli.zoo.store import State, cache_folder, models_folder, verify

LITTLE_SPACE_BYTES = 6 * 2**30  # the largest published archive has 3.4 GB, and is unpacked beside itself


_WRONG = {
    State.MISSING: "its weights file is missing",
    State.CHANGED: "damaged: the weights are not the file that was installed (its sha256 differs)",
    State.UNRECORDED: "its card has no sha256 to check the weights with",
}


def models(config: ExtractConfig) -> list[Finding]:
    """Cache folder; the model that `extract` takes; each installed model; cards that cannot be read."""
    found = [_cache()]
    chosen = None
    try:
        chosen = find(config.model)
        details = {"model": config.model, "name": chosen.card.name, "weights": str(chosen.weights_path)}
        name = config.model if config.model == chosen.card.name else f"{config.model}: {chosen.card.name}"
        found.append(Finding("models", "default", "ok", name, details=details))
    except AucliError as error:
        repair = _way_back(config.model)
        found.append(Finding("models", "default", "fail", str(error), repair, {"model": config.model}))
    entries = {name: status for name, status in known().items() if status.entry is not None}
    found += [_checked(status, chosen) for status in entries.values()]
    if chosen is not None and chosen.card.name not in entries:  # a file of the user's own
        found.append(_checked(Status(chosen.card, "imported", chosen), chosen))
    return [*found, *_unreadable_cards()]


def _checked(status: Status, chosen: Entry | None) -> Finding:
    """The state of one model's checksum."""
    entry, name = status.entry, status.card.name
    assert entry is not None  # only installed ones come here
    state = verify(entry)
    size = entry.weights_path.stat().st_size if entry.weights_path.is_file() else None
    details = {
        "origin": status.origin,
        "checksum": state.value,
        "weights": str(entry.weights_path),
        "sha256": entry.card.sha256,
        "bytes": size,
        "licence": entry.card.licence,
    }
    if state is State.OK:
        return Finding("models", name, "ok", f"{status.origin}, checksum ok", details=details)
    repair = {
        "packaged": "install aucli again: pip install --force-reinstall --no-deps aucli",
        "published": f"aucli models pull {name}",
        "imported": f"aucli models import FILE --name {name}",
    }[status.origin]
    if chosen == entry:
        if status.origin != "packaged":
            repair += f"; or {_way_back(name)}"
        return Finding("models", name, "fail", _WRONG[state], repair, details)
    return Finding("models", name, "warn", _WRONG[state], repair, details)


def _way_back(model: str) -> str:
    """How to have another model than this one, which stands in a variable, a file or the record."""
    if os.environ.get("AUCLI_MODEL"):
        return "unset AUCLI_MODEL"
    if os.environ.get("AUCLI_CONFIG") and model != default_model():
        return f"take the line model = ... out of {os.environ['AUCLI_CONFIG']}"
    return f"aucli models use {BUILTIN}"


def _unreadable_cards() -> list[Finding]:
    """Cards in the cache that are no cards any more: their models do not exist to any command."""
    found = []
    for path in sorted(models_folder().glob("*.json")):
        try:
            read_card(path)
        except (AucliError, OSError) as error:
            repair = f"aucli models pull {path.stem}, or import its file again"
            found.append(Finding("models", path.stem, "warn", str(error), repair, {"card": str(path)}))
    return found


def _cache() -> Finding:
    folder = cache_folder()
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    details = {"folder": str(folder), "exists": folder.is_dir(), "free_bytes": None, "writable": False}
    repair = "AUCLI_CACHE=/a/folder/you/may/write; only `aucli models pull` and `import` need it"
    try:
        free = shutil.disk_usage(there).free
        details["free_bytes"] = free
        _try_to_write(there)
    except OSError as error:
        text = f"{folder}: cannot be written ({error.strerror or error})"
        return Finding("cache", "folder", "warn", text, repair, details)
    details["writable"] = True
    text = f"{folder}: {gib(free)} free" + ("" if folder.is_dir() else ", not made yet")
    if free < LITTLE_SPACE_BYTES:
        return Finding("cache", "folder", "warn", f"{text}, too little for large models", repair, details)
    return Finding("cache", "folder", "ok", text, details=details)


def _try_to_write(folder: Path) -> None:
    """Raises OSError where no file can be made in the folder; nothing is left there."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder")
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"aucli doctor")
        file.flush()

"""The authors' checkpoints: read without running anything in them, recognised, and installed."""

from __future__ import annotations

import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aucli.errors import CheckpointError, InputNotFoundError, UsageError
from aucli.zoo.archive import fold_in, is_archive, unpack
from aucli.zoo.card import Card
from aucli.zoo.catalogue import BUILTIN, packaged
from aucli.zoo.network import build, check_fits, fill, spec_of
from aucli.zoo.published import generic, published
from aucli.zoo.store import Entry, State, install, installed, scratch_folder, sha256_of, verify
from aucli.zoo.tensorflow import Bundle, index_of
from aucli_models import official, scc_official
from aucli_models.registry import ModelSpec, create_model

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_COUNTER = "num_batches_tracked"  # matters to training only
_PICKLE_BYTES = 2**24  # of a file that is no zip, searched for the reason why it is refused


def read_official(path: Path, shown: str | None = None) -> tuple[ModelSpec, dict[str, Tensor]]:
    """What network a checkpoint of the authors is for, and all its tensors under our keys, on the CPU.

    Takes `{'epoch', 'state_dict', 'optimizer'}` or a bare state dict, with or without `module.`; of SCC the
    `.index` file of TensorFlow's checkpoint.

    shown: how messages name the file.

    Raises:
        CheckpointError: damaged, no checkpoint, not of ME-GraphAU, OpenGraphAU, MDHR or SCC, or wants to run
            code;
            missing or surplus keys, other shapes, values that are not finite: named as the file names them.
    """
    shown = shown or str(path)
    spec, state = _recognised(path, shown)
    wanted = _from_ours(spec, create_model(spec).state_dict())
    check_fits({key: value for key, value in wanted.items() if not key.endswith(_COUNTER)}, state, shown)
    try:
        return spec, _to_ours(spec, state)
    except ValueError as error:
        raise CheckpointError(f"{shown}: {error}") from error


def _from_ours(spec: ModelSpec, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return scc_official.from_ours(state) if spec.system == "scc" else official.from_ours(spec, state)


def _to_ours(spec: ModelSpec, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return scc_official.to_ours(state) if spec.system == "scc" else official.to_ours(spec, state)


def official_entry(path: Path) -> Entry:
    """A checkpoint file as if it were installed: its card, with the sha256 of the file itself.

    Raises:
        CheckpointError: no checkpoint of the authors, see `read_official`; keys are not compared yet.
    """
    status = path.stat()
    return _entry(path, (status.st_ino, status.st_size, status.st_mtime_ns))


def import_file(path: str | Path, *, name: str | None = None) -> list[Entry]:
    """Install a checkpoint of the authors, or each one in their zip file, as safetensors with a card.

    path: the file; of a checkpoint of TensorFlow its name (`snapshot_10.ckpt`), or any of its files. Of it
        the index is recorded, which has the checksums of all values.

    name: what to call it; else the published name that fits the network and the fold in the file's name,
        else `SYSTEM_BACKBONE.SET_stageN`. A file that is installed already is not written again.

    Raises:
        InputNotFoundError: no such file.
        UsageError: a name that cannot be taken.
        CheckpointError: not a checkpoint that fits; the reason, and the keys that differ, are named.
        OutputError: the cache cannot be written.
    """
    path = Path(path)
    path = index_of(path) or path
    if not path.exists():
        raise InputNotFoundError(f"{path}: there is no such file")
    if path.is_dir() or not is_archive(path):
        return [_import_one(path, str(path), path.name, name, {})]
    archive = {"archive_sha256": sha256_of(path)}
    entries: list[Entry] = []
    with scratch_folder(f"import-{archive['archive_sha256'][:16]}") as folder:
        for file_name, checkpoint in unpack(path, folder):
            if name is not None and entries:
                raise UsageError(f"{path} has several checkpoints: import it without the name {name}")
            entries.append(_import_one(checkpoint, f"{path}: {file_name}", file_name, name, archive))
    return entries


def install_checkpoint(path: Path, card: Card, shown: str, recorded: Mapping[str, str]) -> Entry:
    """Install the checkpoint under that card, with all its tensors as float32.

    Raises:
        CheckpointError: see `read_official`; or a checkpoint of another network than the card's.
        OutputError: the cache cannot be written.
    """
    spec, tensors = read_official(path, shown)
    if spec != spec_of(card):
        raise CheckpointError(f"{shown}: a checkpoint of {_words(spec)}, not of {_words(spec_of(card))}")
    # Through the network: memory of its own for each tensor, in its type, and one more strict check.
    network = build(card)
    fill(network, tensors, shown)
    state = {key: value for key, value in network.state_dict().items() if not key.endswith(_COUNTER)}
    return install(card, state, recorded)


def _import_one(
    path: Path, shown: str, file_name: str, name: str | None, recorded: Mapping[str, str]
) -> Entry:
    spec, _ = _recognised(path, shown)
    card = _card(spec, shown, file_name, name)
    recorded = {"source_file": file_name, "source_sha256": sha256_of(path), **recorded}
    there = installed().get(card.name)
    if there is not None and there.card.recorded.get("source_sha256") != recorded["source_sha256"]:
        raise UsageError(
            f"{card.name} is installed already, from another file: import {shown} under another name "
            f"(--name), or remove {there.weights_path} and its .json first"
        )
    if there is not None and verify(there) is State.OK:
        return there
    note = (
        f"Imported from {file_name}. Whether it is the file that its authors published cannot be checked: "
        "they state no checksums."
    )
    return install_checkpoint(path, replace(card, notes=(*card.notes, note)), shown, recorded)


def _card(spec: ModelSpec, shown: str, file_name: str, name: str | None) -> Card:
    """The published card that fits network and name, else one that only says what the network is."""
    fitting = {key: card for key, card in published().items() if spec_of(card) == spec}
    fold = fold_in(file_name)
    card = next(
        (card for card in fitting.values() if card.fold in (None, fold)),
        _unpublished(spec, fold_in(name or file_name)),
    )
    if name is None or name == card.name:
        return card
    if name in fitting:
        return fitting[name]
    if name in published():
        raise UsageError(f"{name} is the name of another published model; {shown} is {_words(spec)}")
    if name in (BUILTIN, *packaged()):
        raise UsageError(f"{name} is the name of a model in the package: choose another name")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a model: use letters, digits, dots, - and _, at most 100")
    return replace(card, name=name, weights=f"{name}.safetensors")


def _unpublished(spec: ModelSpec, fold: int | None) -> Card:
    """The card of a network whose authors publish no weights; the file's name may say the fold."""
    card = generic(spec.system, spec.backbone, spec.au_set, spec.stage)
    if not card.reads_clips or fold is None:
        return card
    name = f"{card.name}_fold{fold}"
    return replace(card, name=name, weights=f"{name}.safetensors", fold=fold)


@lru_cache(maxsize=16)
def _entry(path: Path, _status: tuple[int, int, int]) -> Entry:
    """Remembered while the file is the same: to look at it takes seconds."""
    if is_archive(path):
        raise CheckpointError(f"{path}: a zip of several checkpoints; run `aucli models import {path}`")
    spec, _ = _recognised(path, str(path))
    card = _card(spec, str(path), path.name, None)
    digest = sha256_of(path)
    recorded = {"source_file": path.name, "source_sha256": digest}
    return Entry(replace(card, weights=path.name, sha256=digest, recorded=recorded), path)


def _recognised(path: Path, shown: str) -> tuple[ModelSpec, dict[str, Tensor]]:
    """The network of a checkpoint, and its tensors under the authors' keys without `module.`."""
    try:
        if path.suffix == ".index":
            return _of_tensorflow(path, shown)
        state = official.strip_module(_state_dict(path, shown))
        state = {key: value for key, value in state.items() if not key.endswith(_COUNTER)}
        return official.recognise(state), state
    except ValueError as error:
        raise error if isinstance(error, CheckpointError) else CheckpointError(f"{shown}: {error}") from error


def _of_tensorflow(path: Path, shown: str) -> tuple[ModelSpec, dict[str, Tensor]]:
    bundle = Bundle(path, shown)
    spec = scc_official.recognise({name: variable.shape for name, variable in bundle.variables.items()})
    names = [name for name in bundle.variables if not scc_official.is_training_state(name)]
    # A copy: the bytes of a file cannot be written to.
    return spec, {name: torch.from_numpy(bundle.array(name).copy()) for name in names}


def _state_dict(path: Path, shown: str) -> dict[str, Tensor]:
    content = _unpickled(path, shown)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError(f"{shown}: there are no weights in it, only a {type(content).__name__}")
    for key, value in state.items():
        # A small file can describe a tensor of any size whose elements lie in the same place.
        if (
            not isinstance(key, str)
            or not isinstance(value, Tensor)
            or value.layout != torch.strided
            or value.is_quantized
            or value.numel() * value.element_size() > value.untyped_storage().nbytes()
        ):
            raise CheckpointError(f"{shown}: {key!r} in it is no plain tensor, so this is no state dict")
    return dict(state)


def _unpickled(path: Path, shown: str) -> Any:
    if path.is_dir():
        raise CheckpointError(f"{shown}: a folder is no checkpoint; give the .pth file in it")
    try:
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _check_zip(path, shown)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats; what matters is raised
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{shown}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a pickle that is none can fail in any way
        raise CheckpointError(f"{shown}: {_reason(path, str(error))}") from error


def _check_zip(path: Path, shown: str) -> None:
    """Compare the checksums that torch writes into its files; `torch.load` does not."""
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise CheckpointError(f"{shown}: not written by torch.save (its parts are compressed)")
        bad = archive.testzip()
    if bad is not None:
        raise CheckpointError(f"{shown}: damaged, the checksum of its part {bad} differs; fetch it again")


def _reason(path: Path, message: str) -> str:
    if ".tar format" in message:
        return "in the tar format of torch before 0.1.10, which cannot be read without running its code"
    named = re.search(r"GLOBAL (\S+)", message)
    called = named[1] if named else None
    if "Unsupported operand" in message or "unrecognized function" in message:
        called = _called(path)
    if called:
        return f"refused, because reading it would run code that it names ({called}); weights need none"
    return "damaged, or no checkpoint of torch"


def _called(path: Path) -> str | None:
    """What the pickle looks up first beyond torch's own parts; None if nothing, or if it is no pickle."""
    words: list[str] = []
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                data = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
        else:
            with path.open("rb") as file:
                data = file.read(_PICKLE_BYTES)
        for opcode, argument, _ in pickletools.genops(data):
            if isinstance(argument, str):
                words.append(argument)
            if opcode.name in {"GLOBAL", "INST", "STACK_GLOBAL"}:
                name = ".".join(words[-2:]) if opcode.name == "STACK_GLOBAL" else words[-1].replace(" ", ".")
                if not name.startswith(("torch.", "collections.")):
                    return name
    except (ValueError, StopIteration, zipfile.BadZipFile):
        return None
    return None


def _words(spec: ModelSpec) -> str:
    return f"{spec.system} stage {spec.stage} on {spec.backbone} for {spec.au_set} ({len(spec.au_names)} AUs)"

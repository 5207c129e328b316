"""TensorFlow's checkpoints, read without TensorFlow and without believing anything they say.

A checkpoint `NAME` is `NAME.index`, a sorted table of names in LevelDB's form, and `NAME.data-00000-of-00001`
or more such shards with the values as they lie in memory. Nothing in either is a program. Every length is
compared with what is there before it is used, and every checksum with the bytes.

Source: the comments of TensorFlow's `tensor_bundle.proto`, `tensor_bundle.cc` and `table/format.cc`,
LevelDB's `doc/table_format.md`, and the encoding of protocol buffers.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aucli.errors import CheckpointError
from aucli.zoo.crc32c import crc32c, masked

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_MOST_INDEX_BYTES = 2**26  # SCC's has 40 kB
_MOST_VARIABLES = 100_000
_MOST_SHARDS = 1000
_PARTS = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}  # of `types.proto`


@dataclass(frozen=True)
class Variable:
    """Where a variable lies. offset, size: in bytes, in the shard. checksum: masked CRC-32C."""

    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int


def index_of(path: Path) -> Path | None:
    """The index of the checkpoint that `path` names: `NAME`, or any of its files; None if there is none."""
    stem = path.with_name(_PARTS.sub("", path.name))
    index = stem.with_name(f"{stem.name}.index")
    return index if index.is_file() and (path in (index, stem) or path.is_file()) else None


class Bundle:
    """The variables of a checkpoint by name; values are read when asked for.

    index: its `.index` file. shown: how messages name it.

    Raises:
        CheckpointError: no such table, damaged, a shard is missing or shorter than it must be, or a form that
            is not read: big-endian, compressed, sliced variables.
    """

    def __init__(self, index: Path, shown: str | None = None) -> None:
        self._shown = shown or str(index)
        self._stem = index.with_name(index.name.removesuffix(".index"))
        try:
            self.variables, shards = self._read_index(index)
            self._sizes = [self._shard(number, shards).stat().st_size for number in range(shards)]
        except FileNotFoundError as error:
            raise CheckpointError(f"{self._shown}: {error.filename} is missing beside it") from error
        except OSError as error:
            raise CheckpointError(f"{self._shown}: cannot be read: {error.strerror or error}") from error
        self._check_places()

    def array(self, name: str) -> NDArray[np.generic]:
        """The values of a variable.

        Raises:
            CheckpointError: they cannot be read, or their checksum differs.
        """
        variable = self.variables[name]
        try:
            with self._shard(variable.shard, len(self._sizes)).open("rb") as file:
                file.seek(variable.offset)
                data = file.read(variable.size)
        except OSError as error:
            raise CheckpointError(f"{self._shown}: cannot be read: {error.strerror or error}") from error
        if len(data) != variable.size or masked(crc32c(data)) != variable.checksum:
            raise CheckpointError(f"{self._shown}: damaged, the checksum of {name} differs; fetch it again")
        return np.frombuffer(data, variable.dtype).reshape(variable.shape)

    def _read_index(self, path: Path) -> tuple[dict[str, Variable], int]:
        if path.stat().st_size > _MOST_INDEX_BYTES:
            raise CheckpointError(
                f"{self._shown}: refused, its index has more than {_MOST_INDEX_BYTES} bytes"
            )
        try:
            entries = dict(_table(path.read_bytes()))
            header = _header(entries.pop(b"", b""))
            if len(entries) > _MOST_VARIABLES or not 0 < header <= _MOST_SHARDS:
                raise ValueError(f"{len(entries)} variables in {header} shards")
            return {name.decode(): _variable(value, name) for name, value in entries.items()}, header
        except (ValueError, IndexError, struct.error) as error:
            raise CheckpointError(
                f"{self._shown}: damaged, or no checkpoint of TensorFlow that is read here ({error})"
            ) from error

    def _check_places(self) -> None:
        for name, variable in self.variables.items():
            if variable.shard >= len(self._sizes):
                raise CheckpointError(f"{self._shown}: {name} lies in a shard that is not there")
            if variable.offset + variable.size > self._sizes[variable.shard]:
                raise CheckpointError(
                    f"{self._shown}: damaged, {name} ends behind the end of its shard; fetch it again"
                )
        # Else a small file could describe any number of variables that all lie in the same place.
        if sum(variable.size for variable in self.variables.values()) > sum(self._sizes):
            raise CheckpointError(f"{self._shown}: refused, its variables overlap")

    def _shard(self, number: int, shards: int) -> Path:
        return self._stem.with_name(f"{self._stem.name}.data-{number:05d}-of-{shards:05d}")


# -- the table ---------------------------------------------------------------------------------


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a table in LevelDB's form, in their order."""
    if len(data) < _FOOTER_BYTES or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
        raise ValueError("it does not end as a table does")
    footer = data[-_FOOTER_BYTES:-8]
    _, _, place = _handle(footer, 0)  # of the meta blocks, which say nothing here
    start, size, _ = _handle(footer, place)
    previous: bytes | None = None
    for _, handle in _block(data, start, size):
        start, size, _ = _handle(handle, 0)
        for key, value in _block(data, start, size):
            if previous is not None and key <= previous:
                raise ValueError("its names are not in order")
            previous = key
            yield key, value


def _block(data: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    stop = start + size
    if stop + 5 > len(data):
        raise ValueError("a block ends behind the end of the file")
    if data[stop] != 0:
        raise ValueError("a block is compressed, which TensorFlow's own writer does not do")
    if masked(crc32c(data[start : stop + 1])) != struct.unpack_from("<I", data, stop + 1)[0]:
        raise ValueError("the checksum of a block differs")
    restarts = struct.unpack_from("<I", data, stop - 4)[0] if size >= 4 else 0
    end = stop - 4 - 4 * restarts
    if size < 4 or end < start:
        raise ValueError("a block is shorter than it says")
    key, place = b"", start
    while place < end:
        shared, place = _varint(data, place, end)
        unshared, place = _varint(data, place, end)
        length, place = _varint(data, place, end)
        if shared > len(key) or place + unshared + length > end:
            raise ValueError("an entry is longer than its block")
        key = key[:shared] + data[place : place + unshared]
        place += unshared
        yield key, data[place : place + length]
        place += length


def _handle(data: bytes, place: int) -> tuple[int, int, int]:
    """Start and size of a block, and the place behind its handle."""
    start, place = _varint(data, place, len(data))
    size, place = _varint(data, place, len(data))
    return start, size, place


def _varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if place >= end:
            raise ValueError("a number is cut off")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place
    raise ValueError("a number has more than 64 bits")


# -- the entries -------------------------------------------------------------------------------


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of the fields of a protocol buffer."""
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place, end)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(message, place, end)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, place = _varint(message, place, end)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if place + length > end:
            raise ValueError("a field is longer than its message")
        part = message[place : place + length]
        place += length
        yield tag >> 3, part if kind == 2 else int.from_bytes(part, "little")


def _header(message: bytes) -> int:
    """Number of shards."""
    values = dict(_fields(message))
    if values.get(2, 0):
        raise ValueError("written on a big-endian machine")
    return _number(values, 1)


def _variable(message: bytes, name: bytes) -> Variable:
    values = dict(_fields(message))
    shown = name.decode()
    if 7 in values:
        raise ValueError(f"{shown} is saved in slices")
    dtype = _DTYPES.get(_number(values, 1))
    if dtype is None:
        raise ValueError(f"{shown} is of type {_number(values, 1)}, not a number")
    shape = tuple(_dimensions(values.get(2, b"")))
    variable = Variable(
        dtype,
        shape,
        shard=_number(values, 3),
        offset=_number(values, 4),
        size=_number(values, 5),
        checksum=_number(values, 6),
    )
    if prod(shape) * np.dtype(dtype).itemsize != variable.size:
        raise ValueError(f"{shown} has {variable.size} bytes for the shape {shape}")
    return variable


def _dimensions(message: int | bytes) -> Iterator[int]:
    if not isinstance(message, bytes):
        raise ValueError("a shape is no message")
    for number, part in _fields(message):
        if number == 3:
            raise ValueError("a shape is not known")
        if number == 2 and isinstance(part, bytes):
            size = _number(dict(_fields(part)), 1)
            if size > 2**40:  # also what is negative
                raise ValueError("a dimension is too large")
            yield size


def _number(values: Mapping[int, int | bytes], field: int) -> int:
    """A number field; 0, the default of protocol buffers, where it is not there."""
    value = values.get(field, 0)
    if isinstance(value, bytes):
        raise ValueError(f"field {field} is no number")
    return value

"""TensorFlow's checkpoint files, written byte by byte from the descriptions of their formats.

Table: LevelDB's doc/table_format.md. Entries: the messages of TensorFlow's tensor_bundle.proto, as protocol
buffers are encoded. TensorFlow itself is not needed, and the reader under test has no part in it but for the
checksum, which has tests of its own.
"""

import struct

import numpy as np

from aucli.zoo.crc32c import crc32c

MAGIC = 0xDB4775248B80FB57
TYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "float16": 19}
_ENTRIES_BETWEEN_RESTARTS = 16


def masked(data):
    checksum = crc32c(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def message(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def header(shards=1, endianness=0):
    return number(1, shards) + number(2, endianness) + message(3, number(1, 1))


def entry(dtype, shape, shard, offset, size, checksum):
    dimensions = b"".join(message(2, number(1, side)) for side in shape)
    fixed = varint(6 << 3 | 5) + struct.pack("<I", checksum)
    return (
        number(1, dtype)
        + message(2, dimensions)
        + number(3, shard)
        + number(4, offset)
        + number(5, size)
        + fixed
    )


def block(pairs):
    """Entries with what their key shares with the one before, then the places that share nothing."""
    out, restarts, previous = b"", [], b""
    for place, (key, value) in enumerate(pairs):
        shared = 0
        if place % _ENTRIES_BETWEEN_RESTARTS == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(previous)) and key[shared] == previous[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        previous = key
    restarts = restarts or [0]
    return out + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))


def table(pairs, per_block=40, compression=0):
    """A whole `.index` file of (key, value) pairs in order."""
    out, handles = b"", []

    def add(content):
        nonlocal out
        kind = bytes([compression])
        handle = varint(len(out)) + varint(len(content))
        out += content + kind + struct.pack("<I", masked(content + kind))
        return handle

    for start in range(0, len(pairs), per_block):
        part = pairs[start : start + per_block]
        handles.append((part[-1][0], add(block(part))))
    footer = add(block([])) + add(block(handles))
    return out + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def save(stem, variables, shards=1, change=None):
    """`stem.index` and its shards with these arrays by name; `change` may edit the table's pairs."""
    data = [bytearray() for _ in range(shards)]
    pairs = [(b"", header(shards))]
    for place, name in enumerate(sorted(variables, key=str.encode)):
        value = np.asarray(variables[name], order="C")
        raw, shard = value.tobytes(), place % shards
        place_of = len(data[shard])
        pairs.append(
            (
                name.encode(),
                entry(TYPES[str(value.dtype)], value.shape, shard, place_of, len(raw), masked(raw)),
            )
        )
        data[shard] += raw
    for shard, content in enumerate(data):
        stem.with_name(f"{stem.name}.data-{shard:05d}-of-{shards:05d}").write_bytes(content)
    index = stem.with_name(f"{stem.name}.index")
    index.write_bytes(table(change(pairs) if change else pairs))
    return index

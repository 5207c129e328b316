"""CRC-32C (Castagnoli) of many bytes at once: the checksum in TensorFlow's checkpoints.

Data are cut into equal lanes whose checksums advance together in NumPy, four bytes of each at a time; then
neighbours are joined: the checksum of `ab` is that of `a`, moved on by the length of `b`, xor that of `b`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_MOST_LANES, _LANE_BYTES, _SHORT = 1 << 13, 1 << 12, 1 << 10

_Words = NDArray[np.uint32]


def crc32c(data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> int:
    """The checksum of the bytes, as RFC 3720 defines it; 0 of none."""
    values = np.frombuffer(data, np.uint8)
    total, block = 0, _MOST_LANES * _LANE_BYTES
    for start in range(0, len(values), block):
        part = values[start : start + block]
        total = _joined(total, _of_block(part), len(part))
    return total


def masked(checksum: int) -> int:
    """As LevelDB and TensorFlow store it, so that data may hold their own checksums."""
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _of_block(values: NDArray[np.uint8]) -> int:
    if len(values) < _SHORT:
        return _byte_by_byte(values)
    lanes = min(_MOST_LANES, 1 << (len(values) // 64).bit_length())
    length = len(values) // lanes // 4 * 4
    states = _of_lanes(values[: lanes * length].reshape(lanes, length))
    while len(states) > 1:
        states = _moved(states[::2], length) ^ states[1::2]
        length *= 2
    rest = values[length:]
    return _joined(int(states[0]), _of_block(rest), len(rest))


def _byte_by_byte(values: NDArray[np.uint8]) -> int:
    table, state = _tables()[0], 0xFFFFFFFF
    for value in values.tolist():
        state = int(table[(state ^ value) & 0xFF]) ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def _of_lanes(lanes: NDArray[np.uint8]) -> _Words:
    """Of each row, whose length is a multiple of four: uint32 (rows,)."""
    words = np.ascontiguousarray(np.ascontiguousarray(lanes).view("<u4").T)
    first, second, third, fourth = _tables()
    states = np.full(len(lanes), 0xFFFFFFFF, np.uint32)
    for word in words:
        states ^= word
        states = (
            fourth[states & 0xFF]
            ^ third[(states >> 8) & 0xFF]
            ^ second[(states >> 16) & 0xFF]
            ^ first[states >> 24]
        )
    return states ^ np.uint32(0xFFFFFFFF)


@cache
def _tables() -> tuple[_Words, _Words, _Words, _Words]:
    """What a byte becomes after one, two, three and four bytes."""
    first = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        first = np.where(first & 1, (first >> 1) ^ np.uint32(_POLYNOMIAL), first >> 1)
    second = first[first & 0xFF] ^ (first >> 8)
    third = first[second & 0xFF] ^ (second >> 8)
    return first, second, third, first[third & 0xFF] ^ (third >> 8)


def _joined(first: int, second: int, second_bytes: int) -> int:
    return int(_moved(np.array([first], np.uint32), second_bytes)[0]) ^ second


def _moved(states: _Words, count: int) -> _Words:
    """Checksums after `count` further bytes of zeros, but for what the zeros themselves add."""
    power = 0
    while count:
        if count & 1:
            states = _times(_zeros(power), states)
        count >>= 1
        power += 1
    return states


@cache
def _zeros(power: int) -> _Words:
    """What each of the 32 bits of a state becomes after 2 ** power bytes of zeros: uint32 (32,)."""
    if power:
        half = _zeros(power - 1)
        return _times(half, half)
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    moved: _Words = _tables()[0][bits & 0xFF] ^ (bits >> 8)
    return moved


def _times(matrix: _Words, states: _Words) -> _Words:
    found = np.zeros_like(states)
    for bit in range(32):
        found ^= np.where((states >> bit) & 1, matrix[bit], np.uint32(0))
    return found

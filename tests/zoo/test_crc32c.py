"""CRC-32C against published values, and against the definition, bit by bit."""

import numpy as np
import pytest

from aucli.zoo.crc32c import crc32c, masked


def bit_by_bit(data):
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def test_published_values():
    """RFC 3720, section B.4, and the check value of the catalogue of CRCs."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"") == 0


@pytest.mark.parametrize("length", [1, 63, 1023, 1024, 1025, 4099, 65_537])
def test_against_the_definition(length):
    data = np.random.default_rng(length).integers(0, 256, length, np.uint8)
    assert crc32c(data) == bit_by_bit(data.tobytes())


def test_more_than_one_block(monkeypatch):
    monkeypatch.setattr("aucli.zoo.crc32c._MOST_LANES", 8)
    monkeypatch.setattr("aucli.zoo.crc32c._LANE_BYTES", 256)
    data = np.random.default_rng(0).integers(0, 256, 5 * 8 * 256 + 1500, np.uint8)
    assert crc32c(data) == bit_by_bit(data.tobytes())


def test_masked():
    assert masked(0) == 0xA282EAD8
    assert masked(crc32c(b"foo")) != crc32c(b"foo")
    rotated = (masked(0xE3069283) - 0xA282EAD8) & 0xFFFFFFFF
    assert ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF == 0xE3069283

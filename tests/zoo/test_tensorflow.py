"""TensorFlow checkpoints: read as they were written, refused where anything in them does not fit."""

import struct

import numpy as np
import pytest

from aucli.errors import CheckpointError
from aucli.zoo.tensorflow import Bundle, index_of
from tests.zoo import bundles


def arrays():
    rng = np.random.default_rng(0)
    found = {
        f"block{block}/unit_{unit}/conv/weights": rng.standard_normal((1, 1, block + 1, unit)).astype("f4")
        for block in range(12)
        for unit in range(1, 9)
    }
    extra = {
        "beta1_power": np.float32(0.9),
        "steps": np.array([7], np.int64),
        "half": rng.standard_normal(5).astype("f2"),
        "double": rng.standard_normal((2, 3)),
        "nothing": np.zeros((0, 4), np.float32),
    }
    return found | {name: np.asarray(value) for name, value in extra.items()}


@pytest.mark.parametrize("shards", [1, 3])
def test_what_was_written_is_read(tmp_path, shards):
    """Several blocks, names that share beginnings, scalars, empty ones, other types, several shards."""
    want = arrays()
    bundle = Bundle(bundles.save(tmp_path / "snapshot_10.ckpt", want, shards))
    assert list(bundle.variables) == sorted(want)
    for name, value in want.items():
        got = bundle.array(name)
        assert (got.dtype, got.shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(got, value)


def test_its_name_and_each_of_its_files_lead_to_the_index(tmp_path):
    index = bundles.save(tmp_path / "snapshot_10.ckpt", arrays())
    (tmp_path / "snapshot_10.ckpt.meta").write_bytes(b"a graph, which nobody reads")
    for name in ("", ".index", ".meta", ".data-00000-of-00001"):
        assert index_of(tmp_path / f"snapshot_10.ckpt{name}") == index
    assert index_of(tmp_path / "snapshot_10.ckpt.data-00001-of-00002") is None
    assert index_of(tmp_path / "snapshot_1.ckpt") is None
    assert index_of(tmp_path) is None


def renamed(before, after):
    return lambda pairs: sorted((after if key == before else key, value) for key, value in pairs)


def replaced(name, value):
    return lambda pairs: [(key, value if key == name else old) for key, old in pairs]


STEPS = (9, (1,), 0, 0, 8, 0)  # type, shape, shard, offset, size, checksum


def steps(**changes):
    names = ("dtype", "shape", "shard", "offset", "size", "checksum")
    return replaced(b"steps", bundles.entry(**(dict(zip(names, STEPS, strict=True)) | changes)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (steps(offset=2**40), "steps ends behind the end of its shard"),
        (steps(offset=2**64 - 4), "steps ends behind the end of its shard"),
        (steps(shard=1), "steps lies in a shard that is not there"),
        (steps(size=16), r"steps has 16 bytes for the shape \(1,\)"),
        (steps(shape=(2**41,), size=2**44), "a dimension is too large"),
        (steps(shape=(2**64 - 1,)), "a dimension is too large"),
        (steps(dtype=7), "steps is of type 7, not a number"),
        (replaced(b"steps", bundles.entry(*STEPS) + bundles.message(7, b"")), "steps is saved in slices"),
        (replaced(b"steps", b"\x0a\x7f"), "a field is longer than its message"),
        (replaced(b"steps", b"\x0b"), "unknown kind 3"),
        (replaced(b"steps", b"\x08" + b"\xff" * 10), "a number has more than 64 bits"),
        (replaced(b"steps", b"\x08\xff"), "a number is cut off"),
        (replaced(b"steps", bundles.message(1, b"x")), "field 1 is no number"),
        (replaced(b"steps", bundles.number(1, 9) + bundles.number(2, 3)), "a shape is no message"),
        (replaced(b"", bundles.header(endianness=1)), "big-endian"),
        (replaced(b"", bundles.header(shards=5000)), "5000 shards"),
        (replaced(b"", b""), "0 shards"),
        (lambda pairs: pairs[::-1], "not in order"),
        (lambda pairs: [*pairs[:5], *pairs[4:]], "not in order"),
        (renamed(b"steps", b"\xff\xfe"), "codec can't decode"),
    ],
)
def test_entries_that_do_not_fit(tmp_path, change, message):
    with pytest.raises(CheckpointError, match=message):
        Bundle(bundles.save(tmp_path / "m.ckpt", arrays(), change=change))


def test_many_variables_in_the_same_place_are_refused(tmp_path):
    """A file of some kilobytes that would take all memory."""

    def change(pairs):
        large = bundles.entry(1, (1000,), 0, 0, 4000, 0)
        return pairs[:1] + [(f"copy{place:05d}".encode(), large) for place in range(1000)]

    index = bundles.save(tmp_path / "m.ckpt", {"weights": np.zeros(1000, np.float32)}, change=change)
    with pytest.raises(CheckpointError, match="refused, its variables overlap"):
        Bundle(index)


def test_values_whose_checksum_differs(tmp_path):
    bundle = Bundle(bundles.save(tmp_path / "m.ckpt", {"weights": np.arange(100, dtype=np.float32)}))
    shard = tmp_path / "m.ckpt.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[200] ^= 1
    shard.write_bytes(data)
    with pytest.raises(CheckpointError, match="the checksum of weights differs"):
        bundle.array("weights")
    shard.write_bytes(data[:300])
    with pytest.raises(CheckpointError, match="the checksum of weights differs"):
        bundle.array("weights")


def test_a_missing_shard_is_named(tmp_path):
    index = bundles.save(tmp_path / "m.ckpt", arrays(), 2)
    (tmp_path / "m.ckpt.data-00001-of-00002").unlink()
    with pytest.raises(CheckpointError, match=r"m\.ckpt\.data-00001-of-00002 is missing beside it"):
        Bundle(index)


def test_every_cut_and_many_changed_bytes_are_refused(tmp_path):
    """No other error than the one that is told, whatever is wrong with the index."""
    index = bundles.save(tmp_path / "m.ckpt", {f"v{place}": np.zeros(2, np.float32) for place in range(9)})
    whole = index.read_bytes()
    for length in range(len(whole)):
        index.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            Bundle(index)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x81
        index.write_bytes(changed)
        try:
            found = Bundle(index)
        except CheckpointError:
            continue
        # Only the padding of the footer, and the block that says nothing, are not looked at.
        assert sorted(found.variables) == [f"v{number}" for number in range(9)]


def test_compressed_blocks_and_other_files(tmp_path):
    index = bundles.save(tmp_path / "m.ckpt", {"v": np.zeros(2, np.float32)})
    index.write_bytes(bundles.table([(b"", bundles.header())], compression=1))
    with pytest.raises(CheckpointError, match="compressed"):
        Bundle(index)
    content = bundles.block([(b"", bundles.header())])
    for handle in (bundles.varint(0) + bundles.varint(2**62), bundles.varint(2**63) + bundles.varint(8)):
        footer = (bundles.varint(0) * 2 + handle).ljust(40, b"\0") + struct.pack("<Q", bundles.MAGIC)
        index.write_bytes(content + footer)
        with pytest.raises(CheckpointError, match="a block ends behind the end of the file"):
            Bundle(index)
    index.write_bytes(b"all: \n\techo\n" * 20)
    with pytest.raises(CheckpointError, match="does not end as a table does"):
        Bundle(index)

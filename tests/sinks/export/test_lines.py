"""Text made of columns says the same as the columns."""

import csv
import io

import numpy as np
import pyarrow as pa
import pytest

from aucli.sinks.export.lines import as_text, join, quoted


@pytest.mark.parametrize(("kind", "bits"), [(np.float32, np.uint32), (np.float64, np.uint64)])
def test_each_float_comes_back_to_the_last_bit(kind, bits):
    rng = np.random.default_rng(5)
    values = rng.integers(0, np.iinfo(bits).max, 20_000, dtype=bits).view(kind)
    values = np.concatenate(
        [values[np.isfinite(values)], rng.random(5000, kind), [0, -0.0, 1e10, 9999999999]]
    )
    values = values.astype(kind)
    text = as_text(pa.array(values)).to_pylist()
    again = np.array([kind(float(one)) if kind is np.float64 else np.float32(one) for one in text], kind)
    assert again.tobytes() == values.tobytes()


def test_whole_floats_are_seen_to_be_floats():
    values = pa.array([0.0, 1.0, -3.0, 100000.0, 123456789.0, 9999999999.0, 1e10, 1e300, 0.5])
    for text in as_text(values).to_pylist():
        assert "." in text or "e" in text, text
    assert as_text(pa.array([0.0, 0.1], pa.float32())).to_pylist() == ["0.0", "0.1"]


def test_what_is_no_number_is_nothing():
    values = pa.array([None, np.nan, np.inf, -np.inf, 1.5], pa.float32(), from_pandas=False)
    assert as_text(values).to_pylist() == [None, None, None, None, "1.5"]


def test_flags_and_whole_numbers():
    assert as_text(pa.array([True, None, False])).to_pylist() == ["true", None, "false"]
    assert as_text(pa.array([7, None, -1], pa.int32())).to_pylist() == ["7", None, "-1"]


def test_rows_are_joined_with_what_stands_between():
    texts = pa.array(["a", None, "ü"])
    assert bytes(join(["<", texts, "|", texts, ">\n"], null="-")) == "<a|a>\n<-|->\n<ü|ü>\n".encode()
    assert bytes(join([texts.slice(1, 2), "\n"])) == "\nü\n".encode()
    assert bytes(join([texts.slice(0, 0), "\n"])) == b""


@pytest.mark.parametrize(
    "text",
    [
        "plain.mp4",
        "a, b.mp4",
        'the "first".mp4',
        "two\nlines.mp4",
        " begins and ends ",
        "cr\r",
        "",
        "日本語.mp4",
    ],
)
def test_a_field_is_read_by_the_standard_library_as_it_was(text):
    (row,) = csv.reader(io.StringIO(f"{quoted(text)},next\n", newline=""))
    assert row == [text, "next"]

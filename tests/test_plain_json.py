import json
import os

import pytest

from aucli.plain_json import json_bytes, read_json


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_json_that_is_nested_too_deep_is_a_value_error(text):
    with pytest.raises(ValueError, match="nested too deep"):
        read_json(text)


def test_other_json_is_read_as_ever():
    assert read_json(b'{"a": [1, null, "\xc3\xa9"]}') == {"a": [1, None, "é"]}
    with pytest.raises(json.JSONDecodeError):
        read_json("nothing")


def test_names_of_files_come_back_byte_by_byte():
    name = os.fsdecode("é😀".encode() + b"\xe9\xff.mp4")
    written = json_bytes({"path": name}, indent=1)
    assert "é😀".encode() in written, "letters stand as they are"
    assert b"\\udce9\\udcff" in written
    assert os.fsencode(json.loads(written.decode("utf-8"))["path"]) == os.fsencode(name)
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_bytes(float("nan"))

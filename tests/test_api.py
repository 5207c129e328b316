"""`import aucli`: the command as a function."""

from pathlib import Path

import pytest

import aucli
from aucli.errors import InputNotFoundError, UsageError

CLIP = Path(aucli.__file__).parent / "examples" / "smile.mp4"


def test_a_table_and_a_report_without_naming_an_output():
    result = aucli.extract(CLIP, every=20, end="0:02")
    assert [entry.video for entry in result.report.entries] == ["smile.mp4"]
    assert result.table.num_rows == result.report.entries[0].rows > 0
    assert max(result.table["time_s"].to_pylist()) < 2.0
    assert result.exit_code == 0


def test_a_named_output_is_kept(tmp_path):
    result = aucli.extract([CLIP], output=tmp_path / "out.parquet", every=30)
    assert result.output == tmp_path / "out.parquet"
    assert result.output.exists()


def test_wrong_calls_say_what_to_write():
    with pytest.raises(UsageError, match="did you mean every"):
        aucli.extract(CLIP, evry=2)
    with pytest.raises(UsageError, match="--every 0"):
        aucli.extract(CLIP, every=0)
    with pytest.raises(FileNotFoundError):
        aucli.extract("none.mp4")
    with pytest.raises(InputNotFoundError):
        aucli.extract(["none.mp4"])
    with pytest.raises(ValueError, match="no input"):
        aucli.extract([])

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["out.parquet", "out"])
def moments(request, tmp_path_factory):
    """One entry per moment of the kill; the last is the run that was over before its kill."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sinks.killed_runs", tmp_path_factory.mktemp("runs"), request.param],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_kills_cover_the_whole_run(moments):
    assert [moment["status"] for moment in moments] == [-9] * (len(moments) - 1) + [0]
    assert len(moments) > 30
    assert {len(moment["recorded"]) for moment in moments} == {0, 1, 2}


def test_the_files_are_those_of_a_run_without_a_kill(moments):
    undisturbed = moments[-1]["files"]
    assert len(undisturbed) in (2, 3)
    for moment in moments:
        assert moment["files"] == undisturbed


def test_nothing_is_done_twice(moments):
    for moment in moments:
        assert not set(moment["done_after"]) & set(moment["recorded"])
        # Only the video of the moment of the kill is done again.
        assert len(set(moment["done_after"]) & set(moment["done_before"])) <= 1
        assert set(moment["done_after"]) | set(moment["recorded"]) == {"a.mp4", "b.mp4"}

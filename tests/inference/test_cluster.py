"""`--engine dask` on a real cluster of two nodes, one of which dies: the same bytes as on one machine."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytest.importorskip("distributed")

from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.errors import CheckpointError, DeviceError, OutputError, UsageError
from aucli.inference.cluster import _Run, cluster_for
from aucli.inference.cluster_worker import publish
from aucli.inference.events import VideoStarted, WorkerLost
from aucli.inference.extract import run_extract
from aucli.inference.extract_plan import plan_extract
from aucli.inference.supervisor import Task
from aucli.inference.task import VideoTask
from tests.clips import RECIPES, pan_over, photo_astronaut, truncate
from tests.inference.dask_cluster import cluster

CONFIG = ExtractConfig()


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Five small clips, one truncated, and one that is none; relative to the folder that tests run in."""
    folder = tmp_path_factory.mktemp("study") / "videos"
    folder.mkdir()
    frames = list(pan_over(photo_astronaut(), 160, 160, 6))
    for name in "abcd":
        RECIPES["cfr_mp4"].write(folder / f"{name}.mp4", frames)
    truncate(RECIPES["fragmented_mp4"].write(folder / "e.mp4", frames), 0.6)
    (folder / "text.mp4").write_text("these are words\n" * 50)
    return folder


@pytest.fixture(scope="module")
def alone(videos, tmp_path_factory):
    """The run on one machine."""
    output = tmp_path_factory.mktemp("alone") / "out.parquet"
    return run_extract([videos], output, ExtractConfig(jobs=1))


def test_a_node_dies_in_the_middle(videos, alone, tmp_path, monkeypatch):
    """Its video goes to the other node; bytes, report and what is left are those of one machine."""
    monkeypatch.chdir(videos.parent)  # the workers run in another folder than the command
    events = []
    with cluster(tmp_path, 2) as (address, nodes):

        def watch(event):
            events.append(event)
            started = [event for event in events if isinstance(event, VideoStarted)]
            if len(started) == 3 and nodes[0].poll() is None:
                nodes[0].send_signal(signal.SIGKILL)

        result = run_extract(
            ["videos"],
            tmp_path / "out.parquet",
            CONFIG,
            engine="dask",
            scheduler=address,
            on_event=watch,
        )
        assert nodes[0].wait(10) == -signal.SIGKILL
        assert any(isinstance(event, WorkerLost) and event.retry for event in events)
        _same(result, alone)
        assert {entry.path for entry in result.report.entries} == {
            f"videos/{n}.mp4" for n in (*"abcde", "text")
        }
        assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.parquet", "out.report.json"]


def made_up(names, folder):
    """Tasks for `dask_functions`, with paths relative to this process's folder."""
    return [
        Task(
            name,
            VideoTask(
                Source(Path("videos") / name, name),
                name,
                folder / f"{name}.arrows",
                folder / f"{name}.parquet",
            ),
            weight=number,
        )
        for number, name in enumerate(names)
    ]


def run_made_up(there, names, folder, on_event=lambda event: None, setup="setup", **settings):
    folder.mkdir(exist_ok=True)
    outcomes = there.run_tasks(
        made_up(names, folder),
        f"tests.inference.dask_functions:{setup}",
        on_event=on_event,
        config=CONFIG,
        **settings,
    )
    with closing(outcomes):
        return [(task.video, outcome) for task, outcome in outcomes]


def test_nodes_come_and_go_and_every_video_is_done_once(tmp_path):
    names = [f"{number}.mp4" for number in range(16)]
    finished, lost = [], []
    with cluster(tmp_path, 2) as (address, nodes), cluster_for("dask", address, CONFIG) as there:
        assert [worker.device for worker in there.workers] == ["cpu"] * len(there.workers)

        def watch(event):
            if isinstance(event, WorkerLost):
                lost.append(event)
            elif isinstance(event, VideoStarted):
                finished.append(event.video)
                if len(finished) == 4:
                    nodes[0].kill()

        log = str(tmp_path / "log")
        outcomes = run_made_up(there, names, tmp_path / "one", watch, log=log)
        assert sorted(video for video, _ in outcomes) == sorted(names)
        for name, entry in outcomes:
            assert (entry.video, entry.path, entry.status) == (name, f"videos/{name}", "ok")
            assert pq.read_metadata(tmp_path / "one" / f"{name}.parquet").num_rows == entry.rows
        assert lost
        assert all(event.retry for event in lost)
        assert {path.suffix for path in (tmp_path / "one").iterdir()} == {".parquet"}
        lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
        assert {parent for _, parent, _, _ in lines} == {str(node.pid) for node in nodes}
        assert {(device, threads) for _, _, device, threads in lines} == {("cpu", "1")}
        # The heaviest come first.
        assert names.index(lines[0][0]) >= len(names) - 4

        # The next run on the same cluster, with the node that is left.
        outcomes = run_made_up(there, [*names[:2], "damaged.mp4", "dies.mp4"], tmp_path / "two")
        results = dict(outcomes)
        assert [results[name].status for name in names[:2]] == ["ok", "ok"]
        assert results["damaged.mp4"].reason == "videos/damaged.mp4: is damaged"
        assert results["dies.mp4"].reason.startswith("worker died (signal 9) twice")
        assert nodes[1].poll() is None  # a crash in a codec ends one video and not the node
        with pytest.raises(CheckpointError, match="is damaged"):
            run_made_up(there, names[:2], tmp_path / "three", setup="setup_refused")
        missing = made_up(names[:1], tmp_path / "not there")
        with pytest.raises(OutputError, match="storage that all workers reach"):
            list(
                there.run_tasks(
                    missing, "tests.inference.dask_functions:setup", on_event=watch, config=CONFIG
                )
            )
        # No process of ours stays behind a run.
        deadline = time.monotonic() + 30
        while _children(nodes[1].pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert _children(nodes[1].pid) == []

        with (
            pytest.raises(DeviceError, match=r"worker tcp://.* there is no CUDA device here"),
            cluster_for("dask", address, ExtractConfig(device="cuda")),
        ):
            pass


def test_a_node_dies_with_a_result_that_nobody_has_fetched(tmp_path, monkeypatch):
    """The video is done again by the other node, and the user is told."""
    names = [f"{number}.mp4" for number in range(4)]
    lost, killed = [], []
    fetch = _Run._fetch

    def fetch_after_the_death(run, future):
        if not killed:
            (address,) = next(iter(run._client.who_has([future]).values()))
            killed.append(future.key)
            node = run._client.run(os.getpid, workers=[address])[address]
            os.kill(node, signal.SIGKILL)
        fetch(run, future)

    monkeypatch.setattr(_Run, "_fetch", fetch_after_the_death)  # the moment is too short to be met otherwise
    with cluster(tmp_path, 2) as (address, nodes), cluster_for("dask", address, CONFIG) as there:

        def watch(event):
            if isinstance(event, WorkerLost):
                lost.append(event)

        log = str(tmp_path / "log")
        outcomes = run_made_up(there, names, tmp_path / "made", watch, log=log)
        assert sorted(node.poll() is None for node in nodes) == [False, True]
    assert sorted(video for video, _ in outcomes) == names
    assert all(entry.status == "ok" for _, entry in outcomes)
    done = Counter(line.split()[0] for line in (tmp_path / "log").read_text().splitlines())
    again = {name for name, times in done.items() if times > 1}
    assert again
    assert again <= {event.video for event in lost if event.retry}


def test_killed_and_started_again_on_a_cluster_of_its_own(videos, alone, tmp_path):
    """Without an address a cluster is made here; the command is killed once a video is recorded."""
    output = tmp_path / "out.parquet"
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "if __name__ == '__main__':\n"
        "    import aucli, os, signal\n"
        "    from aucli.config import ExtractConfig\n"
        "    from aucli.inference.events import VideoFinished\n"
        "    from aucli.inference.extract import run_extract\n"
        "    def watch(event):\n"
        "        if isinstance(event, VideoFinished) and event.entry.rows:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        f"    run_extract([{str(videos)!r}], {str(output)!r}, ExtractConfig(jobs=1), engine='dask',"
        " on_event=watch)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    killed = subprocess.run([sys.executable, script], check=False, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert list(tmp_path.glob("out.parquet.parts/*.json"))
    started = []
    result = run_extract([videos], output, ExtractConfig(jobs=1), on_event=started.append)
    done = {event.video for event in started if isinstance(event, VideoStarted)}
    assert 0 < len(done) < 6
    assert _digest(result.output) == _digest(alone.output)
    assert not Path(f"{output}.parts").exists()


@pytest.mark.parametrize(
    ("engine", "scheduler", "config", "message"),
    [
        ("spark", None, CONFIG, "--engine 'spark': choose one of local, dask"),
        ("local", "tcp://x:1", CONFIG, "--scheduler tcp://x:1: is for --engine dask"),
        ("dask", None, ExtractConfig(device="cuda:1"), "CUDA_VISIBLE_DEVICES"),
        ("dask", "tcp://x:1", ExtractConfig(jobs=2), "--jobs 2: a cluster has"),
        ("dask", "nonsense://x", CONFIG, "--scheduler nonsense://x: no Dask scheduler can be reached"),
    ],
)
def test_wrong_use(engine, scheduler, config, message):
    with pytest.raises(UsageError, match=message), cluster_for(engine, scheduler, config):
        pass


def test_a_scheduler_that_is_not_there_is_one_line(videos, tmp_path, monkeypatch):
    monkeypatch.setattr("aucli.inference.cluster._CONNECT_SECONDS", 1)
    with pytest.raises(UsageError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler can be reached"):
        run_extract([videos], tmp_path / "out.parquet", CONFIG, engine="dask", scheduler="tcp://127.0.0.1:9")
    assert list(tmp_path.iterdir()) == []


def test_a_part_is_published_whole_or_not_at_all(tmp_path):
    local = tmp_path / "local.parquet"
    local.write_bytes(os.urandom(3 << 20))
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "KEY.parquet").write_bytes(b"of a worker that was believed lost")
    publish(local, shared / "KEY.parquet")
    assert (shared / "KEY.parquet").read_bytes() == local.read_bytes()
    assert [path.name for path in shared.iterdir()] == ["KEY.parquet"]
    with pytest.raises(OutputError):
        publish(local, tmp_path / "nowhere" / "KEY.parquet")


def test_the_engine_changes_no_key(videos, tmp_path):
    with cluster_for("local", None, CONFIG) as none:
        assert none is None
        assert len(plan_extract([videos], tmp_path / "out.parquet", CONFIG, cluster=none).sources) == 6


def _children(pid):
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [child for path in found for child in path.read_text().split()]


def _same(result, alone):
    ours, theirs = ([dict(entry.to_json()) for entry in r.report.entries] for r in (result, alone))
    for entry in (*ours, *theirs):
        for name in ("path", "key", "wall_seconds", "fps"):
            del entry[name]
        entry["reason"] = entry["reason"] and entry["reason"].rpartition("/")[2]
    assert json.dumps(ours) == json.dumps(theirs)
    assert result.table.equals(alone.table)


def _digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()

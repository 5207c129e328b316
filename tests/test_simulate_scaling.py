"""The simulation against cases whose answer can be worked out by hand."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

FREE = {"decode": 0.0, "device": 0.0, "host": 0.0, "message": 0.0, "commit": 0.0, "merge": 0.0}
VIDEOS = [600.0] * 32  # seconds


@pytest.fixture(scope="module")
def scaling(request):
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    yield importlib.import_module("simulate_scaling")
    patch.undo()


@pytest.fixture
def one(scaling):
    return scaling.Cluster(
        nodes=1, devices=1, decoders=7, in_flight=8, cores=4, storage_gbytes=1e6, mbits=8.0
    )


def costs(scaling, **seconds):
    return scaling.Costs(**(FREE | seconds))


def test_a_device_alone_is_as_fast_as_its_slowest_stage(scaling, one):
    found = scaling.judged(scaling.simulate(one, costs(scaling, decode=0.001, device=0.002), VIDEOS))
    assert found["fps"] == pytest.approx(500, rel=0.01)  # 7 decoders do 7,000
    assert (found["bottleneck"], found["next"]) == ("device", "decoders")
    assert found["busy"]["decoders"] == pytest.approx(1 / 14, rel=0.02)
    found = scaling.judged(scaling.simulate(one, costs(scaling, decode=0.028, device=0.002), VIDEOS))
    assert found["fps"] == pytest.approx(250, rel=0.15)  # 8 videos on 7 decoders, and what is left at the end
    assert found["bottleneck"] == "decoders"


def test_a_cpu_worker_does_both_in_turn(scaling, one):
    cluster = replace(one, in_flight=1, shares_core=True)
    found = scaling.simulate(cluster, costs(scaling, decode=0.004, device=0.016), VIDEOS)
    assert found["fps"] == pytest.approx(50, rel=0.01)


def test_what_is_not_shared_scales(scaling, one):
    eight = scaling.simulate(replace(one, devices=8), costs(scaling, device=0.002), VIDEOS * 8)
    assert eight["fps"] == pytest.approx(8 * 500, rel=0.02)


@pytest.mark.parametrize(
    ("change", "seconds", "bottleneck", "fps"),
    [
        # 8 Mbit/s are 40 kB a frame: 0.004 GB/s carry 100 frames a second.
        ({"storage_gbytes": 0.004}, {}, "storage", 100),
        ({"cores": 2}, {"host": 0.01}, "host cores", 200),
        ({}, {"commit": 150.0}, "supervisor", 100),  # a video of 15,000 frames each 150 s
    ],
)
def test_what_is_shared_becomes_the_bottleneck(scaling, one, change, seconds, bottleneck, fps):
    cluster = replace(one, devices=8, **change)
    found = scaling.judged(scaling.simulate(cluster, costs(scaling, device=0.002, **seconds), VIDEOS * 4))
    assert found["bottleneck"] == bottleneck
    assert found["fps"] == pytest.approx(fps, rel=0.05)


def test_the_longest_video_holds_up_all_devices_unless_it_is_split(scaling, one):
    cluster = replace(one, devices=8, in_flight=1)
    videos = [600.0] * 8 + [6000.0]
    found = scaling.judged(scaling.simulate(cluster, costs(scaling, device=0.002), videos))
    assert found["bottleneck"] == "longest video"
    assert found["fps"] == pytest.approx(500 * 18 / 10, rel=0.01)  # 18 times 600 s while one device does 10
    parts = scaling.split(videos, 10)
    assert sum(parts) == pytest.approx(sum(videos))
    assert max(parts) == 600
    assert scaling.split(videos, None) == videos
    found = scaling.judged(scaling.simulate(cluster, costs(scaling, device=0.002), parts))
    assert found["bottleneck"] == "device"
    assert found["fps"] == pytest.approx(500 * 18 / 3, rel=0.01)  # three rounds of 8, the last not full


def test_the_merge_comes_at_the_end_and_alone(scaling, one):
    found = scaling.simulate(one, costs(scaling, device=0.002, merge=0.002), VIDEOS)
    assert found["fps"] == pytest.approx(250, rel=0.01)
    assert found["merge_share"] == pytest.approx(0.5, rel=0.01)


def test_host_costs_are_those_of_the_real_classes(scaling):
    found = scaling.host_costs(rows=500, parts=2)
    assert set(found) == {"commit", "merge", "message"}
    assert all(0 < seconds < 10 for seconds in found.values())


def test_recorded_times_are_taken_as_they_are(scaling, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(
        '{"benchmark": "bench_extract_cpu_every3", "machine": {"gpu": null}, "ms_per_frame": {"decode": 2,'
        ' "detect": 10, "track": 1, "align": 2, "network": 7, "write": 0.5}}'
    )
    host = {"message": 1.0, "commit": 2.0, "merge": 3.0}
    recorded, on_cpu = scaling.stage_costs(path, None, host)
    assert on_cpu
    assert (recorded.decode, recorded.device, recorded.host) == pytest.approx((0.002, 0.020, 0.0005))
    goal, on_cpu = scaling.stage_costs(path, 2000, host)
    assert not on_cpu
    assert goal.device == 0.0005

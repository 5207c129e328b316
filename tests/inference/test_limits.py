"""Limits of control groups, from descriptions as the kernel writes them."""

import pytest

from aucli.inference.limits import cpu_quota, memory_limit_bytes


@pytest.fixture
def system(tmp_path):
    """Writes such a description and returns where it lies."""

    def write(membership, files):
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            file = tmp_path / "cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path / "membership", tmp_path / "cgroup"

    return write


def test_version_2_inside_a_container(system):
    place = system("0::/\n", {"cpu.max": "150000 100000\n", "memory.max": "2147483648\n"})
    assert cpu_quota(*place) == 1.5
    assert memory_limit_bytes(*place) == 2 * 2**30


def test_the_narrowest_of_the_groups_around_counts(system):
    place = system(
        "0::/slurm/job_7/step_0\n",
        {
            "slurm/job_7/step_0/cpu.max": "max 100000\n",
            "slurm/job_7/cpu.max": "400000 100000\n",
            "slurm/cpu.max": "6400000 100000\n",
            "slurm/job_7/memory.max": "max\n",
        },
    )
    assert cpu_quota(*place) == 4.0
    assert memory_limit_bytes(*place) is None


def test_version_1_whose_container_sees_its_own_group_as_the_root(system):
    place = system(
        "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n",
        {
            "cpu/cpu.cfs_quota_us": "200000\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "memory/memory.limit_in_bytes": "1073741824\n",
        },
    )
    assert cpu_quota(*place) == 2.0
    assert memory_limit_bytes(*place) == 2**30


def test_version_1_without_a_limit(system):
    place = system(
        "4:memory:/\n2:cpu:/\n",
        {
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert cpu_quota(*place) is None
    assert memory_limit_bytes(*place) is None


def test_another_system(tmp_path):
    assert cpu_quota(tmp_path / "none", tmp_path) is None
    assert memory_limit_bytes(tmp_path / "none", tmp_path) is None

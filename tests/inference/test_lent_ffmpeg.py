"""PyAV's FFmpeg libraries under the names that torchcodec looks for."""

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

from aucli.inference.lent_ffmpeg import usual_names


def test_names_lose_their_hash(tmp_path):
    for name in (
        *("libavutil-5809ad29.so.60.26.102", "libswscale-88e9f973.so.9.5.102", "libavcodec.so.62"),
        *("libx264-d6533a8d.so.165", "libavif-aaaa1111.so", "notes.txt"),
    ):
        (tmp_path / name).touch()
    assert usual_names(tmp_path) == {
        "libavutil.so.60": tmp_path / "libavutil-5809ad29.so.60.26.102",
        "libswscale.so.9": tmp_path / "libswscale-88e9f973.so.9.5.102",
    }
    assert usual_names(tmp_path / "gone") == {}


linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the wheel of another system is laid out in another way"
)


@linux
def test_pyavs_wheel_is_laid_out_as_expected():
    names = usual_names(Path(av.__file__).parents[1] / "av.libs")
    major = {f"{name}.so.{number[0]}" for name, number in av.library_versions.items()}
    assert major <= names.keys()


@pytest.fixture
def torchcodec_there(tmp_path):
    """The environment of a process that finds a torchcodec: that it is there is all that is looked at."""
    (tmp_path / "torchcodec").mkdir()
    (tmp_path / "torchcodec" / "__init__.py").touch()
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}


@linux
def test_the_links_last_as_long_as_the_process(torchcodec_there):
    code = (
        "import os; from aucli.inference.lent_ffmpeg import ffmpeg_for_torchcodec as lent\n"
        "os.environ['LD_LIBRARY_PATH'] = '/before'\n"
        "links, libraries, before = lent()['LD_LIBRARY_PATH'].split(':')\n"
        "assert before == '/before' and os.path.exists(links + '/libavcodec.so.' + "
        "str(__import__('av').library_versions['libavcodec'][0]))\n"
        "assert lent() == lent()\nprint(links)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=torchcodec_there, capture_output=True, text=True, check=True
    )
    assert not Path(done.stdout.strip()).exists()


@linux
@pytest.mark.parametrize("installed", [True, False])
def test_nothing_is_lent_where_torchcodec_is_not_installed(torchcodec_there, installed):
    # None in sys.modules: so Python says that there is no such package, also where there is one.
    hide = "" if installed else "import sys; sys.modules['torchcodec'] = None\n"
    code = f"{hide}from aucli.inference.lent_ffmpeg import ffmpeg_for_torchcodec as lent\nprint(*lent())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=torchcodec_there, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == (["LD_LIBRARY_PATH"] if installed else [])

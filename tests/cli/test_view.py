"""`aucli view` as a user runs it."""

import os
import re
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.cli.commands import AUCLI, EXAMPLES, KEPT, aucli
from tests.viewer.runs import Clip, write_run


@pytest.fixture
def output(tmp_path):
    return write_run(
        tmp_path / "out.parquet", {"smile.mp4": Clip(EXAMPLES / "smile.mp4", {0: None}, lambda *_: 0.2)}
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_ended(output, number):
    clean = {name: value for name, value in os.environ.items() if name in KEPT or name[:6] != "AUCLI_"}
    with subprocess.Popen(
        [AUCLI, "view", "--no-browser", output],
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        address = re.search(r"http://127\.0\.0\.1:\d+/\S{43}/", process.stdout.readline())[0]
        with urllib.request.urlopen(f"{address}run.json", timeout=20) as answer:
            assert b"smile.mp4" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.rsplit("/", 2)[0] + "/", timeout=20)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    if number == signal.SIGINT:  # the ordinary end
        assert (process.returncode, errors) == (0, "")
    else:
        assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give one thing to look at"),
        (("out.parquet", "--camera", "0"), "give one thing to look at"),
        (("nothing.parquet",), "nothing.parquet"),
        (("out.parquet", "--port", "99999"), "--port 99999: 0 to 65535"),
        (("out.parquet", "--model", "builtin"), "--model is for --camera and --live"),
        (("--live", "nothing.mp4"), "--live nothing.mp4: there is no such file"),
        (("--camera", "97"), "--camera 97: cannot be opened: PyAV: there is no /dev/video97; OpenCV: "),
        (("--camera", "0", "--videos", "."), "--videos is for OUT.PARQUET"),
        (("--camera", "0", "--max-faces", "x"), "--max-faces x"),
    ],
)
def test_wrong_use_is_one_line(output, words, said):
    done = aucli("view", "--no-browser", *words, cwd=output.parent)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_port_in_use_is_one_line(output):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = aucli("view", "--no-browser", output, "--port", port)
    assert done.returncode == 2
    assert done.stderr == f"aucli: --port {port}: Address already in use; leave it out to take a free one\n"

"""Who may read what: only this machine, only with the token, only what the page shows."""

import http.client
import json
import socket
from contextlib import closing
from importlib.resources import files

import pytest

from aucli.errors import UsageError
from aucli.sinks.report import ReportEntry
from aucli.viewer.answers import Body
from aucli.viewer.recorded import RecordedPages
from aucli.viewer.run import ViewedRun
from aucli.viewer.server import PageServer
from tests.cli.commands import EXAMPLES
from tests.viewer.runs import Clip, served, write_run

CLIP = EXAMPLES / "smile.mp4"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "secret.txt").write_text("secret")
    output = write_run(
        folder / "out.parquet",
        {"smile.mp4": Clip(CLIP, {0: None}, lambda *_: 0.2)},
        failed=[ReportEntry("secret.txt", str(folder / "secret.txt"), "skipped", reason="is no video")],
    )
    with served(RecordedPages(ViewedRun.open(output))) as server:
        yield server


def ask(server, path, *, method="GET", host=None, headers=()):
    """Status, headers and body; the path goes out as it is written."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)) as connection:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
        for name, value in dict(headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def test_the_page_and_its_data(server):
    status, headers, body = ask(server, f"/{server.token}/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert b"<title>aucli view</title>" in body
    assert json.loads(ask(server, f"/{server.token}/run.json")[2])["videos"][0]["name"] == "smile.mp4"


def test_every_file_of_the_page_is_served_with_its_type(server):
    for entry in files("aucli.viewer").joinpath("static").iterdir():
        status, headers, body = ask(server, f"/{server.token}/static/{entry.name}")
        assert status == 200
        assert body == entry.read_bytes()
        assert headers["X-Content-Type-Options"] == "nosniff"
        if entry.name.endswith(".js"):
            assert headers["Content-Type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    ["/", "//", "/run.json", "/wrong/", "/wrong/run.json", "/{}x/run.json", "/static/app.js", "/%00/", "/ä/"],
)
def test_without_the_token_there_is_nothing(server, path):
    path = path.format(server.token).replace("ä", "%E4")
    status, _, body = ask(server, path)
    assert status == 403
    assert server.token.encode() not in body


def test_a_token_in_other_case_is_wrong(server):
    swapped = server.token.swapcase()
    assert ask(server, f"/{swapped}/run.json")[0] == 403


def test_the_token_is_long_and_new_each_time(server):
    other = PageServer(server.pages)
    other.server_close()
    assert len(server.token) >= 43  # 256 bits in base 64
    assert other.token != server.token


def test_the_browser_s_address_works_once(server):
    ticket = server.single_use_address.rpartition("/")[2]
    status, headers, _ = ask(server, f"/{ticket}")
    assert (status, headers["Location"]) == (303, f"/{server.token}/")
    assert ask(server, f"/{ticket}")[0] == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{}", "127.0.0.1", "127.0.0.1:1", "[::1]:{}"])
def test_another_host_is_refused(server, host):
    status, _, body = ask(server, f"/{server.token}/run.json", host=host.format(server.server_port))
    assert status == 403
    assert b"smile" not in body


def test_localhost_is_this_host(server):
    assert ask(server, f"/{server.token}/run.json", host=f"localhost:{server.server_port}")[0] == 200


def test_it_listens_on_the_loopback_address_only(server):
    assert server.server_address[0] == "127.0.0.1"
    # 127.0.0.2 is this machine too: a socket bound to all addresses would answer there.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.server_port), timeout=5)


@pytest.mark.parametrize(
    "path",
    [
        "static/../server.py",
        "static/%2e%2e/server.py",
        "static/..%2fserver.py",
        "static/%2fetc%2fpasswd",
        "static/",
        "static//etc/passwd",
        "/etc/passwd",
        "../../../../etc/passwd",
        "videos/0/../../../../etc/passwd",
        "videos/0/..%2f..%2fsecret.txt",
        "videos/%2e%2e/file",
        "videos/smile.mp4/file",
        "videos/-1/file",
        "videos/1/file",
        "videos/2/file",
        "videos/0/file/x",
        "videos/²/file",
        "out.parquet",
        "secret.txt",
    ],
)
def test_nothing_else_can_be_read(server, path):
    status, _, body = ask(server, f"/{server.token}/{path}".replace("²", "%C2%B2"))
    assert status == 404
    assert b"root:" not in body
    assert body != b"secret"


def test_a_run_that_names_another_file_as_its_video_does_not_open_it(tmp_path):
    output = write_run(tmp_path / "out.parquet", {"smile.mp4": Clip(CLIP, {0: None}, lambda *_: 0.2)})
    report = output.with_suffix(".report.json")
    report.write_text(report.read_text().replace(str(CLIP), "/etc/passwd"))
    with served(RecordedPages(ViewedRun.open(output))) as server:
        about = json.loads(ask(server, f"/{server.token}/videos/0/about.json")[2])
        assert about["source"]["state"] == "not_a_video"
        assert ask(server, f"/{server.token}/videos/0/file")[0] == 404


@pytest.mark.parametrize(
    "query",
    [
        "lines?from=0&to=1&buckets=0&tracks=0",
        "lines?from=0&to=1&buckets=1000000000&tracks=0",
        "lines?from=0&to=1&buckets=nan&tracks=0",
        "lines?from=nan&to=1&buckets=10&tracks=0",
        "lines?from=0&to=1&buckets=10&tracks=a",
        "lines?from=0&to=1&buckets=10",
        "frames?to=1",
        "frames?from=0&to=inf",
        "together.json?from=0&to=1&tracks=0&thresholds=0.5",
        "together.json?from=0&to=1&tracks=0&thresholds=x",
    ],
)
def test_a_question_that_makes_no_sense_is_refused(server, query):
    status, _, body = ask(server, f"/{server.token}/videos/0/{query}")
    assert status == 400
    assert json.loads(body)["error"]


def test_every_answer_is_fenced_in(server):
    for path in (f"/{server.token}/", f"/{server.token}/run.json", f"/{server.token}/videos/0/file", "/x"):
        headers = ask(server, path)[1]
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Access-Control-Allow-Origin"] is None
        assert headers["Cache-Control"] == "no-store"
        assert "Python" not in headers["Server"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_there_is_nothing_to_change(server, method):
    assert ask(server, f"/{server.token}/run.json", method=method)[0] == 501


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [("bytes=0-99", 0, 99), ("bytes=1000-", 1000, None), ("bytes=-500", -500, None), ("bytes=5-5", 5, 5)],
)
def test_parts_of_the_video(server, header, first, last):
    content = CLIP.read_bytes()
    wanted = content[first : None if last is None else last + 1]
    begin = content.index(wanted) if first >= 0 else len(content) + first
    path = f"/{server.token}/videos/0/file"
    for method, body in (("GET", wanted), ("HEAD", b"")):
        status, headers, got = ask(server, path, method=method, headers={"Range": header})
        assert status == 206
        assert got == body
        assert headers["Content-Length"] == str(len(wanted))
        assert headers["Content-Range"].endswith(f"/{len(content)}")
        if first != 5:
            assert headers["Content-Range"].startswith(f"bytes {begin}-")


def test_all_of_the_video(server):
    content = CLIP.read_bytes()
    path = f"/{server.token}/videos/0/file"
    status, headers, got = ask(server, path)
    assert (status, got) == (200, content)
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Type"] == "video/mp4"
    status, headers, got = ask(server, path, method="HEAD")
    assert (status, headers["Content-Length"], got) == (200, str(len(content)), b"")


def test_behind_the_end_of_the_video(server):
    size = CLIP.stat().st_size
    status, headers, _ = ask(server, f"/{server.token}/videos/0/file", headers={"Range": f"bytes={size}-"})
    assert status == 416
    assert headers["Content-Range"] == f"bytes */{size}"


def test_one_connection_serves_many_requests(server):
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)) as connection:
        for header in ("bytes=0-9", "bytes=10-19", "bytes=99999999-", "bytes=20-29"):
            connection.request("GET", f"/{server.token}/videos/0/file", headers={"Range": header})
            sock = connection.sock
            answer = connection.getresponse()
            answer.read()
            assert answer.status in (206, 416)
            assert connection.sock is sock is not None


def test_a_port_that_is_in_use_is_named(server):
    with pytest.raises(UsageError, match=f"--port {server.server_port}: "):
        PageServer(server.pages, port=server.server_port)


def test_a_mistake_of_ours_ends_one_request_only(tmp_path):
    class Broken:
        def answer(self, parts, query):
            if parts == ("bad",):
                raise RuntimeError("a bug")
            return Body(b"fine", "text/plain")

    with served(Broken()) as server:
        with pytest.raises(http.client.RemoteDisconnected):
            ask(server, f"/{server.token}/bad")
        assert ask(server, f"/{server.token}/good")[2] == b"fine"

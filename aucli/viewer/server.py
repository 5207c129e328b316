"""The server of the page: this machine only, and only for who knows the token.

What protects the videos (recordings of people's faces) from other users, programs and web pages:

- The socket is bound to 127.0.0.1.
- Every address begins with a token of 256 random bits, compared in constant time. It stands in the path and
  not in a cookie: cookies of 127.0.0.1 go to every port, that is to other programs' servers.
- The browser is started with a second address that works once: the command lines of processes can be read
  by all users.
- A `Host` other than 127.0.0.1 or localhost with our port is refused, so that a web page whose name is made
  to point here (DNS rebinding) reaches nothing.
- No other origin may read an answer (no CORS headers; `Cross-Origin-Resource-Policy: same-origin`), and the
  page may load nothing from anywhere else (Content-Security-Policy).
- Only what is listed can be read: files of the page by name, videos of the run by their place in the list.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from aucli.errors import AucliError, UsageError
from aucli.viewer.answers import Answer, FileContent, Pages, Stream
from aucli.viewer.ranges import RangeNotSatisfiableError, parse_range
from aucli.viewer.static_files import static_file

_LOG = logging.getLogger(__name__)
_HOST = "127.0.0.1"

_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class PageServer(ThreadingHTTPServer):
    """Serves the page and `pages` until it is shut down.

    port: 0 takes a free one.

    Raises:
        UsageError: the port is in use or not allowed.
    """

    daemon_threads = True

    def __init__(self, pages: Pages, *, port: int = 0) -> None:
        self.pages = pages
        self.token = secrets.token_urlsafe(32)
        self._ticket: str | None = secrets.token_urlsafe(32)
        self._ticket_lock = threading.Lock()
        try:
            super().__init__((_HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "0 to 65535"
            raise UsageError(f"--port {port}: {why}; leave it out to take a free one") from error

    @property
    def address(self) -> str:
        """Of the page, for people."""
        return f"http://{_HOST}:{self.server_port}/{self.token}/"

    @property
    def single_use_address(self) -> str:
        """Leads to the page once."""
        return f"http://{_HOST}:{self.server_port}/{self._ticket}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a browser may call us."""
        return tuple(f"{name}:{self.server_port}" for name in (_HOST, "localhost"))

    def take_ticket(self, given: str) -> bool:
        """Whether this is the single-use address's secret; from then on nothing is."""
        with self._ticket_lock:
            if self._ticket is None or not _same(given, self._ticket):
                return False
            self._ticket = None
            return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        _LOG.debug("a request from %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "aucli"
    sys_version = ""
    timeout = 60  # seconds that a browser may leave a connection idle, or not take what is sent

    @property
    def _server(self) -> PageServer:
        return cast(PageServer, self.server)

    def do_GET(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def _handle(self) -> None:
        if self.headers.get("Host", "") not in self._server.hosts:
            return self._refuse(HTTPStatus.FORBIDDEN, "wrong host")
        url = urlsplit(self.path)
        first, *rest = [unquote(part) for part in url.path.split("/")[1:]] or [""]
        known = _same(first, self._server.token)
        if not rest and (known or self._server.take_ticket(first)):
            return self._redirect(f"/{self._server.token}/")
        if not known:
            return self._refuse(HTTPStatus.FORBIDDEN, "the address is not complete: copy all of it")
        try:
            return self._send(self._answer(tuple(rest), dict(parse_qsl(url.query, keep_blank_values=True))))
        except AucliError as error:
            status, why = HTTPStatus.INTERNAL_SERVER_ERROR, str(error)
        except (ValueError, KeyError) as error:  # KeyError: a parameter is not there
            status, why = HTTPStatus.BAD_REQUEST, str(error)
        except LookupError as error:
            status, why = HTTPStatus.NOT_FOUND, str(error)
        return self._refuse(status, why)

    def _answer(self, parts: tuple[str, ...], query: dict[str, str]) -> Answer:
        if parts == ("",):
            return static_file("index.html")
        if len(parts) == 2 and parts[0] == "static":
            return static_file(parts[1])
        return self._server.pages.answer(parts, query)

    def _send(self, answer: Answer) -> None:
        if isinstance(answer, FileContent):
            return self._send_file(answer)
        if isinstance(answer, Stream):
            return self._send_stream(answer)
        self._begin(HTTPStatus.OK, answer.content_type, len(answer.content))
        if self.command != "HEAD":
            self.wfile.write(answer.content)
        return None

    def _send_file(self, answer: FileContent) -> None:
        try:
            file = answer.path.open("rb")
        except OSError as error:
            return self._refuse(HTTPStatus.NOT_FOUND, f"the video cannot be opened: {error.strerror}")
        with file:
            size = os.fstat(file.fileno()).st_size
            try:
                wanted = parse_range(self.headers.get("Range"), size)
            except RangeNotSatisfiableError:
                return self._refuse(
                    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "", {"Content-Range": f"bytes */{size}"}
                )
            more = {"Accept-Ranges": "bytes"}
            if wanted is None:
                first, length = 0, size
                self._begin(HTTPStatus.OK, answer.content_type, size, more)
            else:
                first, length = wanted.first, wanted.length
                more["Content-Range"] = f"bytes {wanted.first}-{wanted.last}/{size}"
                self._begin(HTTPStatus.PARTIAL_CONTENT, answer.content_type, length, more)
            if self.command != "HEAD" and length:
                self.wfile.flush()
                try:
                    sent = self.connection.sendfile(file, first, length)
                except OSError:  # the player has heard enough, as players do at every seek
                    sent = -1
                if sent != length:
                    self.close_connection = True
        return None

    def _send_stream(self, answer: Stream) -> None:
        self.close_connection = True  # its end is the end of the connection
        self._begin(HTTPStatus.OK, answer.content_type, None)
        if self.command == "HEAD":
            return
        try:
            for piece in answer.pieces:
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:
            pass  # the page was closed

    def _redirect(self, where: str) -> None:
        self._begin(HTTPStatus.SEE_OTHER, "text/plain; charset=utf-8", 0, {"Location": where})

    def _refuse(self, status: HTTPStatus, why: str, more: dict[str, str] | None = None) -> None:
        content = json.dumps({"error": why}).encode()
        self._begin(status, "application/json", len(content), more)
        if self.command != "HEAD":
            self.wfile.write(content)

    def _begin(
        self, status: HTTPStatus, content_type: str, length: int | None, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in {**_SECURITY_HEADERS, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        # The address holds the token: it is not for logs.
        _LOG.debug("%s answered %s", self.command, args[1] if len(args) > 1 else args)


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())

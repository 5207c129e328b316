"""Real servers on the loopback interface: one with a file, and an imitation of Google Drive."""

import re
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server.owner
        server.requests.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        server.answer(self)

    def send(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_page(self, text, status=200):
        body = text.encode()
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))}
        self.send(status, headers, body)

    def send_file(self, server, extra=None):
        """The server's content, with its tricks; continues where `Range` and `If-Range` ask for it."""
        body, first, status = server.content, 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        unchanged = self.headers.get("If-Range") in (None, server.etag) or not server.minds_if_range
        headers = {"Content-Type": "application/octet-stream", **(extra or {})}
        if wanted and server.ranges and unchanged:
            first = int(wanted[1])
            if first >= len(body):
                return self.send(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
            status = 206
            headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
        if server.etag:
            headers["ETag"] = server.etag
        headers["Content-Length"] = str(len(body) - first + server.lie)
        cut = server.cuts.pop(0) if server.cuts else None
        sent = body[first : None if cut is None else first + cut]
        if server.seconds_per_piece:
            self.send(status, headers)
            for start in range(0, len(sent), 2**16):
                time.sleep(server.seconds_per_piece)
                self.wfile.write(sent[start : start + 2**16])
        else:
            self.send(status, headers, sent)
        if cut is not None or server.lie:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        return None


class FileServer:
    """Serves `content` at any path. Change the attributes between requests.

    cuts: for each coming request, after how many bytes its connection breaks.
    lie: bytes that Content-Length says too many. ranges: whether it can continue.
    minds_if_range: whether it compares If-Range. page, status: what it sends instead of the file.
    seconds_per_piece: pause before each 64 kB.
    """

    handler = _Handler

    def __init__(self, content=b"", etag='"one"'):
        self.content, self.etag = content, etag
        self.ranges, self.minds_if_range = True, True
        self.cuts, self.lie, self.seconds_per_piece = [], 0, 0.0
        self.page, self.status = None, 200
        self.requests = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self._server.daemon_threads = True
        self._server.owner = self
        self._server.handle_error = lambda *_: None  # a client that goes away is part of the tests
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/model.pth"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, handler):
        if self.page is not None or self.status != 200:
            return handler.send_page(self.page or "<p>no</p>", self.status)
        return handler.send_file(self)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _ProxyHandler(_Handler):
    def do_CONNECT(self):
        """A tunnel that ends here: what follows is TLS as if with the host that was asked for."""
        self.server.owner.tunnels.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.owner.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False


class DriveImitation(FileServer):
    """A proxy behind which Google Drive seems to be: a page asks for confirmation, then the file comes.

    quota: Drive's page that the file was fetched too often comes instead. Its certificate is `certificate`.
    """

    handler = _ProxyHandler

    def __init__(self, folder, content=b""):
        self.certificate, key = folder / "drive.pem", folder / "drive.key"
        names = "DNS:drive.google.com,DNS:drive.usercontent.google.com"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x"
        places = ["-addext", f"subjectAltName={names}", "-keyout", key, "-out", self.certificate]
        subprocess.run([*command.split(), *places], check=True, capture_output=True)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.certificate, key)
        self.tunnels, self.quota = [], False
        super().__init__(content)

    def environment(self):
        """Variables with which https goes here, and only here."""
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.port}",
            "REQUESTS_CA_BUNDLE": str(self.certificate),
            "NO_PROXY": "",
        }

    def answer(self, handler):
        query = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        host, path = handler.headers["Host"], urlsplit(handler.path).path
        if host == "drive.google.com" and path == "/uc":
            if self.quota:
                return handler.send_page(
                    '<html><body>\n<p class="uc-error-subcaption">Too many users have viewed or downloaded '
                    "this file recently. Please try accessing the file again later.</p>\n</body></html>"
                )
            return handler.send_page(
                "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>\n"
                '<form id="download-form" action="https://drive.usercontent.google.com/download" '
                f'method="get"><input type="hidden" name="id" value="{query["id"]}">'
                '<input type="hidden" name="export" value="download">'
                '<input type="hidden" name="confirm" value="t"></form>\n</body></html>'
            )
        if host == "drive.usercontent.google.com" and path == "/download" and query.get("confirm") == "t":
            return handler.send_file(self, {"Content-Disposition": 'attachment; filename="model.pth"'})
        return handler.send_page("<p>not here</p>", 404)

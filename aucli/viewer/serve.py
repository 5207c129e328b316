"""Start the page, show it, and end with Ctrl+C."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Callable

from aucli.viewer.answers import Pages
from aucli.viewer.server import PageServer


def serve(pages: Pages, *, begin: Callable[[], None], port: int = 0, open_browser: bool = True) -> None:
    """Serve until Ctrl+C, which is its ordinary end.

    begin: called once the port is ours, to start threads; they may still run when this returns.

    Raises:
        UsageError: the port cannot be used.
    """
    with PageServer(pages, port=port) as server:
        begin()
        print(f"aucli view: {server.address}", flush=True)
        print(
            "The address is secret: whoever has it on this machine sees the videos. Ctrl+C ends.", flush=True
        )
        if open_browser:
            # A browser in the terminal would wait for its own end.
            threading.Thread(
                target=webbrowser.open, args=(server.single_use_address,), name="browser", daemon=True
            ).start()
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print()

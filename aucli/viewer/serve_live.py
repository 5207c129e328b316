"""The page fed by a camera."""

from __future__ import annotations

from pathlib import Path

from aucli.config import ExtractConfig
from aucli.inference.devices import resolve_device
from aucli.viewer.camera import camera_frames, file_frames
from aucli.viewer.live import Live, LiveAnalyser, LivePages
from aucli.viewer.serve import serve


def serve_live(
    config: ExtractConfig, *, camera: str | None, file: Path | None, port: int = 0, open_browser: bool = True
) -> None:
    """Serve until Ctrl+C what a camera sees, or a file at its own speed; one of both is given.

    Raises:
        MediaError, InputNotFoundError: it cannot be opened.
        UsageError: a wrong setting, model or device.
    """
    device = resolve_device(config.device)[0]
    if camera is not None:
        source, name = camera_frames(camera), f"camera {camera}"
    else:
        assert file is not None
        source, name = file_frames(file), file.name
    analyser = LiveAnalyser(config, device)
    live = Live(source, analyser)
    try:
        pages = LivePages(live, analyser, name)
        serve(pages, begin=live.start, port=port, open_browser=open_browser)
    finally:
        live.close()

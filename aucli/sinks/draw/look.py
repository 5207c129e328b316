"""What is drawn, and how: the options of `annotate` that concern the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from aucli.errors import UsageError
from aucli.sinks.draw.palette import ThemeName


@dataclass(frozen=True)
class Look:
    """What is drawn, and how.

    scale: size of the picture in parts of the source's. top: AUs in a panel. graph: of the AU pairs that
    occur together, for which results need `pairs`. heatmaps: where the network sees each AU, for which
    results need those.

    Raises:
        UsageError: a value outside its range.
    """

    theme: ThemeName = "dark"
    scale: float = 1.0
    top: int = 5
    landmarks: bool = False
    regions: bool = True
    timeline: bool = True
    graph: bool = False
    heatmaps: bool = False

    def __post_init__(self) -> None:
        if self.theme not in get_args(ThemeName):
            raise UsageError(f"--theme {self.theme!r}: choose one of {', '.join(get_args(ThemeName))}")
        if not 0.1 <= self.scale <= 8:
            raise UsageError(
                f"--scale {self.scale:g}: must be 0.1 to 8; 2 makes a small picture twice as large"
            )
        if not 1 <= self.top <= 12:
            raise UsageError(f"--top {self.top}: must be 1 to 12 AUs")

"""Text in DejaVu Sans, drawn once and kept.

The font comes with matplotlib, a dependency; its licence (Bitstream Vera and public domain) allows that.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from aucli.sinks.draw.palette import Colour

_KEPT = 2048  # pieces of text: the names, and all numbers from 0 to 100


@lru_cache(maxsize=16)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), size)


class Writer:
    """Writes text of one size on pictures; `em` is that size in pixels."""

    def __init__(self, em: int, *, bold: bool = False) -> None:
        self.em = em
        self._font = _font(em, bold)
        self._masks: OrderedDict[str, Image.Image] = OrderedDict()
        ascent, descent = self._font.getmetrics()
        self._height = ascent + descent
        # What the eye takes for the height of a line: from the foot of an A to its top.
        top, bottom = self._font.getbbox("A")[1::2]
        self._middle = (top + bottom) / 2

    def width(self, text: str) -> int:
        """Pixels that the text takes."""
        return self._mask(text).width

    def write(self, picture: Image.Image, x: float, middle: float, text: str, colour: Colour) -> None:
        """Write with the left edge at `x` and the capitals' middle at `middle`, both in pixels."""
        if text:
            mask = self._mask(text)
            picture.paste(colour, (round(x), round(middle - self._middle)), mask)

    def write_right(self, picture: Image.Image, x: float, middle: float, text: str, colour: Colour) -> None:
        """As `write`, ending at `x`."""
        self.write(picture, x - self.width(text), middle, text, colour)

    def fitting(self, text: str, width: float) -> str:
        """The text, or its beginning with an ellipsis where it is wider than `width` pixels."""
        if self.width(text) <= width:
            return text
        while text and self.width(f"{text}…") > width:
            text = text[:-1].rstrip(" ,+")
        return f"{text}…" if text else ""

    def _mask(self, text: str) -> Image.Image:
        mask = self._masks.pop(text, None)
        if mask is None:
            size = (max(1, round(self._font.getlength(text))), self._height)
            mask = Image.new("L", size)
            ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=self._font)
            if len(self._masks) >= _KEPT:
                self._masks.popitem(last=False)
        self._masks[text] = mask  # at the end: the least used fall out first
        return mask

"""Puts an annotated frame together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aucli.datatypes import CropConvention
from aucli.sinks.draw.choose import Chooser, activity
from aucli.sinks.draw.face import Box, draw_box, draw_landmarks, draw_tag, tag_box
from aucli.sinks.draw.graph import Graph
from aucli.sinks.draw.heatmaps import Heatmaps
from aucli.sinks.draw.history import History
from aucli.sinks.draw.layout import Layout
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.look import Look
from aucli.sinks.draw.palette import THEMES
from aucli.sinks.draw.panel import Panel
from aucli.sinks.draw.placing import Placer
from aucli.sinks.draw.regions import Tint
from aucli.sinks.draw.text import Writer
from aucli.sinks.draw.timeline import SECONDS, Timeline
from aucli.sinks.frames import FrameResult

AHEAD_SECONDS = 2.0  # results are known for so long before they are drawn: what is coming is shown in time
_PANEL_SECONDS = 1.0  # before and after now, over which the AUs of a panel are chosen
MOST_PERSONS = 4  # with a panel and traces: the largest faces
TIMELINE_ROWS = 5


class Annotator:
    """Draws the frames of one video, in order.

    crop: how the network's pictures were cut; heatmaps need it.
    width, height: of its pictures, upright. Pictures of another size (some streams change it) are fitted in.
    `expect` is to be told each result before it is drawn, `AHEAD_SECONDS` ahead as far as they go.
    """

    def __init__(
        self, legend: Legend, look: Look, width: int, height: int, crop: CropConvention | None = None
    ) -> None:
        self._look, self._legend = look, legend
        self._theme = THEMES[look.theme]
        rows = min(TIMELINE_ROWS, len(legend)) if look.timeline else 0
        scaled = max(16, round(width * look.scale)), max(16, round(height * look.scale))
        self.layout = Layout.of(*scaled, rows=rows, graph=look.graph or look.heatmaps)
        self._canvas = Image.new("RGB", (self.layout.width, self.layout.height), self._theme.paper)
        self._tag = Writer(self.layout.em, bold=True)
        self._panel = Panel(legend, self._theme, self.layout, look.top)
        self._placer = Placer(self.layout)
        self._heatmaps: Heatmaps | None = None
        if look.heatmaps:
            if crop is None:
                raise ValueError("heatmaps need the crop convention of the network's pictures")
            self._heatmaps = Heatmaps(legend, self._theme, self.layout, crop)
        regions = look.regions and not look.heatmaps  # which show where it was, not where it might have been
        self._tint = Tint(legend.au_names, self._theme.tint) if regions else None
        self._timeline = Timeline(legend, self._theme, self.layout) if rows else None
        self._graph = Graph(legend, self._theme, self.layout) if look.graph else None
        self._history = History(len(legend), SECONDS + AHEAD_SECONDS)
        self._rows = Chooser(rows)
        self._panel_rows: dict[tuple[int, int], Chooser] = {}  # by track and number of rows

    def expect(self, result: FrameResult) -> None:
        """A result that will be drawn; they come in order of time."""
        self._history.add(result)

    def draw(
        self, pixels: NDArray[np.uint8], index: int, seconds: float, result: FrameResult | None
    ) -> NDArray[np.uint8]:
        """The annotated frame, uint8 (layout.height, layout.width, 3), RGB.

        pixels: the picture, uint8 (height, width, 3), RGB. index, seconds: of the frame.
        result: what is drawn on it, None for a frame that was not analysed.
        """
        canvas = self._canvas  # all of it is drawn over each time, but for the padding
        picture, factor, shift = self._fitted(pixels)
        placed = None if result is None else _placed(result, factor, shift)
        if self._heatmaps is not None:
            canvas.paste(self._heatmaps.draw(picture, placed), (self.layout.picture_width, 0))
        if placed is not None:
            self._draw_faces(picture, placed, seconds)
        canvas.paste(picture, (0, 0))
        if self._timeline is not None:
            end = np.nextafter(seconds, np.inf)
            seen = self._history.between(seconds - SECONDS, end)
            persons = dict(list(seen.items())[:MOST_PERSONS])
            near = self._history.between(seconds - SECONDS, np.inf)
            chosen = self._rows.choose(activity(near.values(), self._legend.opposite))
            strip = self._timeline.draw(self._legend.in_facs_order(chosen), persons, seconds, index)
            canvas.paste(strip, (0, self.layout.picture_height))
        if self._graph is not None:
            canvas.paste(self._graph.draw(result), (self.layout.picture_width, 0))
        return np.asarray(canvas)

    def _fitted(self, pixels: NDArray[np.uint8]) -> tuple[Image.Image, float, tuple[int, int]]:
        """The picture in the size of the layout, and how places in it move: times factor, plus shift."""
        size = self.layout.picture_width, self.layout.picture_height
        picture = Image.fromarray(pixels)
        if picture.size == size:
            return picture, 1.0, (0, 0)
        factor = min(size[0] / picture.width, size[1] / picture.height)
        inner = min(size[0], round(picture.width * factor)), min(size[1], round(picture.height * factor))
        resized = picture.resize(inner, Image.Resampling.BICUBIC)
        if inner == size:
            return resized, factor, (0, 0)
        shift = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
        whole = Image.new("RGB", size, self._theme.paper)
        whole.paste(resized, shift)
        return whole, factor, shift

    def _draw_faces(self, picture: Image.Image, result: FrameResult, seconds: float) -> None:
        faces = result.faces
        assert faces.tracks is not None  # results are of tracked faces
        tracks = faces.tracks.tolist()
        boxes: list[Box] = [(x, y, x + w, y + h) for x, y, w, h in faces.boxes.tolist()]
        if self._tint is not None:
            for row in range(len(tracks)):
                self._tint.apply(picture, faces.landmarks[row], result.probabilities[row])
        if self._heatmaps is not None and result.heatmaps is not None:
            for row in range(len(tracks)):
                self._heatmaps.tint(picture, faces.landmarks[row], result.heatmaps[row])
        tags = [
            tag_box(box, str(track), self._tag, self.layout) for track, box in zip(tracks, boxes, strict=True)
        ]
        for row, (track, box) in enumerate(zip(tracks, boxes, strict=True)):
            colour = self._theme.person(track)
            draw_box(picture, box, colour, self.layout, dashed=not result.valid[row])
            if self._look.landmarks:
                draw_landmarks(picture, faces.landmarks[row], colour, self.layout)
        for track, tag in zip(tracks, tags, strict=True):
            draw_tag(picture, tag, str(track), self._theme.person(track), self._tag)
        self._draw_panels(picture, result, [*boxes, *tags], seconds)

    def _draw_panels(
        self, picture: Image.Image, result: FrameResult, blocked: list[Box], seconds: float
    ) -> None:
        """blocked: what panels should not cover; first the boxes of the faces."""
        assert result.faces.tracks is not None  # results are of tracked faces
        tracks = result.faces.tracks.tolist()
        areas = result.faces.boxes[:, 2] * result.faces.boxes[:, 3]
        largest = np.lexsort((np.array(tracks), -areas)).tolist()[:MOST_PERSONS]
        # With several people in the picture their panels go without names, which the time line has.
        named = len(self._history.between(-np.inf, np.inf)) == 1
        near = self._history.between(seconds - _PANEL_SECONDS, seconds + _PANEL_SECONDS)
        self._panel_rows = {key: chooser for key, chooser in self._panel_rows.items() if key[0] in near}
        forms = self._panel.forms(named=named)
        active, sizes = {}, []
        for row in largest:
            track = tracks[row]
            active[row] = activity([near[track]] if track in near else [], self._legend.opposite)
            chosen = self._chooser(track, self._panel.rows).choose(active[row])
            sizes.append([(form.width, self._panel.height(form, chosen)) for form in forms])
        places = self._placer.place([(tracks[row], blocked[row]) for row in largest], sizes, blocked)
        for row in largest:
            place = places.get(tracks[row])
            if place is not None:
                form = forms[place.size]
                chosen = self._chooser(tracks[row], form.rows).choose(active[row])
                drawn, mask = self._panel.draw(
                    tracks[row],
                    form,
                    self._legend.in_facs_order(chosen),
                    result.probabilities[row],
                    result.occurrences[row],
                    valid=bool(result.valid[row]),
                )
                picture.paste(drawn, (place.left, place.top), mask)
        self._panel.forget(set(tracks))

    def _chooser(self, track: int, rows: int) -> Chooser:
        return self._panel_rows.setdefault((track, rows), Chooser(rows))


def _placed(result: FrameResult, factor: float, shift: tuple[int, int]) -> FrameResult:
    """The same result with its boxes and points where they lie in the drawn picture."""
    if factor == 1.0 and shift == (0, 0):
        return result
    faces = result.faces
    moved = np.array(shift, np.float32)
    boxes = faces.boxes * np.float32(factor)
    boxes[:, :2] += moved
    # Whole numbers are the centres of pixels.
    landmarks = (faces.landmarks + np.float32(0.5)) * np.float32(factor) - np.float32(0.5) + moved
    return replace(result, faces=replace(faces, boxes=boxes, landmarks=landmarks))

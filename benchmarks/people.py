"""Pictures of any size with 0 to 16 faces: scikit-image's astronaut, pasted onto her own blurred colours."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.clips import photo_astronaut

SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
GRIDS = {0: (1, 1), 1: (1, 1), 4: (2, 2), 16: (4, 4)}  # faces: columns, rows
_HEAD = (128, 0, 384, 256)  # of the photograph: the face and what is around it, square


def people(width, height, faces, frames=1, *, side=None):
    """Pictures uint8 (height, width, 3); the heads sway by a few pixels.

    side: pixels of a head with its surroundings; by default 0.9 of its cell's shorter side. The face is about
    a third of that.
    """
    photo = Image.fromarray(photo_astronaut())
    background = photo.resize((16, 9)).resize((width, height), Image.Resampling.BICUBIC)
    columns, rows = GRIDS[faces]
    side = side or int(0.9 * min(width / columns, height / rows))
    head = photo.crop(_HEAD).resize((side, side), Image.Resampling.BICUBIC)
    for index in range(frames):
        picture = background.copy()
        sway = round(side / 20 * np.sin(index / 15))
        for number in range(faces):
            left = (number % columns + 0.5) * width / columns - side / 2 + sway
            top = (number // columns + 0.5) * height / rows - side / 2
            picture.paste(head, (int(left), int(top)))
        yield np.asarray(picture)

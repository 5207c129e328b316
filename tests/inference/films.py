"""A film in which people come, go and hide, with a cut, at 5 frames a second: long in time, few frames."""

import numpy as np
from PIL import Image

from tests.clips import photo_astronaut

WIDTH, HEIGHT, FRAMES, RATE = 300, 160, 120, 5
HIDDEN = range(37, 40)  # person A behind the edge, for less than a track lives
CUT = 104


def film(frames=range(FRAMES)):
    """A is there until frame 50 (hidden once), B from 22 to 98, C from 88 on, over the cut."""
    face = Image.fromarray(photo_astronaut()[20:240, 110:330]).resize((110, 110), Image.Resampling.BICUBIC)
    other = face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    across = np.linspace(60, 160, WIDTH, dtype=np.float32)[None, :, None]
    down = np.linspace(0, 50, HEIGHT, dtype=np.float32)[:, None, None]
    for index in frames:
        scene = across + down if index < CUT else 220 - across - down + np.array([-40, 10, 40], np.float32)
        picture = Image.fromarray(np.clip(scene + np.zeros(3, np.float32), 0, 255).astype(np.uint8))
        if index < 50 and index not in HIDDEN:
            picture.paste(face, (5 + index // 2, 20 + index // 8))
        if 22 <= index < 98:
            picture.paste(other, (180 - index // 5, 30))
        if index >= 88:
            picture.paste(face, (20 + (index - 88) // 2, 25))
        yield np.asarray(picture)


def uneven_pts():
    """Time stamps in milliseconds, 80 to 320 ms apart."""
    steps = np.random.default_rng(7).integers(80, 321, FRAMES)
    return tuple(int(value) for value in np.cumsum(steps))

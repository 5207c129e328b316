"""The clips of `tests.clips.RECIPES`, and others that a decoder may get wrong: hidden and damaged packets."""

import numpy as np

from tests.clips import RECIPES, numbered_frames, truncate, write_clip, zero_middle

FIRST = {"movflags": "faststart"}  # the index before the pictures
HDR = "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
COUNT = 24


def write_all(folder):
    """Paths by name, those of the recipes among them."""
    clips = {name: recipe.write_numbered(folder / name, COUNT) for name, recipe in RECIPES.items()}
    noise = np.random.default_rng(0).integers(0, 255, (50, 64, 96, 3), np.uint8)
    clips["edit_list"] = write_clip(
        folder / "edit_list.mp4",
        numbered_frames(40),
        pts=[40 * index - 520 for index in range(40)],
        container_options={"avoid_negative_ts": "disabled"},
    )
    clips["raw"] = write_clip(folder / "raw.h264", numbered_frames(10))
    clips["cut"] = truncate(
        write_clip(folder / "cut.mp4", numbered_frames(40), bframes=3, container_options=FIRST), 0.7
    )
    clips["hole"] = zero_middle(write_clip(folder / "hole.mkv", noise, gop=5), 0.1)
    parts = [
        write_clip(folder / "a.ts", numbered_frames(10, 192, 128)),
        write_clip(folder / "b.ts", numbered_frames(10, 256, 192), pts=[400 + 40 * n for n in range(10)]),
    ]
    clips["two_sizes"] = folder / "two_sizes.ts"
    clips["two_sizes"].write_bytes(b"".join(part.read_bytes() for part in parts))
    for name, options in {
        "full_range": {"pix_fmt": "yuvj420p"},
        "bt709": {"codec_options": {"x264-params": "colormatrix=bt709"}},
        "ten_bits": {"pix_fmt": "yuv420p10le"},
        "bt2020": {"codec": "libx265", "pix_fmt": "yuv420p10le", "codec_options": {"x265-params": HDR}},
    }.items():
        clips[name] = write_clip(folder / f"{name}.mkv", numbered_frames(6), **options)
    return clips

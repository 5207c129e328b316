"""Single pictures and folders of numbered pictures."""

import numpy as np
import pytest
from PIL import Image

from aucli.datatypes import Selection, Source
from aucli.errors import MediaError
from aucli.media import discover, probe
from aucli.media.decode import open_decoder
from tests.clips import numbered_frames, read_number


def decode(source, **selection):
    with open_decoder(source, Selection(**selection)) as opened:
        return list(opened.frames()), opened.summary


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "take_1"
    path.mkdir()
    for number, picture in enumerate(numbered_frames(12)):
        Image.fromarray(picture).save(path / f"frame_{number}.png")  # not padded: natural order needed
    return path


def test_folder_counts_pictures_as_seconds(folder):
    [source] = discover([folder]).sources
    assert (source.kind, source.name) == ("image_folder", "take_1")
    frames, summary = decode(source)
    assert [read_number(frame.pixels) for frame in frames] == list(range(12))
    assert [(frame.index, frame.pts_seconds) for frame in frames] == [(n, float(n)) for n in range(12)]
    assert summary.problem is None
    assert (summary.decoder, summary.frames_decoded, summary.frames_from_header) == ("images", 12, 12)
    frames, _ = decode(source, start_seconds=3, end_seconds=9, every=2)
    assert [read_number(frame.pixels) for frame in frames] == [3, 5, 7]
    described = probe(source)
    assert (described.container, described.codec, described.frames_from_header) == ("folder", "png", 12)
    assert (described.width, described.height, described.frame_rate) == (192, 128, None)


def test_damaged_picture_in_a_folder_is_counted_and_the_others_keep_their_place(folder):
    (folder / "frame_5.png").write_bytes((folder / "frame_5.png").read_bytes()[:200])
    (folder / "frame_7.png").write_text("no picture")
    frames, summary = decode(Source(folder, "take_1", "image_folder"))
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 6, 8, 9, 10, 11]
    assert [read_number(frame.pixels) for frame in frames] == [frame.index for frame in frames]
    assert summary.packets_failed == 2
    assert summary.problem is not None


def test_folder_of_damaged_pictures_fails(folder):
    for path in folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(MediaError, match=r"frame_0\.png: is empty"):
        decode(Source(folder, "take_1", "image_folder"))


def test_folder_that_changed_or_went(folder, tmp_path):
    with pytest.raises(MediaError, match="no such file or directory"):
        open_decoder(Source(tmp_path / "gone", "gone", "image_folder"))
    Image.new("RGB", (10, 10)).save(folder / "poster.png")
    with pytest.raises(MediaError, match="no folder of numbered pictures"):
        open_decoder(Source(folder, "take_1", "image_folder"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path, orientation):
    # The inverse of each of the eight orientations, as a camera held that way stores the picture.
    [*_, picture] = numbered_frames(6)
    stored = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.swapaxes(0, 1),
        6: np.rot90(picture, 1),
        7: picture.swapaxes(0, 1)[::-1, ::-1],
        8: np.rot90(picture, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=95)
    source = Source(path, path.name, "image")
    [frame], summary = decode(source)
    assert read_number(frame.pixels) == 5
    assert (frame.index, frame.pts_seconds, summary.problem) == (0, 0.0, None)
    described = probe(source)
    assert (described.width, described.height) == (frame.width, frame.height) == (192, 128)


def test_pictures_of_all_modes_become_rgb(tmp_path):
    [*_, picture] = numbered_frames(4)
    image = Image.fromarray(picture)
    image.convert("L").save(tmp_path / "gray.png")
    image.convert("RGBA").save(tmp_path / "alpha.png")
    image.convert("P").save(tmp_path / "palette.png")
    image.convert("CMYK").save(tmp_path / "print.jpg")
    Image.fromarray(picture[:, :, 0].astype(np.uint16) * 257).save(tmp_path / "gray16.png")
    for path in tmp_path.iterdir():
        [frame], _ = decode(Source(path, path.name, "image"))
        assert read_number(frame.pixels, colour="gray" not in path.name) == 3, path.name
        assert abs(frame.pixels[20:40, 4:12].float().mean() - 230) < 5, path.name


def test_pictures_that_cannot_be_read_say_why(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("text")
    Image.new("RGB", (64, 64)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:60])
    for name, reason in {
        "empty.jpg": "is empty",
        "text.png": "cannot be read",
        "cut.png": "cannot be read",
        "gone.png": "No such",
    }.items():
        with pytest.raises(MediaError, match=reason) as caught:
            decode(Source(tmp_path / name, name, "image"))
        assert name in str(caught.value)

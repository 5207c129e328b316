"""Crops: ready ones in the authors' way, prepared ones into another convention, pictures by their points."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aucli.datasets.labelled import LabelledFaces
from aucli.datasets.open import open_dataset
from aucli.datasets.pictures import Unreadable, read_crops, recut, resize_and_centre
from aucli.datasets.prepared import PREPARED_CROP
from aucli.datatypes import CropConvention
from aucli.errors import MediaError, UsageError
from aucli.faces.align import crop_faces
from tests.clips import photo_astronaut

GOLDENS = json.loads((Path(__file__).parent / "goldens" / "preprocess.json").read_text())
FACES = Path(__file__).parents[1] / "data" / "synthfaces"


def ready(folder, count):
    """Crops of 256 x 256, the first gray value 10, then 11, ..."""
    for number in range(count):
        Image.fromarray(np.full((256, 256, 3), 10 + number, np.uint8)).save(folder / f"{number}.png")
    return LabelledFaces(
        "test",
        folder,
        ("AU1",),
        tuple(f"{number}.png" for number in range(count)),
        ("S",) * count,
        ("",) * count,
        np.zeros(count, np.int32),
        np.zeros((count, 1), np.int8),
    )


@pytest.mark.parametrize("size", GOLDENS)
def test_ready_crops_are_those_of_the_official_code_bit_for_bit(size):
    width, height = map(int, size.split("x"))
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    picture = ((3 * x + 5 * y + 70 * c + (x * y) // 64) % 256).astype(np.uint8)
    crop = resize_and_centre(picture, 224)
    assert crop.shape == (224, 224, 3)
    assert zlib.crc32(np.ascontiguousarray(crop).tobytes()) == GOLDENS[size]


def test_another_size_keeps_the_same_part(tmp_path):
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[16:240, 16:240] = 255  # what the centre crop keeps
    for size in (112, 224, 448):
        crop = resize_and_centre(picture, size)
        assert crop.shape == (size, size, 3)
        assert crop[2:-2, 2:-2].min() == 255


def test_rows_come_in_the_order_asked_for(tmp_path):
    crops = read_crops(ready(tmp_path, 3), [2, 0], CropConvention(), size=32)
    assert crops.shape == (2, 32, 32, 3)
    assert crops.dtype == np.uint8
    assert crops[:, 0, 0, 0].tolist() == [12, 10]


def test_the_size_is_the_convention_s_by_default(tmp_path):
    assert read_crops(ready(tmp_path, 1), [0], CropConvention(size=64)).shape == (1, 64, 64, 3)


def test_pictures_with_points_are_aligned():
    faces = open_dataset("synthfaces", FACES, "val")
    convention = CropConvention(size=112)
    crops = read_crops(faces, [0, 5], convention)
    pictures = np.stack([np.asarray(Image.open(FACES / faces.paths[row]).convert("RGB")) for row in (0, 5)])
    wanted = crop_faces(torch.from_numpy(pictures), np.arange(2), faces.points[[0, 5]], convention)
    assert np.abs(crops.transpose(0, 3, 1, 2) - wanted.numpy()).max() <= 0.5


def test_prepared_crops_become_default_crops_without_a_change():
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    assert np.array_equal(recut(crop, PREPARED_CROP, CropConvention(224)), crop[16:240, 16:240])
    assert np.array_equal(recut(crop, PREPARED_CROP, PREPARED_CROP), crop)


@pytest.mark.parametrize(
    "wanted", [CropConvention(224, 1.44, -0.2), CropConvention(224, 0.91, 0.0), CropConvention(112)]
)
def test_a_recut_crop_is_what_the_aligner_cuts_from_the_photograph(wanted):
    photo = torch.from_numpy(photo_astronaut().copy()).unsqueeze(0)
    points = np.array([[[203, 108], [250, 110], [228, 133], [208, 157], [247, 158]]], np.float32)

    def cut(convention):
        crop = crop_faces(photo, np.zeros(1, np.int64), points, convention)[0]
        return crop.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()

    from_crop, from_photo = recut(cut(PREPARED_CROP), PREPARED_CROP, wanted), cut(wanted)
    difference = np.abs(from_crop.astype(float) - from_photo.astype(float))
    # A shift by one pixel alone makes a mean difference several times as large.
    shifted = np.abs(from_crop[:, 1:].astype(float) - from_photo[:, :-1]).mean()
    assert difference.mean() < 2.5
    assert difference.mean() < 0.5 * shifted


def test_a_looser_crop_repeats_the_edge():
    crop = np.zeros((256, 256, 3), np.uint8)
    crop[:, :128] = 200
    loose = recut(
        crop, PREPARED_CROP, CropConvention(128, PREPARED_CROP.scale / 2, PREPARED_CROP.shift_y / 2)
    )
    assert loose[:, :60].min() == 200
    assert loose[:, 68:].max() == 0


def test_a_crop_of_another_size_than_prepared_is_refused(tmp_path):
    faces = replace(ready(tmp_path, 1), crop=PREPARED_CROP)
    Image.new("RGB", (100, 100)).save(tmp_path / "0.png")
    with pytest.raises(UsageError, match="100 x 100 pixels where 256 x 256"):
        read_crops(faces, [0], CropConvention())


def test_unreadable_pictures_are_counted_and_stop_above_one_percent(tmp_path):
    faces = ready(tmp_path, 200)
    (tmp_path / "7.png").write_bytes(b"no picture")
    (tmp_path / "9.png").unlink()
    unreadable = Unreadable(len(faces))
    crops = read_crops(faces, [6, 7, 8, 9], CropConvention(), size=16, unreadable=unreadable)
    assert unreadable.rows == {7, 9}
    assert "7.png" in unreadable.reasons[7]
    assert crops[[1, 3]].max() == 0
    assert crops[[0, 2], 0, 0, 0].tolist() == [16, 18]
    # The same pictures again, as in the next epoch, are no more of them.
    read_crops(faces, [7, 9], CropConvention(), size=16, unreadable=unreadable)
    (tmp_path / "11.png").unlink()
    with pytest.raises(UsageError, match="3 of 200 pictures cannot be read, more than 1 %"):
        read_crops(faces, [11], CropConvention(), size=16, unreadable=unreadable)


def test_without_a_counter_the_first_unreadable_picture_raises(tmp_path):
    faces = ready(tmp_path, 2)
    (tmp_path / "1.png").unlink()
    with pytest.raises(MediaError, match=r"1\.png"):
        read_crops(faces, [0, 1], CropConvention())

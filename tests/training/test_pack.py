"""Packed crops: what is in the file, and what becomes of pictures and disks that fail."""

import json
import resource
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from aucli.datasets.labelled import LabelledFaces
from aucli.datasets.open import open_dataset
from aucli.datasets.pictures import read_crops
from aucli.datatypes import CropConvention
from aucli.errors import OutputError, UsageError
from aucli.training.distributed import Ranks
from aucli.training.material import examples_of, weights_of
from aucli.training.pack import make_pack, open_pack

CONVENTION = CropConvention(size=112)


@pytest.fixture
def faces(few):
    return open_dataset("synthfaces", few, "train", au_set="disfa")


def ready_crops(folder, sizes):
    """Pictures without points: as ME-GraphAU's users have them."""
    rng = np.random.default_rng(0)
    names = []
    for number, size in enumerate(sizes):
        noise = Image.fromarray(rng.integers(0, 256, (9, 9, 3)).astype(np.uint8))
        names.append(f"{number}.png")
        noise.resize(size, Image.Resampling.BICUBIC).save(folder / names[-1])
    count = len(names)
    labels = (np.arange(count * 8).reshape(count, 8) % 3 == 0).astype(np.int8)
    return LabelledFaces(
        dataset="table",
        root=folder,
        au_names=tuple(f"AU{n}" for n in (1, 2, 4, 6, 9, 12, 25, 26)),
        paths=tuple(names),
        subjects=tuple(f"P{number % 5}" for number in range(count)),
        videos=("",) * count,
        frames=np.full(count, -1, np.int32),
        labels=labels,
    )


def packed(path, faces, convention=CONVENTION):
    make_pack(path, faces, convention)
    pack = open_pack(path, faces, convention)
    assert pack is not None
    return pack


def test_the_centre_is_the_crop_that_extract_makes(faces, tmp_path):
    pack = packed(tmp_path / "crops.u8", faces)
    assert pack.crops.shape == (36, 128, 128, 3)
    centre = pack.crops[:, 8:-8, 8:-8].astype(np.int16)
    exact = read_crops(faces, range(36), CONVENTION).astype(np.int16)
    assert np.abs(centre - exact).max() <= 1  # rounding of the place in the picture


def test_the_centre_of_a_ready_crop_is_the_authors_test_crop(tmp_path):
    faces = ready_crops(tmp_path, [(256, 256), (300, 260), (240, 341), (97, 120)])
    pack = packed(tmp_path / "crops.u8", faces, CropConvention(size=224))
    want = read_crops(faces, range(4), CropConvention(size=224))
    difference = np.abs(pack.crops[:, 16:-16, 16:-16].astype(np.int16) - want)
    assert difference[0].max() == 0
    # An odd number of pixels is cut to the square first, and from there again: half a pixel of difference.
    assert difference.mean() < 3


def test_it_is_reused_for_the_same_faces_only(faces, tmp_path):
    path = tmp_path / "crops.u8"
    packed(path, faces)
    assert open_pack(path, replace(faces, labels=1 - faces.labels), CONVENTION) is None
    assert open_pack(path, faces, CropConvention(size=112, scale=1.0)) is None
    with path.open("ab") as file:
        file.write(b"x")
    assert open_pack(path, faces, CONVENTION) is None


def test_a_picture_that_cannot_be_read_is_left_out_and_said(tmp_path):
    faces = ready_crops(tmp_path, [(40, 40)] * 150)
    (tmp_path / "7.png").write_bytes(b"no picture")
    events = []
    examples = examples_of(
        faces,
        CropConvention(size=64),
        tmp_path / "crops.train.u8",
        part="train",
        ranks=Ranks(),
        on_event=events.append,
    )
    assert len(examples) == 149
    assert 7 not in examples.rows
    assert examples.names[7] == "8.png"
    np.testing.assert_array_equal(examples.labels[7], faces.labels[8])
    (note,) = (event.text for event in events if hasattr(event, "text"))
    assert note.startswith("1 of 150 pictures of train left out: ")
    assert "7.png" in note


def test_more_than_one_in_a_hundred_stops(tmp_path):
    faces = ready_crops(tmp_path, [(40, 40)] * 150)
    for number in (7, 9):
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"2 of 150 pictures cannot be read, more than 1 %"):
        make_pack(tmp_path / "crops.u8", faces, CropConvention(size=64))
    assert not list(tmp_path.glob("crops*"))


def test_a_full_disk_leaves_nothing(faces, tmp_path):
    path = tmp_path / "crops.u8"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*crops\.u8: File too large"):
            make_pack(path, faces, CONVENTION)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_said_before_anything_is_cut(faces, tmp_path, monkeypatch):
    # As on a disk with a megabyte left: filling the real one would fail other tests.
    monkeypatch.setattr("aucli.training.material.free_bytes", lambda folder: 10**6)
    with pytest.raises(OutputError, match=r"36 faces need 0\.0 GB.*room for 0\.0"):
        examples_of(
            *(faces, CONVENTION, tmp_path / "crops.u8"),
            part="train",
            ranks=Ranks(),
            on_event=lambda event: None,
        )


def test_an_au_that_never_occurs_is_named(faces):
    labels = faces.labels.copy()
    labels[:, 2] = np.minimum(labels[:, 2], 0)
    with pytest.raises(UsageError, match="AU4 never occurs in the training part"):
        weights_of(replace(faces, labels=labels))


def test_a_killed_packing_is_done_again(few, tmp_path):
    """The file is under its name only when it is whole, and counts only with its description."""
    script = (
        "import os, sys; from pathlib import Path; from aucli.datasets.open import open_dataset\n"
        "from aucli.datatypes import CropConvention; from aucli.training.pack import make_pack\n"
        f"faces = open_dataset('synthfaces', Path({str(few)!r}), 'train', au_set='disfa')\n"
        f"make_pack(Path({str(tmp_path / 'crops.u8')!r}), faces, CropConvention(size=112),\n"
        "    lambda done: os._exit(9))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == 9
    faces = open_dataset("synthfaces", few, "train", au_set="disfa")
    assert not (tmp_path / "crops.u8").exists()
    packed(tmp_path / "crops.u8", faces)
    about = json.loads((tmp_path / "crops.json").read_text())
    assert about["of"]["faces"] == 36

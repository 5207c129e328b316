import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import adaptive_avg_pool2d

from aucli.errors import UsageError
from aucli.faces.detect import make_detector
from aucli.faces.detect.integral import crop_by_area, resize_by_area, summed_area
from tests.clips import photo_astronaut, photo_t1
from tests.faces.stream import batch_of

PHOTOS = {"t1": (photo_t1, 6), "astronaut": (photo_astronaut, 1)}


def by_facenet_pytorch(picture, min_face):
    """Corners, scores and landmarks, best first, by the package whose weights we use."""
    from facenet_pytorch import MTCNN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it makes arrays of unequal rows
        found = MTCNN(keep_all=True, min_face_size=min_face).detect(Image.fromarray(picture), landmarks=True)
    boxes, scores, landmarks = (np.array(list(part), dtype=np.float64) for part in found)
    order = np.argsort(-scores, kind="stable")
    return boxes[order], scores[order], landmarks[order]


@pytest.mark.parametrize("photo", PHOTOS)
def test_cascade_equals_facenet_pytorch(photo, mtcnn):
    make, people = PHOTOS[photo]
    picture = make()
    boxes, scores, landmarks = by_facenet_pytorch(picture, min_face=40)
    with torch.inference_mode():
        cascade = mtcnn._cascade(summed_area(batch_of(picture)))
    assert len(cascade[0]) == len(boxes) == people
    # Pixels; what is left is float32 in another order of summation.
    np.testing.assert_allclose(cascade[0], boxes, atol=2e-3)
    np.testing.assert_allclose(cascade[1], scores, atol=1e-5)
    np.testing.assert_allclose(cascade[2], landmarks, atol=2e-3)

    (faces,) = mtcnn.detect(batch_of(picture))
    np.testing.assert_allclose(faces.boxes[:, :2], boxes[:, :2], atol=2e-3)
    np.testing.assert_allclose(faces.boxes[:, 2:], boxes[:, 2:] - boxes[:, :2], atol=2e-3)
    # The mean of five looks differs from one look by what one look wavers: seen up to 7 % of the width.
    moved = np.abs(faces.landmarks - landmarks).max(axis=(1, 2)) / faces.boxes[:, 2]
    assert np.median(moved) < 0.03
    assert moved.max() < 0.08


def test_a_picture_gives_the_same_faces_alone_and_in_any_batch(mtcnn):
    picture = photo_astronaut()
    shifted = np.roll(picture, 37, axis=1)
    empty = np.full_like(picture, 90)
    (alone,) = mtcnn.detect(batch_of(picture))
    together = mtcnn.detect(batch_of(empty, picture, shifted, picture))
    assert [len(faces) for faces in together] == [0, 1, 1, 1]
    for faces in (together[1], together[3]):
        np.testing.assert_array_equal(faces.boxes, alone.boxes)
        np.testing.assert_array_equal(faces.landmarks, alone.landmarks)


def test_landmarks_of_a_face_at_the_edge_stay_with_the_face(mtcnn):
    # facenet-pytorch puts them off by a quarter of the box here: it stretches what is left of the square.
    picture = photo_astronaut()
    (whole,) = mtcnn.detect(batch_of(picture))
    top = 85  # the upper edge now cuts the forehead
    (cut,) = mtcnn.detect(batch_of(picture[top:]))
    moved = np.abs(cut.landmarks[0] + [0, top] - whole.landmarks[0]).max()
    assert cut.boxes[0, 1] < 0
    assert moved < 0.06 * whole.boxes[0, 2]


def test_landmarks_hardly_waver_when_the_picture_slides(mtcnn):
    picture = photo_astronaut()
    windows = [picture[20:260, 100 + shift : 340 + shift] for shift in range(8)]
    found = mtcnn.detect(batch_of(*windows))
    landmarks = np.stack([faces.landmarks[0] + [shift, 0] for shift, faces in enumerate(found)])
    eyes = np.linalg.norm(landmarks[0, 1] - landmarks[0, 0])
    assert landmarks.std(axis=0).mean() < 0.01 * eyes


def test_refit_finds_the_landmarks_of_the_detection_again(mtcnn):
    picture = photo_t1()
    (faces,) = mtcnn.detect(batch_of(picture))
    nudged = faces.boxes + np.array([0.1, -0.08, 0.05, 0.05], np.float32) * faces.boxes[:, 2:3]
    (again,) = mtcnn.refit(batch_of(picture), [nudged])
    assert (again.scores > 0.9).all()
    moved = np.abs(again.landmarks - faces.landmarks).max(axis=(1, 2)) / faces.boxes[:, 2]
    assert moved.max() < 0.06


def test_refit_is_kept_apart_by_picture_and_scores_low_where_there_is_no_face(mtcnn):
    picture = photo_astronaut()
    (faces,) = mtcnn.detect(batch_of(picture))
    nothing = np.zeros((0, 4), np.float32)
    elsewhere = np.array([[20, 380, 90, 110], [-500, -500, 80, 80]], np.float32)
    first, second, third = mtcnn.refit(batch_of(picture, picture, picture), [faces.boxes, nothing, elsewhere])
    assert first.scores[0] > 0.9
    assert len(second) == 0
    assert len(third) == 2
    assert (third.scores < 0.5).all()
    assert mtcnn.refit(batch_of(picture), [nothing])[0].boxes.shape == (0, 4)


@pytest.mark.parametrize("shape", [(8, 8), (12, 300), (39, 39), (41, 41), (720, 13)])
def test_tiny_and_narrow_pictures_have_no_faces(shape, mtcnn):
    assert [len(faces) for faces in mtcnn.detect(torch.zeros((2, *shape, 3), dtype=torch.uint8))] == [0, 0]


def test_min_face_leaves_out_smaller_faces():
    picture = photo_astronaut()  # one face, 88 x 111 pixels
    assert len(make_detector("mtcnn", min_face=60).detect(batch_of(picture))[0]) == 1
    assert len(make_detector("mtcnn", min_face=300).detect(batch_of(picture))[0]) == 0


def test_version_names_the_weights(mtcnn):
    assert mtcnn.version.startswith("facenet-pytorch 2.5.3, sha256 ")


def test_unknown_detector_is_refused():
    with pytest.raises(UsageError, match="--detector 'haar': choose one of mtcnn, insightface"):
        make_detector("haar")


def test_area_means_equal_torch():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, 77, 101, 3), dtype=torch.uint8, generator=generator)
    planes = pictures.permute(0, 3, 1, 2).double()
    table = summed_area(pictures)
    np.testing.assert_allclose(
        resize_by_area(table, 23, 31).permute(0, 3, 1, 2), adaptive_avg_pool2d(planes, (23, 31)), atol=1e-4
    )
    corners = torch.tensor([[5, 7, 60, 61], [0, 0, 10, 10], [-20, 50, 40, 110]])
    crops = crop_by_area(table, torch.tensor([1, 0, 0]), corners, 24).permute(0, 3, 1, 2)
    padded = torch.nn.functional.pad(planes, (50, 50, 50, 50))
    for crop, index, (left, top, right, bottom) in zip(crops, (1, 0, 0), corners.tolist(), strict=True):
        window = padded[index, :, 50 + top : 50 + bottom, 50 + left : 50 + right]
        np.testing.assert_allclose(crop, adaptive_avg_pool2d(window, (24, 24)), atol=1e-4)


@pytest.mark.gpu
def test_gpu_finds_what_the_cpu_finds(mtcnn):
    pictures = batch_of(photo_t1(), np.roll(photo_t1(), 11, axis=0))
    on_cpu = mtcnn.detect(pictures)
    on_gpu = make_detector("mtcnn", device="cuda", min_face=40).detect(pictures.cuda())
    for first, second in zip(on_cpu, on_gpu, strict=True):
        assert len(first) == len(second)
        np.testing.assert_allclose(second.landmarks, first.landmarks, atol=0.5)

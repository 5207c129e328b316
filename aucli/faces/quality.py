"""How well a face can be judged: head pose and sharpness; see `valid` for the rule made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# The five points on a head that looks straight ahead, in parts of the distance between the eyes: x to
# the right of the picture, y down, z away from the camera. Fitted, with a weak pull towards plain
# anatomy, so that `pose_degrees` on MTCNN's landmarks gives the known angles of 2,000 rendered pictures
# (subjects 0-279 of the synthetic faces that the built-in model is trained on). On 600 pictures of 30
# other subjects, yaw within 55 and pitch within 28 degrees, the mean absolute error is 2.0 degrees in
# yaw, 3.5 in pitch, 1.3 in roll; on the true points, 2.0, 5.9 and 0.9. The mean real face of ArcFace's
# template comes out within 1.2 degrees of straight ahead.
HEAD_POINTS: NDArray[np.float64] = np.array(
    [
        [-0.500, 0.000, 0.000],
        [0.500, 0.000, 0.000],
        [0.000, 0.507, -0.586],
        [-0.344, 1.001, -0.057],
        [0.344, 1.001, -0.057],
    ]
)

_TO_AFFINE: NDArray[np.float64] = np.linalg.pinv(HEAD_POINTS - HEAD_POINTS.mean(axis=0))  # (3, 5)


def pose_degrees(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """float32 (faces, 3): yaw, pitch, roll in degrees, estimated from the five landmarks.

    landmarks: (faces, 5, 2), x, y in pixels.

    Yaw > 0: the head is turned to the person's own left; pitch > 0: up; roll > 0: tilted clockwise in
    the picture. The affine map from `HEAD_POINTS` to the landmarks by least squares, then the nearest
    scaled rotation (scaled orthography, as in POS of DeMenthon and Davis, IJCV 15, 1995), taken apart
    as roll after yaw after pitch. NaN where the landmarks are.
    """
    points = landmarks.astype(np.float64)
    centred = points - points.mean(axis=1, keepdims=True)
    known = np.isfinite(points.reshape(-1, 10).sum(axis=1))
    affine = np.einsum("fpi,kp->fik", np.where(known[:, None, None], centred, 0.0), _TO_AFFINE)
    left, _, right = np.linalg.svd(affine, full_matrices=False)
    rows = left @ right  # (faces, 2, 3), the first two rows of the rotation
    third = np.cross(rows[:, 0], rows[:, 1])
    yaw = np.arcsin(np.clip(third[:, 0], -1.0, 1.0))
    pitch = -np.arctan2(third[:, 1], third[:, 2])
    roll = np.arctan2(rows[:, 1, 0], rows[:, 0, 0])
    degrees: NDArray[np.float32] = np.degrees(np.stack([yaw, pitch, roll], axis=1)).astype(np.float32)
    degrees[~known] = np.nan
    return degrees


def sharpness(crops: Tensor) -> NDArray[np.float32]:
    """float32 (faces,): variance of the Laplacian of the grey crop, without its outermost pixels.

    crops: float32 (faces, 3, size, size), RGB, 0 to 255, as `aucli.faces.align.crop_faces` gives them.

    The four-neighbour Laplacian; the measure of Pech-Pacheco et al. (ICPR 2000). As faces are compared
    in one aligned size, a small face that was enlarged counts as unsharp, which it is. Values of
    different crop conventions cannot be compared.
    """
    grey = 0.299 * crops[:, 0] + 0.587 * crops[:, 1] + 0.114 * crops[:, 2]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    laplacian = (around - 4 * grey[:, 1:-1, 1:-1]).flatten(1)
    deviation = laplacian - laplacian.mean(dim=1, keepdim=True)
    variance: NDArray[np.float32] = deviation.square().mean(dim=1).cpu().numpy()
    return variance

"""The three networks of MTCNN and where their weights come from.

K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint face detection and alignment using multitask cascaded
convolutional networks", IEEE Signal Processing Letters 23(10), 2016. The weights are those that
facenet-pytorch (MIT, T. Esler) carries in its wheel, converted from D. Sandberg's facenet (MIT).
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from aucli.errors import CheckpointError, MissingDependencyError


def _halve(features: Tensor, dim: int) -> Tensor:
    """Maximum of neighbouring pairs; an odd last entry stays alone (ceil_mode)."""
    length = features.shape[dim]
    even = features[:, :, 0::2] if dim == 2 else features[..., 0::2]
    odd = features[:, :, 1::2] if dim == 2 else features[..., 1::2]
    pairs = torch.maximum(even.narrow(dim, 0, length // 2), odd)
    return pairs if length % 2 == 0 else torch.cat([pairs, even.narrow(dim, length // 2, 1)], dim)


class PNet(nn.Module):
    """Proposals: slides over a whole picture in steps of 2 pixels with a window of 12."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(pictures, 3, height, width) to scores (pictures, rows, columns) and box changes (.., 4, ..)."""
        features = self.prelu1(self.conv1(pictures))
        # The same as nn.MaxPool2d(2, 2, ceil_mode=True), which is three times slower on the CPU.
        features = _halve(_halve(features, 2), 3)
        features = self.prelu3(self.conv3(self.prelu2(self.conv2(features))))
        return self.conv4_1(features).softmax(dim=1)[:, 1], self.conv4_2(features)


class RNet(nn.Module):
    """Refinement of proposals seen in 24 x 24 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """(crops, 3, 24, 24) to scores (crops,) and box changes (crops, 4)."""
        features = self.pool(self.prelu1(self.conv1(crops)))
        features = self.pool(self.prelu2(self.conv2(features)))
        features = self.prelu3(self.conv3(features))
        # The weights come from Caffe's column-major order: width before height.
        features = self.prelu4(self.dense4(features.permute(0, 3, 2, 1).flatten(1)))
        return self.dense5_1(features).softmax(dim=1)[:, 1], self.dense5_2(features)


class ONet(nn.Module):
    """Output: the final score, box and landmarks, seen in 48 x 48 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(crops, 3, 48, 48) to scores (crops,), box changes (crops, 4), landmarks (crops, 5, 2).

        Landmarks are x, y in parts of the crop's side.
        """
        features = self.pool(self.prelu1(self.conv1(crops)))
        features = self.pool(self.prelu2(self.conv2(features)))
        features = self.pool3(self.prelu3(self.conv3(features)))
        features = self.prelu4(self.conv4(features))
        features = self.prelu5(self.dense5(features.permute(0, 3, 2, 1).flatten(1)))
        landmarks = self.dense6_3(features).view(-1, 2, 5).transpose(1, 2)
        return self.dense6_1(features).softmax(dim=1)[:, 1], self.dense6_2(features), landmarks


def load_nets(device: torch.device) -> tuple[PNet, RNet, ONet, str]:
    """The three networks, ready to run, and one SHA-256 (hex) over their weight files.

    Raises:
        MissingDependencyError: facenet-pytorch is not installed.
        CheckpointError: its weight files do not fit the networks.
    """
    found = find_spec("facenet_pytorch")  # does not import it: that would cost a second
    folder = Path(found.origin).parent / "data" if found and found.origin else None
    if folder is None or not (folder / "pnet.pt").is_file():
        raise MissingDependencyError(
            "--detector mtcnn: its weights come with the package facenet-pytorch, which is not "
            "installed: pip install facenet-pytorch==2.5.3"
        )
    digest = hashlib.sha256()
    nets = (PNet(), RNet(), ONet())
    for net, file in zip(nets, ("pnet.pt", "rnet.pt", "onet.pt"), strict=True):
        digest.update((folder / file).read_bytes())
        try:
            net.load_state_dict(torch.load(folder / file, weights_only=True, map_location="cpu"))
        except RuntimeError as error:
            raise CheckpointError(
                f"{folder / file} does not fit MTCNN: pip install --force-reinstall "
                f"facenet-pytorch==2.5.3 ({error})"
            ) from error
        # Small channel counts: channels last is 1.5 times faster on the CPU.
        net.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]  # torch's stubs lack this form
    return *nets, digest.hexdigest()

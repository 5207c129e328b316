"""Pictures as the frames of a stream, without a file."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import torch

from aucli.datatypes import Frame


def batch_of(*pictures) -> torch.Tensor:
    return torch.from_numpy(np.stack([np.array(picture) for picture in pictures]))


def frames_of(pictures: Iterable, rate: int = 25) -> Iterator[Frame]:
    for index, picture in enumerate(pictures):
        yield Frame(index, index, Fraction(1, rate), torch.from_numpy(np.array(picture)))

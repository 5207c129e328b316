"""Which pictures a step sees, whoever computes it."""

import numpy as np
import pytest

from aucli.training.order import epoch_order, positions_of, shares, steps_of


def test_an_epoch_has_every_picture_once_in_an_order_of_its_own():
    first, second = epoch_order(103, 7, 0), epoch_order(103, 7, 1)
    assert sorted(first) == sorted(second) == list(range(103))
    assert (first != second).any()
    np.testing.assert_array_equal(first, epoch_order(103, 7, 0))
    assert (first != epoch_order(103, 8, 0)).any()


@pytest.mark.parametrize(("pictures", "batch"), [(103, 10), (100, 10), (9, 10), (129, 64), (65, 64)])
def test_batches_are_nearly_equal_and_cover_the_epoch(pictures, batch):
    steps = steps_of(pictures, batch)
    assert steps == -(-pictures // batch)  # as many as with a small last one
    parts = [positions_of(pictures, batch, step) for step in range(steps)]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(pictures))
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1
    assert batch / 2 <= min(sizes) or steps == 1
    assert max(sizes) <= batch


@pytest.mark.parametrize("accumulate", [1, 3])
def test_ranks_share_each_part_of_a_batch(accumulate):
    positions = positions_of(103, 20, 2)
    whole = shares(positions, 1, 0, accumulate)
    parts = [shares(positions, 4, rank, accumulate) for rank in range(4)]
    for number, part in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([rank[number] for rank in parts]), part)
    np.testing.assert_array_equal(np.concatenate(whole), positions)

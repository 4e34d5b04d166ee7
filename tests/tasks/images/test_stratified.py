import pytest
import torch

from node_cli.tasks.images.stratified import proportional_sizes, spread_over_classes


def test_members_are_chosen_evenly_within_each_class():
    labels = torch.tensor([0, 1] * 6)
    chosen = spread_over_classes(labels, [3, 2])
    # Of six members, three are at 1, 3, 5 and two at 1, 4; class k's member i is at 2 i + k.
    assert chosen.tolist() == [2, 3, 6, 9, 10]


@pytest.mark.parametrize("size", [0, 1, 7, 50, 99, 100])
def test_gaps_between_the_chosen_differ_by_at_most_one(size):
    chosen = spread_over_classes(torch.zeros(100, dtype=torch.int64), [size])
    gaps = chosen.diff()
    assert len(chosen.unique()) == size
    assert size < 2 or gaps.max() - gaps.min() <= 1
    assert size == 0 or abs(chosen[0] - (99 - chosen[-1])) <= 1


@pytest.mark.parametrize("sizes", [[4, 1], [1, -1]])
def test_more_than_a_class_has_or_less_than_none_is_refused(sizes):
    with pytest.raises(ValueError, match="members of class"):
        spread_over_classes(torch.tensor([0, 1, 0, 1, 0]), sizes)


@pytest.mark.parametrize("total", range(0, 61, 4))
def test_sizes_are_the_exact_shares_rounded(total):
    counts = [5, 11, 0, 27, 17]
    sizes = proportional_sizes(counts, total)
    assert sum(sizes) == total
    for size, count in zip(sizes, counts, strict=True):
        assert abs(size - total * count / 60) < 1
        assert size <= count


def test_largest_remainders_are_rounded_up():
    assert proportional_sizes([6, 3, 1], 5) == [3, 2, 0]
    assert proportional_sizes([10, 10, 10], 4) == [2, 1, 1]


@pytest.mark.parametrize("total", [-1, 7])
def test_total_beyond_the_members_is_refused(total):
    with pytest.raises(ValueError, match=f"{total} of 6"):
        proportional_sizes([1, 2, 3], total)

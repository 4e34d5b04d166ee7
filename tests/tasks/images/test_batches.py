import pytest
import torch
from torch.nn import functional

from node_cli.errors import DataError
from node_cli.tasks.images.batches import CROP_PADDING, EvalBatches, TrainBatches
from node_cli.tasks.images.labelled_images import Images

CPU = torch.device("cpu")


def numbered(count: int, height: int = 28, width: int = 28, channels: int = 1) -> Images:
    """Images of noise above 0 whose label is their number."""
    generator = torch.Generator().manual_seed(0)
    shape = (count, channels, height, width)
    pixels = torch.randint(1, 256, shape, generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(count))


def naive_crops(image: torch.Tensor) -> torch.Tensor:
    """All crops of one image at all offsets, [81, C, H, W], in floating point."""
    height, width = image.shape[1:]
    padded = functional.pad(image.float() / 255, (CROP_PADDING,) * 4)
    offsets = range(2 * CROP_PADDING + 1)
    return torch.stack([padded[:, y : y + height, x : x + width] for y in offsets for x in offsets])


def epoch_labels(batches: TrainBatches, epoch: int) -> list[int]:
    return [int(y) for i in range(len(batches)) for y in batches.batch(epoch, i)[1]]


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (1, 5, 9), (3, 6, 7)])
def test_each_image_of_a_batch_is_one_of_its_own_crops(channels, height, width):
    images = numbered(50, height, width, channels)
    batches = TrainBatches(images, 25, True, 3, CPU)
    seen = set()
    for epoch in range(20):
        for index in range(2):
            x, y = batches.batch(epoch, index)
            assert x.dtype == torch.float32
            assert x.shape == (25, channels, height, width)
            assert y.dtype == torch.int64
            for image, label in zip(x, y, strict=True):
                same = (naive_crops(images.pixels[label]) == image).all(dim=(1, 2, 3))
                assert same.sum() == 1
                seen.add(int(same.nonzero()))
    assert seen == set(range(81))  # 1000 draws miss one of 81 with probability below 1e-3


def test_offsets_are_uniform():
    count = 8100
    # One bright pixel in the middle: its place in the crop is the offset.
    pixels = torch.zeros(count, 1, 9, 9, dtype=torch.uint8)
    pixels[:, 0, 4, 4] = 255
    batches = TrainBatches(Images(pixels, torch.zeros(count).long()), count, True, 0, CPU)
    counts = batches.batch(0, 0)[0].sum(dim=(0, 1)).flatten()
    # Pearson's statistic has 80 degrees of freedom: mean 80, standard deviation 12.6.
    assert ((counts - 100) ** 2 / 100).sum() < 80 + 5 * 12.6


def test_without_augmentation_the_images_are_those_of_the_set():
    images = numbered(30)
    x, y = TrainBatches(images, 10, False, 0, CPU).batch(2, 1)
    assert x.equal(images.pixels[y].float() / 255)


def test_pixels_are_scaled_to_the_unit_interval():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1)
    [(x, _)] = EvalBatches(Images(pixels, torch.arange(3)), 3, CPU)
    assert x.flatten().tolist() == pytest.approx([0.0, 0.2, 1.0])


def test_batch_depends_on_seed_epoch_and_index_alone():
    images = numbered(64)
    wanted = {
        (epoch, index): TrainBatches(images, 16, True, 7, CPU).batch(epoch, index)
        for epoch in range(3)
        for index in range(4)
    }
    batches = TrainBatches(images, 16, True, 7, CPU)
    for epoch, index in [(2, 3), (0, 0), (2, 0), (1, 2), (1, 1), (0, 3), (2, 3)]:
        torch.manual_seed(epoch)  # the global generator has no part in it
        x, y = batches.batch(epoch, index)
        assert x.equal(wanted[epoch, index][0])
        assert y.equal(wanted[epoch, index][1])


def test_making_batches_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    TrainBatches(numbered(64), 16, True, 7, CPU).batch(0, 0)
    assert torch.get_rng_state().equal(state)


def test_batches_are_not_views_of_the_set():
    images = numbered(20)
    batches = TrainBatches(images, 20, False, 0, CPU)
    before = batches.batch(0, 0)[0].clone()
    batches.batch(0, 0)[0].zero_()
    evaluation = EvalBatches(images, 20, CPU)
    next(iter(evaluation))[0].zero_()
    assert batches.batch(0, 0)[0].equal(before)
    assert next(iter(evaluation))[0].max() > 0


def test_each_epoch_visits_each_image_at_most_once_and_leaves_the_rest_out():
    batches = TrainBatches(numbered(50), 8, True, 0, CPU)
    assert len(batches) == 6
    for epoch in range(4):
        labels = epoch_labels(batches, epoch)
        assert len(labels) == len(set(labels)) == 48


def test_epochs_and_seeds_differ_in_order_and_in_crops():
    images = numbered(64)
    first = TrainBatches(images, 64, True, 0, CPU)
    other_seed = TrainBatches(images, 64, True, 1, CPU)
    orders = [epoch_labels(first, 0), epoch_labels(first, 1), epoch_labels(other_seed, 0)]
    assert all(sorted(order) == list(range(64)) for order in orders)
    assert len(set(map(tuple, orders))) == 3
    # The same images, so only the crops are left to differ.
    same = Images(images.pixels[:1].expand(64, -1, -1, -1), images.labels)
    crops = [TrainBatches(same, 32, True, seed, CPU) for seed in (0, 1)]
    drawn = [crops[0].batch(0, 0), crops[0].batch(0, 1), crops[0].batch(1, 0), crops[1].batch(0, 0)]
    for i in range(4):
        for j in range(i):
            assert not drawn[i][0].equal(drawn[j][0])


@pytest.mark.parametrize("seed", [0, 2**32, 2**63 - 1])
def test_seeds_of_any_size_are_taken(seed):
    images = numbered(16)
    labels = epoch_labels(TrainBatches(images, 16, True, seed, CPU), 0)
    assert sorted(labels) == list(range(16))
    assert seed == 0 or labels != epoch_labels(TrainBatches(images, 16, True, 0, CPU), 0)


@pytest.mark.parametrize("index", [-1, 3])
def test_batch_beyond_the_epoch_is_refused(index):
    with pytest.raises(IndexError, match=f"batch {index} of 3"):
        TrainBatches(numbered(50), 16, True, 0, CPU).batch(0, index)


def test_set_smaller_than_a_batch_is_refused():
    with pytest.raises(DataError, match=r"data\.batch_size=51: must be at most 50"):
        TrainBatches(numbered(50), 51, True, 0, CPU)
    assert len(TrainBatches(numbered(50), 50, True, 0, CPU)) == 1


@pytest.mark.parametrize(("batch_size", "sizes"), [(8, [8, 8, 4]), (10, [10, 10]), (99, [20])])
def test_evaluation_visits_each_image_once_in_order(batch_size, sizes):
    images = numbered(20)
    batches = EvalBatches(images, batch_size, CPU)
    assert len(batches) == len(sizes)
    for _ in range(2):
        drawn = list(batches)
        assert [len(y) for _, y in drawn] == sizes
        assert torch.cat([y for _, y in drawn]).tolist() == list(range(20))
        x = torch.cat([x for x, _ in drawn])
        assert x.equal(images.pixels.float() / 255)


@pytest.mark.cuda
def test_batches_are_the_same_on_every_device():
    # More images than 32-bit offsets into all their crops can reach.
    images = numbered(6_000)
    on_cpu, on_cuda = (
        TrainBatches(images, 128, True, 5, device) for device in (CPU, torch.device("cuda"))
    )
    for index in range(len(on_cpu)):
        (x, y), (x_cuda, y_cuda) = on_cpu.batch(1, index), on_cuda.batch(1, index)
        assert x_cuda.is_cuda
        assert y_cuda.is_cuda
        # A GPU may divide by 255 with another rounding.
        assert (255 * x_cuda).round().cpu().equal((255 * x).round())
        assert y_cuda.cpu().equal(y)

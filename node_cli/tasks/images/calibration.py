"""How far a classifier's probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

BINS = 15


def reliability(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> Tensor:
    """How often answers are right, by the confidence that they are given with.

    Args:
        probabilities: ``[N, classes]``, rows that sum to 1.
        labels: the true classes, ``[N]``.
        bins: B, of equal width, over confidences from 0 to 1.

    Returns:
        ``[3, B]``, float64: the share of the answers in each bin, their mean confidence and their
        accuracy; the last two are 0 where a bin is empty.
    """
    confidence, answer = probabilities.double().max(dim=1)
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1  # (0, 1/B], (1/B, 2/B], ...
    right = (answer == labels).double()
    sums = confidence.new_zeros(3, bins)
    for row, values in enumerate((torch.ones_like(confidence), confidence, right)):
        sums[row].index_add_(0, place, values)
    counts = sums[0].clamp(min=1)
    return torch.stack((sums[0] / max(len(labels), 1), sums[1] / counts, sums[2] / counts))


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    r"""The expected calibration error (Guo et al. 2017, eq. 3).

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{N}\, |\mathrm{acc}(b) - \mathrm{conf}(b)|

    Args:
        probabilities: ``[N, classes]``.
        labels: ``[N]``.
        bins: of equal width.
    """
    share, confidence, accuracy = reliability(probabilities, labels, bins)
    return float((share * (accuracy - confidence).abs()).sum())


def mean_entropy(batches: Iterable[Tensor]) -> float:
    """The mean entropy of answers in nats; 0 for a certain one, the log of the classes at most.

    Args:
        batches: of probabilities, ``[B, classes]`` each.
    """
    total, count = 0.0, 0
    for probabilities in batches:
        total += float(torch.special.entr(probabilities.double()).sum())
        count += len(probabilities)
    return total / count

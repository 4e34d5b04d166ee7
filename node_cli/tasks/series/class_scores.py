"""The classes of series: the head of a model, and how good its answers are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

UNKNOWN = -1  # the label of a series whose class nobody knows


def class_head(inputs: int, hidden: int, classes: int) -> nn.Module:
    """Logits from a state: a perceptron with one hidden layer."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def cross_entropy(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    """Of each series in nats, ``[..., B]``; 0 where the class is not known.

    Args:
        log_probabilities: of the classes, ``[..., B, C]``.
        labels: ``[B]``.
    """
    known = labels != UNKNOWN
    places = (labels * known).unsqueeze(-1).expand(*log_probabilities.shape[:-1], 1)
    return -torch.gather(log_probabilities, -1, places).squeeze(-1) * known


def answer_scores(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The mean cross-entropy in nats, also over samples of z(0), and the accuracy; scalars.

    Args:
        logits: of the classes, ``[B, C]``, or ``[K, B, C]`` from K samples.
        labels: ``[B]``; series whose class is not known do not count.
    """
    logs = logits.log_softmax(dim=-1)
    labelled = (labels != UNKNOWN).sum().clamp(min=1)
    entropy = cross_entropy(logs, labels).sum(dim=-1).mean() / labelled
    probabilities = logs.detach().exp().reshape(-1, *logits.shape[-2:]).mean(dim=0)
    right = (probabilities.argmax(dim=-1) == labels).sum() / labelled
    return entropy, right.float()


def scores(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    """Cross-entropy in nats, accuracy, and ``roc_auc`` where each class and another one are there.

    Args:
        probabilities: ``[N, C]``.
        labels: ``[N]``; series whose class is not known do not count.
    """
    known = labels != UNKNOWN
    probabilities, labels = probabilities[known].double(), labels[known]
    if not len(labels):
        return {"cross_entropy": math.nan}
    # Kept off zero, where the logarithm of a rounded probability would not be finite.
    logs = probabilities.clamp(min=torch.finfo(torch.float64).tiny).log()
    accuracy = (probabilities.argmax(dim=1) == labels).double().mean()
    found = {
        "cross_entropy": float(cross_entropy(logs, labels).mean()),
        "accuracy": float(accuracy),
    }
    area = roc_auc(probabilities, labels)
    return found if area is None else {**found, "roc_auc": area}


def roc_auc(probabilities: Tensor, labels: Tensor) -> float | None:
    r"""The area under the receiver operating characteristic.

    It is the chance that a series of a class has a higher probability of that class than a series
    of another one, with ties by half (Mann and Whitney 1947):

    .. math:: \frac{R - n (n + 1) / 2}{n\, m}

    with R the sum of the ranks of the n series of the class among all n + m. Of two classes it is
    that of the second; of more it is the mean over the classes, each against the rest.

    Returns:
        None where a class has no series, or all are of one.
    """
    count = probabilities.shape[1]
    areas = []
    for number in range(1 if count == 2 else 0, count):
        of_class = labels == number
        n = int(of_class.sum())
        m = len(labels) - n
        if not n or not m:
            return None
        ranks = _ranks(probabilities[:, number])
        areas.append(float(ranks[of_class].sum() - n * (n + 1) / 2) / (n * m))
    return sum(areas) / len(areas)


def _ranks(values: Tensor) -> Tensor:
    """From 1, ascending; equal values have the mean of theirs."""
    _, place, counts = torch.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: Tensor = last - (counts.double() - 1) / 2
    return ranks[place]

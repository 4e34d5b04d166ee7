import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from node_cli.tasks.series.class_scores import answer_scores, cross_entropy, roc_auc, scores


def answers(count, classes, seed=0, steps=None):
    """Random probabilities, rounded to a few values for ties where ``steps`` says so."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(count, classes, generator=generator, dtype=torch.float64)
    if steps is not None:
        logits = (logits * steps).round() / steps
    return logits, torch.randint(classes, (count,), generator=generator)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("steps", [None, 2])
def test_scores_are_those_of_scikit_learn(classes, steps):
    logits, labels = answers(200, classes, steps=steps)
    probabilities = logits.softmax(dim=1)
    found = scores(probabilities, labels)
    p, y = probabilities.numpy(), labels.numpy()
    assert found["accuracy"] == pytest.approx(accuracy_score(y, p.argmax(1)))
    assert found["cross_entropy"] == pytest.approx(log_loss(y, p, labels=range(classes)))
    expected = (
        roc_auc_score(y, p[:, 1])
        if classes == 2
        else roc_auc_score(y, p, multi_class="ovr", average="macro")
    )
    assert found["roc_auc"] == pytest.approx(expected, abs=1e-12)


def test_the_area_of_known_answers():
    labels = torch.tensor([0, 0, 1, 1])
    second = torch.tensor([0.1, 0.4, 0.35, 0.8], dtype=torch.float64)
    assert roc_auc(torch.stack((1 - second, second), 1), labels) == 0.75
    half = torch.full((4, 2), 0.5, dtype=torch.float64)
    assert roc_auc(half, labels) == 0.5
    assert roc_auc(half, torch.zeros(4, dtype=torch.int64)) is None


def test_unknown_classes_do_not_count():
    logits, labels = answers(50, 3)
    some = labels.clone()
    some[::2] = -1
    of_some = scores(logits.softmax(1), some)
    assert of_some == scores(logits[1::2].softmax(1), labels[1::2])
    entropy, accuracy = answer_scores(logits, some)
    assert float(entropy) == pytest.approx(of_some["cross_entropy"])
    assert float(accuracy) == pytest.approx(of_some["accuracy"])
    assert math.isnan(scores(logits.softmax(1), torch.full((50,), -1))["cross_entropy"])
    assert cross_entropy(logits.log_softmax(1), torch.full((50,), -1)).abs().sum() == 0


def test_the_loss_of_samples_is_the_mean_of_theirs():
    many = torch.stack([answers(20, 4, seed)[0] for seed in range(3)])
    labels = answers(20, 4)[1]
    entropy, accuracy = answer_scores(many, labels)
    assert float(entropy) == pytest.approx(
        np.mean([float(answer_scores(one, labels)[0]) for one in many])
    )
    guess = many.softmax(-1).mean(0).argmax(1)
    assert float(accuracy) == pytest.approx(float((guess == labels).float().mean()))

"""Calibration of class probabilities, against counts by hand."""

import math

import pytest
import torch

from node_cli.tasks.images.calibration import calibration_error, mean_entropy, reliability


def answers(confidences, classes=4):
    """Probabilities whose largest is the first class's."""
    first = torch.tensor(confidences, dtype=torch.float64).unsqueeze(1)
    return torch.cat((first, ((1 - first) / (classes - 1)).expand(-1, classes - 1)), dim=1)


def test_the_error_by_hand():
    # Two bins of five: (0.6, 0.8] with 1 of 2 right, (0.8, 1] with 2 of 3 right.
    probabilities = answers([0.7, 0.8, 0.9, 0.95, 1.0])
    labels = torch.tensor([0, 1, 0, 0, 2])
    expected = 2 / 5 * abs(0.5 - 0.75) + 3 / 5 * abs(2 / 3 - 0.95)
    assert calibration_error(probabilities, labels, bins=5) == pytest.approx(expected)
    share, confidence, accuracy = reliability(probabilities, labels, bins=5)
    assert share.tolist() == [0, 0, 0, 0.4, 0.6]
    assert confidence.tolist() == pytest.approx([0, 0, 0, 0.75, 0.95])
    assert accuracy.tolist() == pytest.approx([0, 0, 0, 0.5, 2 / 3])


def test_labels_drawn_from_the_probabilities_are_calibrated():
    stream = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(50_000, 10, generator=stream)
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=stream).squeeze(1)
    assert calibration_error(logits.softmax(dim=1), labels) < 0.01
    assert calibration_error((3 * logits).softmax(dim=1), labels) > 0.1  # too sure of itself


def test_entropy_of_certainty_and_of_ignorance():
    certain, unsure = torch.eye(4)[:2], torch.full((3, 4), 0.25)
    assert mean_entropy([certain]) == 0.0
    assert mean_entropy([unsure]) == pytest.approx(math.log(4))
    assert mean_entropy([certain, unsure]) == pytest.approx(0.6 * math.log(4))

"""Classification of 28x28 images with an ODE-Net or one of its relatives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from node_cli.tasks.base import Batch, BestMetric, EvaluationData, Loaders, Task
from node_cli.tasks.images.batches import EvalBatches, TrainBatches
from node_cli.tasks.images.classifier import ImageClassifier
from node_cli.tasks.images.mnist import ImageSets, load

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.images.schema import ImageClassifierConfig, ImagesConfig

    class ImagesRun(RunConfig):
        """The settings of a run of this task."""

        model: ImageClassifierConfig
        data: ImagesConfig


_SHOWN_SAMPLES = 24


class MnistOdeNet(Task[ImageClassifier]):
    """The supervised experiment of Chen et al. 2018, section 3."""

    config: ImagesRun
    best: BestMetric = BestMetric("accuracy", "max")

    @cached_property
    def images(self) -> ImageSets:
        """The three sets of images, read once."""
        return load(self.config.data)

    def build_model(self) -> ImageClassifier:
        """The network of the ``model`` group, solved as the solver groups say."""
        return ImageClassifier(self.config.model, self.spec, classes=len(self.images.classes))

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of ``(images [B, 1, 28, 28], labels [B])``."""
        data = self.config.data
        return Loaders(
            train=TrainBatches(
                self.images.train,
                batch_size=data.batch_size,
                augment=data.augment,
                seed=self.config.seed,
                device=device,
            ),
            val=EvalBatches(self.images.validation, data.eval_batch_size, device),
            test=EvalBatches(self.images.test, data.eval_batch_size, device),
        )

    def loss(self, model: ImageClassifier, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy in nats, and the accuracy on the batch."""
        images, labels = batch
        logits = model(images)
        accuracy = (logits.detach().argmax(dim=1) == labels).float().mean()
        return functional.cross_entropy(logits, labels), {"accuracy": accuracy}

    def evaluate(self, model: ImageClassifier, batches: Iterable[Batch]) -> dict[str, float]:
        """Mean cross-entropy in nats and accuracy over all images."""
        loss, correct, count = 0.0, 0, 0
        for images, labels in batches:
            logits = model(images)
            loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
            correct += int((logits.argmax(dim=1) == labels).sum())
            count += len(labels)
        return {"loss": loss / count, "accuracy": correct / count}

    def figures(
        self, model: ImageClassifier, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Samples with predictions, the confusion matrix and the curves over epochs."""
        from node_cli.tasks.images.figures import confusion_matrix, labelled_samples

        truths, guesses, samples = [], [], None
        for images, labels in data:
            samples = images if samples is None else samples
            truths.append(labels.cpu())
            guesses.append(model(images).argmax(dim=1).cpu())
        truth, guess = torch.cat(truths).numpy(), torch.cat(guesses).numpy()
        assert samples is not None
        shown = samples[:_SHOWN_SAMPLES, 0].cpu().numpy()
        classes = self.images.classes
        return {
            "samples": labelled_samples(shown, truth, guess, classes, self.data_label),
            "confusion_matrix": confusion_matrix(truth, guess, classes, self.data_label),
            **self.curves(history),
        }

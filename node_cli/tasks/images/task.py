"""Classification of images with an ODE-Net or one of its relatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from node_cli.data.random_streams import random_stream
from node_cli.tasks.base import Audit, Batch, BestMetric, EvaluationData, Loaders, Task
from node_cli.tasks.images.batches import EvalBatches, TrainBatches
from node_cli.tasks.images.calibration import calibration_error, mean_entropy
from node_cli.tasks.images.cifar10 import read_cifar10
from node_cli.tasks.images.classifier import ImageClassifier
from node_cli.tasks.images.image_folder import read_image_folder
from node_cli.tasks.images.labelled_images import ImageSets
from node_cli.tasks.images.mnist import HEIGHT, WIDTH, classes_of, load
from node_cli.tasks.images.own_images import Shape, read_own_images
from node_cli.tasks.images.schema import ImageFolderConfig, ImagesConfig
from node_cli.tasks.images.stream import Stream
from node_cli.tasks.prediction import Inputs, Predictions, Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.images.schema import ImageClassifierConfig

    class ImagesRun(RunConfig):
        """The settings of a run of this task."""

        model: ImageClassifierConfig
        data: ImagesConfig | ImageFolderConfig


_SHOWN_SAMPLES = 24


class MnistOdeNet(Task[ImageClassifier]):
    """The supervised experiment of Chen et al. 2018, section 3."""

    config: ImagesRun
    best: BestMetric = BestMetric("accuracy", "max")

    @cached_property
    def images(self) -> ImageSets:
        """The three sets of images, read once."""
        data = self.config.data
        if isinstance(data, ImageFolderConfig):
            return read_image_folder(data, self.config.seed)
        return read_cifar10(data) if data.name == "cifar10" else load(data)

    def build_model(self) -> ImageClassifier:
        """The network of the ``model`` group, solved as the solver groups say."""
        images = self.images
        return ImageClassifier(self.config.model, self.spec, len(images.classes), images.channels)

    def model_of(self, state: Mapping[str, Any]) -> ImageClassifier:
        """Without the data, whose classes are known by their name."""
        return ImageClassifier(self.config.model, self.spec, len(classes_of(self.config.data)))

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of ``(images [B, C, H, W], labels [B])``."""
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
        """Over all images: mean cross-entropy in nats, accuracy, and calibration error.

        The calibration error is that of Guo et al. 2017; see ``calibration_error``.
        """
        loss, correct = 0.0, 0
        probabilities, truths = [], []
        for images, labels in batches:
            logits = model(images)
            loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
            correct += int((logits.argmax(dim=1) == labels).sum())
            probabilities.append(logits.float().softmax(dim=1))
            truths.append(labels)
        count = sum(map(len, truths))
        return {
            "loss": loss / count,
            "accuracy": correct / count,
            "calibration_error": calibration_error(torch.cat(probabilities), torch.cat(truths)),
        }

    def audit(
        self,
        model: ImageClassifier,
        data: EvaluationData,
        draw: bool,
        steps: int,
        tell: Callable[[str], None],
    ) -> Audit:
        """The entropy of the answers: to test images, to the same turned, and to noise.

        Noise is uniform in each pixel. A model that knows what it does not know is less certain of
        both; entropies are means in nats, over the first batch of the test.
        """
        tell("asking about turned images and noise")
        images, _ = next(iter(data))
        stream = random_stream(self.config.seed, Stream.NOISE_IMAGES)
        noise = torch.rand(images.shape, generator=stream).to(images)
        shown = {"": images, "_turned": images.rot90(dims=(-2, -1)), "_noise": noise}
        return Audit(
            {
                f"entropy{name}": mean_entropy([model(asked).float().softmax(dim=1)])
                for name, asked in shown.items()
            }
        )

    def inputs(self, model: ImageClassifier, question: Question) -> Inputs:
        """Images of an IDX, NumPy or PNG file, or of a folder of these; no labels."""
        images, names = read_own_images(question.file, Shape(1, HEIGHT, WIDTH))
        unknown = torch.full((len(images),), -1)
        return Inputs((images, unknown), {"image": names} if names else {})

    def predict(self, model: ImageClassifier, batch: Batch, question: Question) -> Predictions:
        """The probability of each class, and the most probable class."""
        images, _ = batch
        probabilities = model(images).double().softmax(dim=1)
        classes = classes_of(self.config.data)
        found = [classes[place] for place in probabilities.argmax(dim=1).tolist()]
        columns = [f"p({name})" for name in classes]
        return Predictions(columns, probabilities, labels={"class": found})

    def figures(
        self, model: ImageClassifier, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Samples with predictions, the confusion matrix and the curves over epochs."""
        from node_cli.tasks.images.figures import (
            confusion_matrix,
            labelled_samples,
            reliability_diagram,
        )

        truths, answers, samples = [], [], None
        for images, labels in data:
            samples = images if samples is None else samples
            truths.append(labels.cpu())
            answers.append(model(images).float().softmax(dim=1).cpu())
        labels, probabilities = torch.cat(truths), torch.cat(answers)
        truth, guess = labels.numpy(), probabilities.argmax(dim=1).numpy()
        assert samples is not None
        shown = samples[:_SHOWN_SAMPLES].movedim(1, -1).cpu().numpy()
        classes = self.images.classes
        # The images of a set of drawings are bright on black, and shown dark on white.
        drawings = isinstance(self.config.data, ImagesConfig)
        return {
            "samples": labelled_samples(shown, truth, guess, classes, self.data_label, drawings),
            "confusion_matrix": confusion_matrix(truth, guess, classes, self.data_label),
            "reliability": reliability_diagram(probabilities, labels, self.data_label),
            **self.curves(history),
        }

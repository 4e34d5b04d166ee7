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
from node_cli.tasks.images.classifier import ImageClassifier, SeenImages, seen_in
from node_cli.tasks.images.image_folder import holds_pictures, read_image_folder, read_like
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

    @property
    def about_data(self) -> list[str]:
        """What was found in the user's own folder."""
        if not isinstance(self.config.data, ImageFolderConfig):
            return []
        images = self.images
        counts = [len(part) for part in (images.train, images.validation, images.test)]
        height, width = images.train.pixels.shape[-2:]
        colours = "grey" if images.channels == 1 else "in colours"
        return [
            f"{sum(counts):,} images of {len(images.classes)} classes, {height}x{width}, {colours}:"
            f" {counts[0]:,} for training, {counts[1]:,} for validation, {counts[2]:,} for the test"
        ]

    def build_model(self) -> ImageClassifier:
        """The network of the ``model`` group, solved as the solver groups say."""
        _, channels, height, width = self.images.train.pixels.shape
        return self._model(SeenImages(self.images.classes, (channels, height, width)))

    def model_of(self, state: Mapping[str, Any]) -> ImageClassifier:
        """Without the data: the checkpoint says what they were like, or their name does."""
        data, seen = self.config.data, seen_in(state)
        if seen is None and isinstance(data, ImagesConfig):
            seen = SeenImages(classes_of(data), (1, HEIGHT, WIDTH))
        return self.build_model() if seen is None else self._model(seen)

    def _model(self, seen: SeenImages) -> ImageClassifier:
        colours = seen.shape[0]
        model = ImageClassifier(self.config.model, self.spec, len(seen.classes), colours)
        model.seen = seen
        return model

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
        return functional.cross_entropy(logits, labels), {"accuracy": accuracy_of(logits, labels)}

    def answers(self, model: ImageClassifier, images: Tensor) -> Tensor:
        """Logits ``[N, classes]`` in the evaluation, of images ``[N, C, H, W]``."""
        logits: Tensor = model(images)
        return logits

    def evaluate(self, model: ImageClassifier, batches: Iterable[Batch]) -> dict[str, float]:
        """Over all images: mean cross-entropy in nats, accuracy, and calibration error.

        The calibration error is that of Guo et al. 2017; see ``calibration_error``.
        """
        loss, correct = 0.0, 0
        probabilities, truths = [], []
        for images, labels in batches:
            logits = self.answers(model, images)
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
                f"entropy{name}": mean_entropy([self.answers(model, asked).float().softmax(dim=1)])
                for name, asked in shown.items()
            }
        )

    def inputs(self, model: ImageClassifier, question: Question) -> Inputs:
        """Images of an IDX, NumPy or PNG file, or of a folder of these; no labels.

        Those of a run on a folder of images are converted as the run's own were.
        """
        assert model.seen is not None
        data, shape = self.config.data, Shape(*model.seen.shape)
        if isinstance(data, ImageFolderConfig) and holds_pictures(question.file):
            images, names = read_like(question.file, data, shape)
        else:
            images, names = read_own_images(question.file, shape)
        unknown = torch.full((len(images),), -1)
        return Inputs((images, unknown), {"image": names} if names else {})

    def predict(self, model: ImageClassifier, batch: Batch, question: Question) -> Predictions:
        """The probability of each class, and the most probable class."""
        images, _ = batch
        probabilities = self.answers(model, images).double().softmax(dim=1)
        assert model.seen is not None
        classes = model.seen.classes
        found = [classes[place] for place in probabilities.argmax(dim=1).tolist()]
        columns = [f"p({name})" for name in classes]
        return Predictions(columns, probabilities, labels={"class": found})

    def figures(
        self, model: ImageClassifier, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Samples with predictions, the confusion matrix and the curves over epochs."""
        from node_cli.figures.confusion import confusion_matrix
        from node_cli.tasks.images.figures import labelled_samples, reliability_diagram

        truths, answers, samples = [], [], None
        for images, labels in data:
            samples = images if samples is None else samples
            truths.append(labels.cpu())
            answers.append(self.answers(model, images).float().softmax(dim=1).cpu())
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


def accuracy_of(logits: Tensor, labels: Tensor) -> Tensor:
    """The share of right answers, a scalar, of logits ``[N, classes]``."""
    return (logits.detach().argmax(dim=1) == labels).float().mean()

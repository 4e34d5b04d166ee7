"""Images, classified by paths of an SDE."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from node_cli.data.path_seeds import Seeded, SeededBatches, path_seed
from node_cli.schema.run import RunConfig
from node_cli.tasks.base import Batch, Loaders
from node_cli.tasks.images.classifier import ImageClassifier, SeenImages
from node_cli.tasks.images.schema import SdeNetConfig
from node_cli.tasks.images.sde_net import SdeNet
from node_cli.tasks.images.stream import Stream
from node_cli.tasks.images.task import MnistOdeNet, accuracy_of


def image_task(config: RunConfig) -> MnistOdeNet:
    """The task of a run on images."""
    return SdeNetImages(config) if isinstance(config.model, SdeNetConfig) else MnistOdeNet(config)


class SdeNetImages(MnistOdeNet):
    """The same with an SDE-Net, whose answers are means over paths."""

    def _model(self, seen: SeenImages) -> SdeNet:
        config = self.config.model
        assert isinstance(config, SdeNetConfig)
        model = SdeNet(config, self.sde_spec, len(seen.classes), seen.shape[0])
        model.seen = seen
        return model

    def loaders(self, device: torch.device) -> Loaders:
        """Training batches with the seeds of their paths: ``Seeded``."""
        loaders = super().loaders(device)
        seeded = SeededBatches(loaders.train, self.config.seed, Stream.PATHS)
        return replace(loaders, train=seeded)

    def loss(self, model: ImageClassifier, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of one path of each image and of telling images from noisy ones.

        Both in nats; ``loss_of_doubt`` is the second.
        """
        seeded: Seeded = batch
        images, labels = seeded.examples
        assert isinstance(model, SdeNet)
        of_classes, of_doubt, logits = model.losses(images, labels, seeded.path_seed)
        metrics = {"accuracy": accuracy_of(logits, labels), "loss_of_doubt": of_doubt.detach()}
        return of_classes + of_doubt, metrics

    def answers(self, model: ImageClassifier, images: Tensor) -> Tensor:
        """Logarithms of the mean probabilities over ``model.samples`` paths, ``[N, classes]``.

        The paths are the same for each batch, so that an answer is the same again.
        """
        assert isinstance(model, SdeNet)
        return model.log_probabilities(images, path_seed(self.config.seed, Stream.PATHS))

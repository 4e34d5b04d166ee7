"""What a task is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from node_cli.data.batches import (
    ORDER,
    Examples,
    OrderedBatches,
    ShuffledBatches,
    number_of,
)
from node_cli.data.digest import file_digest, folder_digest, tensor_digest
from node_cli.data.number_table import read_table
from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema
from node_cli.schema.run import RunConfig
from node_cli.solving import SolveSpec
from node_cli.solving.sde.spec import SdeSpec
from node_cli.tasks.prediction import Inputs, Part, Predictions, Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Batch = Any
Model = TypeVar("Model", bound=nn.Module)
Split = Literal["val", "test"]


class TrainingData(Protocol):
    """Training batches that are a pure function of epoch and index.

    So a run that is resumed in the middle of an epoch sees what it would have seen.
    """

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def batch(self, epoch: int, index: int) -> Batch:
        """The batch at ``index`` of ``epoch``, on the device of the run."""
        ...


class EvaluationData(Protocol):
    """Batches in a fixed order."""

    def __len__(self) -> int:
        """Number of batches."""
        ...

    def __iter__(self) -> Iterator[Batch]:
        """Go through all batches once."""
        ...


@dataclass(frozen=True)
class Loaders:
    """The three sets of a task.

    Attributes:
        train: to learn from.
        val: by which the best weights are chosen.
        test: for the figures at the end.
        labels: texts that tell the examples of the test apart, one for each, by the name of their
            column beside kept predictions.
    """

    train: TrainingData
    val: EvaluationData
    test: EvaluationData
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class BestMetric:
    """The validation metric by which the best checkpoint is chosen.

    Attributes:
        name: as ``Task.evaluate`` has it.
        goal: whether more of it is better.
        title: its name in a sentence, where the name is no word.
        unit: of its value.
    """

    name: str
    goal: Literal["max", "min"]
    title: str = ""
    unit: str = ""

    def __str__(self) -> str:
        """What it is called in a sentence."""
        return self.title or self.name

    def improves(self, value: float, best: float | None) -> bool:
        """Whether ``value`` is better than ``best``; anything is better than nothing."""
        if best is None or math.isnan(best):
            return True
        return value > best if self.goal == "max" else value < best


@dataclass(frozen=True)
class Audit:
    """What is examined once, at the end of a run.

    Attributes:
        metrics: by name.
        animations: GIF files by name.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    animations: dict[str, bytes] = field(default_factory=dict)


class Task(ABC, Generic[Model]):
    """A problem with its data, its model, its loss, its metrics and its figures.

    A task never touches TensorBoard, files, devices or the optimizer: the training loop does,
    once for all tasks.

    Attributes:
        name: on the command line. It, ``models``, ``data`` and ``defaults`` are for tasks in a file
            of the user's own; those of a family stand in its ``entry.py``.
        models: the settings of the models that it trains; the first is taken when none is named.
        data: the settings of the data that it trains on, likewise.
        defaults: what it sets of other groups, such as ``{"optimizer": "adam", "optimizer.lr":
            0.01}``.
        best: the metric by which the best weights are chosen.
        asks: what ``node-predict`` may be given for it: ``input``, a file; ``times`` to predict at;
            ``samples``, how many to draw.
        config: all settings of the run.
        progress: the share of the run that is done, for losses that change along the way; 1 where
            the length of the run is not known in steps.
    """

    name: ClassVar[str]
    models: ClassVar[tuple[type[ModelSchema], ...]]
    data: ClassVar[tuple[type[DataSchema], ...]]
    defaults: ClassVar[Mapping[str, object]] = {}
    best: BestMetric = BestMetric("loss", "min")
    asks: ClassVar[frozenset[Part]] = frozenset({"input"})

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.progress = 1.0  # the training loop keeps it

    @cached_property
    def spec(self) -> SolveSpec:
        """How the run solves: its solver, tolerances and adjoint mode."""
        return SolveSpec.from_config(self.config)

    @cached_property
    def sde_spec(self) -> SdeSpec:
        """How the run solves an SDE: its solver, steps and adjoint mode."""
        return SdeSpec.from_config(self.config)

    @property
    def data_label(self) -> str:
        """The name of the data as it stands beside every result."""
        return self.config.data.name

    @property
    def about_data(self) -> Sequence[str]:
        """Lines about the data for the beginning of a run: what they are, from where, and so on."""
        return ()

    @property
    def published_data(self) -> Iterable[Tensor | None]:
        """The numbers of published data, of which another version of a package may have others.

        By default there are none; a task whose data come from an ``installed_file`` gives them.
        """
        return ()

    @cached_property
    def data_digest(self) -> str | None:
        """SHA-256 of the user's own data, or of published ones.

        Either may have changed when a run is resumed.
        """
        own_file = self.config.data.own_file
        if own_file is None:
            published = [*self.published_data]
            return tensor_digest(published) if published else None
        return folder_digest(own_file) if own_file.is_dir() else file_digest(own_file)

    @abstractmethod
    def build_model(self) -> Model:
        """A newly initialised model, on the CPU."""

    @abstractmethod
    def loaders(self, device: torch.device) -> Loaders:
        """The data, in batches that lie on ``device``."""

    def in_batches(
        self,
        train: Examples,
        validation: Examples,
        test: Examples,
        device: torch.device,
        stream: int = ORDER,
    ) -> Loaders:
        """Batches of examples that lie in memory, as many in each as the ``data`` group says.

        Args:
            train: a tensor, or a tuple of tensors whose first dimension goes over the examples.
                They are seen in a new order in each epoch; what does not fill a batch is left out.
            validation: likewise, in order.
            test: likewise.
            device: of the batches.
            stream: of the random numbers of the order, see ``random_stream``.

        Raises:
            DataError: there are fewer training examples than one batch takes.
        """
        data = self.config.data
        return Loaders(
            ShuffledBatches(train, data.batch_size, self.config.seed, device, stream),
            OrderedBatches(validation, data.eval_batch_size, device),
            OrderedBatches(test, data.eval_batch_size, device),
        )

    def learning_rates(self, model: Model) -> Sequence[tuple[float, Iterable[nn.Parameter]]]:
        """What is trained, by the learning rate, which is that many times ``optimizer.lr``.

        By default all parameters at once.
        """
        return [(1.0, model.parameters())]

    @abstractmethod
    def loss(self, model: Model, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a training batch, a scalar, and metrics to log beside it, by name."""

    def evaluate(self, model: Model, batches: Iterable[Batch]) -> dict[str, float]:
        """Metrics over all ``batches``, ``loss`` and the one that ``best`` names among them.

        By default the means of what ``loss`` gives, over the examples.
        """
        sums: dict[str, float] = {}
        count = 0
        for batch in batches:
            loss, metrics = self.loss(model, batch)
            size = number_of(batch)
            for name, value in {**metrics, "loss": loss}.items():
                sums[name] = sums.get(name, 0.0) + size * float(value)
            count += size
        return {name: total / count for name, total in sums.items()}

    def figures(
        self, model: Model, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Figures by name; by default the ``curves``.

        Args:
            model: in evaluation mode.
            data: the validation set.
            history: one mapping of tag to value for each epoch so far.
        """
        return self.curves(history)

    def curves(self, history: Sequence[Mapping[str, float]]) -> dict[str, Figure]:
        """The best metric against the epoch, and evaluations where the model solves an ODE."""
        from node_cli.figures.curves import curves_by_epoch

        name, label = self.best.name, self.data_label
        title = f"{self.best}, {self.best.unit}" if self.best.unit else str(self.best)
        of_the_metric = {f"{name}/train": "training", f"{name}/val": "validation"}
        drawn = {f"{name}_per_epoch": curves_by_epoch(history, of_the_metric, title, label)}
        if any("nfe/forward" in epoch for epoch in history):
            drawn["nfe_per_epoch"] = curves_by_epoch(
                history,
                {"nfe/forward": "NFE-F", "nfe/backward": "NFE-B"},
                "evaluations of the vector field a step",
                label,
            )
        return drawn

    def audit(
        self,
        model: Model,
        data: EvaluationData,
        draw: bool,
        steps: int,
        tell: Callable[[str], None],
    ) -> Audit:
        """Examine the tested model in ways that take too long for each epoch.

        Args:
            model: in evaluation mode, with the best weights.
            data: the test set.
            draw: whether animations are wanted.
            steps: that the run has trained; a short run is not examined longer than it took.
            tell: is called with the name of what begins, such as ``drawing the animation``.
        """
        return Audit()

    def model_of(self, state: Mapping[str, Any]) -> Model:
        """A model that the weights of a checkpoint fit, which are loaded into it afterwards.

        By default ``build_model``, which may need the run's data; a task whose weights say all
        that is to be known makes it of them.

        Args:
            state: as ``state_dict`` of the model has it.
        """
        return self.build_model()

    @classmethod
    def predicts(cls) -> bool:
        """Whether there is a ``predict``."""
        return cls.predict is not Task.predict

    def inputs(self, model: Model, question: Question) -> Inputs:
        """What the user's file holds, on the CPU.

        By default the rows of a table of numbers, CSV or ``.npy``: a tensor float32 ``[N, d]``.

        Args:
            model: in evaluation mode; it may know units and names of columns.
            question: of the user; ``question.file`` is the file.

        Raises:
            DataError: the file cannot be used.
            ConfigError: the question cannot be answered.
        """
        return Inputs(torch.from_numpy(read_table(question.file, "INPUT").values).float())

    def batches_of_inputs(
        self, inputs: Inputs, batch_size: int, device: torch.device, question: Question
    ) -> EvaluationData:
        """What ``inputs`` gave, in batches as ``predict`` takes them, in the order of the file.

        A task whose batches have seeds gives them here.
        """
        return OrderedBatches(inputs.examples, batch_size, device)

    def predict(self, model: Model, batch: Batch, question: Question) -> Predictions:
        """What the model says of a batch: of ``inputs``, or of the test.

        Without it the task has no predictions, and ``node-predict`` refuses its runs.

        Args:
            model: in evaluation mode, without gradients.
            batch: on its device.
            question: to which this is the answer.
        """
        raise NotImplementedError

"""The training loop, the same for every task."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from node_cli.errors import CheckpointError, DivergenceError, Interrupted
from node_cli.memory import SavedBytes, peak_device_bytes, peak_resident_bytes
from node_cli.models.ode_solve import solved_as
from node_cli.schema.run import RunConfig
from node_cli.solving import record_solves, total
from node_cli.solving.sde.solve import torchsde_failures
from node_cli.solving.torchdiffeq_backend import torchdiffeq_failures
from node_cli.studies.gradient_check import flat_gradient, gradient_check
from node_cli.studies.study_table import shown
from node_cli.studies.subject import Findings, Row, Subject
from node_cli.tasks.base import Batch, EvaluationData, Split, Task
from node_cli.tasks.prediction import Question
from node_cli.training.checkpoint import checkpoint_paths, write_checkpoint
from node_cli.training.epoch_table import EpochTable
from node_cli.training.evaluation import evaluating, in_its_precision
from node_cli.training.failures import about_infinite_loss
from node_cli.training.interruption import StopRequest
from node_cli.training.limits import Limits
from node_cli.training.optimization import build_optimizer, learning_rate_factor
from node_cli.training.predicting import TABLE, predicted
from node_cli.training.profiling import profiled
from node_cli.training.progress import RunProgress
from node_cli.training.recorder import Recorder
from node_cli.training.report_lines import epoch_line
from node_cli.training.restoration import restore_model, restore_optimizer, restore_scaler
from node_cli.training.round_trip import round_trip_error
from node_cli.training.seeds import random_states, restore_random_states
from node_cli.training.step_compilation import StepCompilation
from node_cli.training.task_results import (
    checked_evaluation,
    checked_figures,
    checked_learning_rates,
    checked_loaders,
    checked_loss,
)
from node_cli.training.terminal import Terminal


class TrainingLoop:
    """Trains a task's model within the limits of the ``trainer`` group.

    All that decides the numbers of the rest of the run is in ``progress``, the model, the
    optimizer, the gradient scaler and the random generators, and all of it is in a checkpoint.

    Args:
        config: the whole run.
        task: builds the data and gives loss, metrics and figures.
        model: on ``device``.
        folder: the run folder.
        device: where to train.
        recorder: where scalars and figures go.
        terminal: where lines and the bar go.
        stop: whether the user asked to stop.
    """

    def __init__(
        self,
        config: RunConfig,
        task: Task[Any],
        model: nn.Module,
        folder: Path,
        device: torch.device,
        recorder: Recorder,
        terminal: Terminal,
        stop: StopRequest,
    ) -> None:
        self.config = config
        self.task = task
        self.model = model
        self.device = device
        self.progress = RunProgress()
        self._recorder = recorder
        self._terminal = terminal
        self._stop = stop
        self._folder = folder
        self._last, self._best = checkpoint_paths(folder)
        self._loaders = checked_loaders(task, task.loaders(device))
        rates = checked_learning_rates(task, task.learning_rates(model))
        fused = config.compile.mode == "step"
        self._optimizer = build_optimizer(config.optimizer, rates, fused)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        fp16 = config.trainer.precision == "fp16"
        self._scaler = torch.amp.GradScaler(device.type, enabled=fp16)
        self._saved_bytes = SavedBytes(model)
        self._compilation = StepCompilation(config, model, terminal)
        # What is logged as it is at a step, and not as the mean since the last one.
        self._latest: dict[str, float] = {}
        self._aside = 0.0  # seconds of this step that are spent on checking it
        self._epoch_batches = len(self._loaders.train)
        if config.trainer.overfit_batches is not None:
            self._epoch_batches = min(self._epoch_batches, config.trainer.overfit_batches)
        self.limits = Limits(config.trainer, self._epoch_batches)
        self._epochs = EpochTable(task.best, self.limits.last_epoch, terminal.width)

    @property
    def finished(self) -> bool:
        """Whether training is over and its last steps are validated."""
        return self.limits.finished(self.progress)

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Go back to where a checkpoint was written; the optimizer keeps the settings given now.

        Raises:
            CheckpointError: it belongs to a run on other data, or does not fit.
        """
        kept = checkpoint.get("data_digest")  # None: an older version asked for none of these data
        if kept is not None and kept != self.task.data_digest:
            raise CheckpointError(
                f"{self._last} belongs to a run on other data, which have changed since. Give the"
                " data as they were, or start a new run without trainer.resume."
            )
        restore_model(self._last, self.model, checkpoint["model"])
        restore_optimizer(
            self._last, self._optimizer, self.config.optimizer, checkpoint["optimizer"]
        )
        restore_scaler(self._last, self._scaler, checkpoint["scaler"])
        restore_random_states(checkpoint["random"])
        self.progress = RunProgress.from_state(checkpoint["progress"])
        if self.progress.step > 0:
            self._set_learning_rates(self.progress.step - 1)  # as after the last step

    def save(self, path: Path) -> None:
        """Write a checkpoint of this moment."""
        content = {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "random": random_states(),
            "progress": self.progress.state(),
            "data_digest": self.task.data_digest,
            "log": self._recorder.position().state(),
        }
        write_checkpoint(path, content, self.config)

    def train(self) -> None:
        """Train until a limit is reached.

        Raises:
            Interrupted: a signal came; a checkpoint of the last whole step was written.
            DivergenceError: the loss is not finite.
            SolverError: a solve failed.
            CheckpointError: a checkpoint could not be written.
        """
        progress = self.progress
        self._terminal.expect(self.limits.total_steps, progress.step)
        self._started = time.perf_counter() - progress.seconds
        recorded, folder = self.config.debug.profile, self._folder / "profile"
        with profiled(recorded, folder, progress.step, self._terminal) as after_a_step:
            while not self.finished:
                self._train_epoch(after_a_step)
                self._end_epoch()

    def test(self, best: dict[str, Any]) -> dict[str, float]:
        """Metrics of the test set, with the weights of the best checkpoint.

        The test set is seen this once: which weights are tested was decided on the validation set.

        Raises:
            Interrupted: a signal came; the last checkpoint is already that of the end.
        """
        self._terminal.announce("testing")
        restore_model(self._best, self.model, best["model"])
        values = self._evaluate("test")
        if self.config.evaluation.differs:
            as_trained = self._evaluate("test", as_trained=True)
            values |= {f"{tag}_as_trained": value for tag, value in as_trained.items()}
        step, epochs = self.progress.step, self._epochs_done()
        self._recorder.scalars(step, epochs, values)
        audited = self._audit()
        if audited:
            self._recorder.scalars(step, epochs, audited)
        if self.config.trainer.keep_predictions:
            self._keep_predictions()
        return values | audited

    def _keep_predictions(self) -> None:
        """Those of the test, as ``node-predict`` has them, in the run folder."""
        self._terminal.announce("predicting")
        test, labels = self._interruptible(self._loaders.test), self._loaders.labels
        with self._evaluating():
            table = predicted(self.task, self.model, test, labels, Question())
        table.write(self._folder / TABLE)

    def _audit(self) -> dict[str, float]:
        """The task's own examination of the tested model; its metrics by tag."""
        with self._evaluating():
            audit = self.task.audit(
                self.model,
                self._loaders.test,
                self.config.trainer.figures,
                self.progress.step,
                self._terminal.announce,
            )
        self._recorder.animations(self.progress.step, audit.animations)
        return {f"{name}/test": value for name, value in audit.metrics.items()}

    def study(self, study: Callable[[Subject], Findings]) -> Findings:
        """Measure the model as it is now; figures are logged, each row is shown as it comes.

        Raises:
            Interrupted: a signal came; the last checkpoint is already that of the end.
        """
        self._terminal.announce("measuring")

        def tell(row: Row) -> None:
            self._terminal.line("  ".join(f"{name} {shown(value)}" for name, value in row.items()))
            if self._stop:
                self._interrupt()

        subject = Subject(
            self.task,
            self.model,
            self._loaders.train.batch(0, 0),
            self.device,
            self.progress.history,
            tell,
        )
        measured = solved_as(self.model, lambda spec: replace(spec, compile="off"))
        with self._autocast(), torchdiffeq_failures(self.config.solver.name), measured:
            findings = study(subject)
        self._recorder.figures(self.progress.step, findings.figures)
        return findings

    def _evaluate(self, split: Split, as_trained: bool = False) -> dict[str, float]:
        """Metrics of a split by tag, such as ``accuracy/val``, with the solves' mean NFE."""
        data = self._loaders.val if split == "val" else self._loaders.test
        with self._evaluating(as_trained), record_solves() as solves:
            found = self.task.evaluate(self.model, self._interruptible(data))
        metrics = checked_evaluation(self.task, found)
        values = {f"{name}/{split}": value for name, value in metrics.items()}
        if solves:
            values |= total(solves).evaluation_scalars(split, len(data))
        if self.config.checks_round_trip:
            with self._evaluating(as_trained):
                batch = next(iter(data))
                values |= round_trip_error(self.task, self.model, batch, split)
        return values

    def _evaluating(self, as_trained: bool = False) -> AbstractContextManager[None]:
        """The model in evaluation mode, solved as the ``evaluation`` group says."""
        return evaluating(self.model, self.config, self.device, as_trained)

    def _train_epoch(self, after_a_step: Callable[[], None]) -> None:
        progress, trainer = self.progress, self.config.trainer
        self.model.train()
        while progress.batch < self._epoch_batches and not self.limits.reached(progress):
            started, self._aside = time.perf_counter(), 0.0
            # An overfitting run sees the same batches in each epoch.
            epoch = 0 if trainer.overfit_batches is not None else progress.epoch
            batch = self._loaders.train.batch(epoch, progress.batch)
            logged = (progress.step + 1) % trainer.log_every == 0
            with self._compilation.around_a_step(progress, self.limits):
                values = self._step(batch, measure_memory=logged or progress.step == 0)
            progress.step += 1
            progress.batch += 1
            seconds = time.perf_counter() - started - self._aside - self._compilation.seconds
            self._compilation.measured(seconds)
            progress.seconds = time.perf_counter() - self._started
            values["time/step_seconds"] = seconds
            for means in (progress.window, progress.epoch_sums, progress.run_sums):
                means.add(values)
            if logged:
                self._log_window()
            self._terminal.step(progress.epoch, progress.step, values, seconds)
            after_a_step()
            if self._stop:
                self.save(self._last)
                self._interrupt()
            every = trainer.checkpoint_every
            if every is not None and progress.step % every == 0:
                self.save(self._last)

    def _step(self, batch: Batch, measure_memory: bool) -> dict[str, float]:
        """One optimizer step; its scalars by tag."""
        config = self.config
        self._set_learning_rates(self.progress.step)
        if self.limits.total_steps is not None:
            self.task.progress = self.progress.step / self.limits.total_steps
        self._optimizer.zero_grad(set_to_none=True)
        watch: AbstractContextManager[object] = (
            self._saved_bytes.measure() if measure_memory else nullcontext()
        )
        saved_bytes = None
        every = config.adjoint.check_every
        checked = every is not None and (self.progress.step + 1) % every == 0
        randomness = torch.get_rng_state() if checked else None
        with record_solves() as solves, watch:
            with self._autocast():
                loss, metrics = checked_loss(self.task, self.task.loss(self.model, batch))
            if measure_memory:
                saved_bytes = self._saved_bytes.bytes_now()
        if not bool(torch.isfinite(loss)):
            raise DivergenceError(about_infinite_loss(float(loss.detach()), self.progress.step))
        name = config.solver.name
        with torchdiffeq_failures(name), torchsde_failures(name):
            self._scaler.scale(loss).backward()
        values = {"loss/train": float(loss.detach())}
        values |= {f"{name}/train": float(value) for name, value in metrics.items()}
        self._latest["lr"] = self._optimizer.param_groups[0]["lr"]
        if checked:
            self._latest["gradient/relative_error"] = self._gradient_error(batch, randomness)
        if config.trainer.clip_norm is not None:
            self._scaler.unscale_(self._optimizer)
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.trainer.clip_norm)
            values["gradient/norm"] = float(norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if solves:
            values |= total(solves).scalars
        if saved_bytes is not None:
            self._latest["memory/saved_bytes"] = saved_bytes
            self.progress.saved_bytes_peak = max(self.progress.saved_bytes_peak, saved_bytes)
        return values

    def _set_learning_rates(self, step: int) -> None:
        factor = learning_rate_factor(self.config.schedule, step, self.limits.total_steps)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor

    def _gradient_error(self, batch: Batch, randomness: Tensor | None) -> float:
        """The relative error of this step's gradient; the step's time does not include it."""
        started = time.perf_counter()
        gradient = flat_gradient(self.model) / self._scaler.get_scale()
        error = gradient_check(self.task, self.model, batch, gradient, randomness)
        self._aside += time.perf_counter() - started
        return error

    def _end_epoch(self) -> None:
        """Validate, log, draw, keep the best, and move on to the next epoch."""
        progress = self.progress
        self._terminal.phase("validating")
        try:
            validation = self._evaluate("val")
        except Interrupted:
            self.save(self._last)
            raise
        progress.validated_step = progress.step
        progress.seconds = time.perf_counter() - self._started
        means = progress.epoch_sums.means()
        progress.history.append({**means, **validation})
        value = validation[f"{self.task.best.name}/val"]
        better = self.task.best.improves(value, progress.best)
        progress.stale_epochs = 0 if better else progress.stale_epochs + 1
        if better:
            progress.best, progress.best_epoch = value, progress.epoch + 1
        self._recorder.scalars(progress.step, self._epochs_done(), validation)
        last_epoch = self._epochs.last_epoch
        self._terminal.note(epoch_line(progress, last_epoch, means, validation, better))
        for row in self._epochs.rows(progress, means, validation, better, self.finished):
            self._terminal.show(row)
        trainer = self.config.trainer
        if trainer.figures and (
            len(progress.history) % trainer.figures_every == 0 or self.finished
        ):
            self._draw()
        if progress.batch >= self._epoch_batches:
            progress.epoch += 1
            progress.batch = 0
            progress.epoch_sums.clear()
        if better:
            self.save(self._best)
        self.save(self._last)
        self._recorder.flush()

    def _draw(self) -> None:
        self._terminal.phase("drawing figures")
        with self._evaluating():
            drawn = self.task.figures(self.model, self._loaders.val, self.progress.history)
        self._recorder.figures(self.progress.step, checked_figures(self.task, drawn))

    def _log_window(self) -> None:
        values = {**self.progress.window.means(), **self._latest}
        self.progress.window.clear()
        values["memory/rss_peak_bytes"] = peak_resident_bytes()
        device_peak = peak_device_bytes(self.device)
        if device_peak is not None:
            values["memory/device_peak_bytes"] = device_peak
        self._recorder.scalars(self.progress.step, self._epochs_done(), values)

    def _interruptible(self, data: EvaluationData) -> Iterator[Batch]:
        for batch in data:
            if self._stop:
                self._interrupt()
            yield batch

    def _interrupt(self) -> None:
        self._recorder.flush()
        assert self._stop.signal_number is not None
        raise Interrupted(
            f"stopped by {self._stop.signal_name} after step {self.progress.step}",
            self._stop.signal_number,
        )

    def _autocast(self) -> AbstractContextManager[object]:
        return in_its_precision(self.config, self.device)

    def _epochs_done(self) -> float:
        return self.progress.epoch + self.progress.batch / self._epoch_batches

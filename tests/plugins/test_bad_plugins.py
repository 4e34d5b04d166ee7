"""What is wrong with a plugin is told in one sentence, with its file and line."""

import re

import pytest
from plugins.small_task import SMALL

# What is changed in the file that node-new writes; what is told; where.
BEFORE_A_RUN = {
    "no Python": ("class Field(nn.Module):", "class Field(nn.Module:", "this is not valid Python"),
    "a module that is not there": (
        "import node_cli\n",
        "import nothing_like_it\n",
        "it cannot be imported (ModuleNotFoundError: No module named 'nothing_like_it')",
    ),
    "an error": (
        "class Field(nn.Module):",
        "1 / 0\nclass Field(nn.Module):",
        "it cannot be imported (ZeroDivisionError: division by zero)",
    ),
    "an exit": (
        "class Field(nn.Module):",
        "raise SystemExit(0)\nclass Field(nn.Module):",
        "it cannot be imported (SystemExit: 0)",
    ),
    "no default": ("hidden: Count = 32", "hidden: Count", "PendulumNet.hidden has no default"),
    "a default out of range": (
        "hidden: Count = 32",
        "hidden: Count = 0",
        "the default is not allowed: hidden=0: must be an integer >= 1",
    ),
    "a default of another type": (
        "hidden: Count = 32",
        'hidden: Count = "many"',
        "the default is not allowed: hidden=many: must be an integer >= 1",
    ),
    "a task's name that is taken": (
        'name = "pendulum"',
        'name = "cnf-2d"',
        "task=cnf-2d is taken; node-cli has one of that name",
    ),
    "a model's name that is taken": ('"pendulum-net"', '"odenet"', "model=odenet is taken"),
    "a task without a name": ('    name = "pendulum"\n', "", "Pendulum needs a name"),
    "a name with a space": ('name = "pendulum"', 'name = "my pendulum"', "Pendulum needs a name"),
    "settings without a name": (
        '    name: Literal["pendulum-net"] = "pendulum-net"\n',
        "",
        "PendulumNet needs a name",
    ),
    "no models": ("    models = (PendulumNet,)\n", "", "Pendulum needs models, a tuple"),
    "models that are no tuple": (
        "models = (PendulumNet,)",
        "models = PendulumNet",
        "Pendulum needs models, a tuple",
    ),
    "no loss": ("def loss(", "def lost(", "Pendulum has no loss, which a task needs"),
    "a goal that is none": ('"min"', '"least"', "Pendulum.best must be a BestMetric"),
    "a type that is not there": (
        "hidden: Count = 32",
        "hidden: Cuont = 32",
        "PendulumNet cannot be used as settings (PydanticUserError: `PendulumNet` is not fully",
    ),
    "a type that no setting has": (
        "hidden: Count = 32",
        "hidden: torch.dtype = torch.float32",
        "PendulumNet cannot be used as settings (PydanticSchemaGenerationError",
    ),
    "a whole group": (
        '"trainer.max_epochs": 20',
        '"trainer": {"max_epochs": 20}',
        "Pendulum.defaults: trainer={'max_epochs': 20}: must be a text, a number",
    ),
    "a group that is a number": (
        '"optimizer": "adam"',
        '"optimizer": 3',
        "optimizer=3: there is no such optimizer",
    ),
    "a method that cannot be called": (
        "def loaders(self, device: torch.device)",
        "def loaders(self)",
        "Pendulum.loaders must take (self, device)",
    ),
    "a setting that is not there": (
        '"trainer.max_epochs"',
        '"trainer.max_epoch"',
        "trainer.max_epoch=20: there is no such setting; did you mean trainer.max_epochs?",
    ),
    "a member that is not there": (
        '"optimizer": "adam"',
        '"optimizer": "adamm"',
        "optimizer=adamm: there is no such optimizer; did you mean adam?",
    ),
}
LEARNING_RATES = "    def learning_rates(self, model):\n        return {}\n\n    def loss("
IN_A_RUN = {
    "a field of another shape": (
        "return self.net(y)",
        "return self.net(y)[:, :1]",
        "the vector field Field gave a tensor of shape [8, 1] and float32, where the state has"
        " shape [8, 2]",
    ),
    "a field of less precision": (
        "return self.net(y)",
        "return self.net(y).half()",
        "the vector field Field gave a tensor of shape [8, 2] and float16",
    ),
    "a field that returns nothing": (
        "return self.net(y)",
        "self.net(y)",
        "the vector field Field gave an object of type NoneType",
    ),
    "a loss that is no scalar": (
        "error.square().mean(), {",
        "error.square().mean(dim=0), {",
        "Pendulum.loss gave as the loss a tensor of shape [5, 2] and float32",
    ),
    "a loss without metrics": (
        'error.square().mean(), {"mae": error.detach().abs().mean()}',
        "error.square().mean()",
        "Pendulum.loss gave a tensor of shape [] and float32; it must give a tuple",
    ),
    "a loss without a gradient": (
        "error.square().mean(), {",
        "error.square().mean().detach(), {",
        "Pendulum.loss gave a loss without a gradient",
    ),
    "a metric that is no number": (
        '"mae": error.detach().abs().mean()',
        '"mae": error.detach().abs()',
        "Pendulum.loss gave as the metric mae a tensor of shape [8, 5, 2]",
    ),
    "a best metric that is not there": (
        'BestMetric("mae"',
        'BestMetric("mea"',
        "Pendulum gives the metrics mae, loss in its evaluation, and mea is not among them",
    ),
    "an error in the loss": (
        "start, times, observed = batch\n        error",
        "start, times, observed = batch[:2]\n        error",
        "ValueError: not enough values to unpack",
    ),
    "an error in the model": (
        "Field(self.config.model.hidden)",
        "Field(self.config.model.hiden)",
        "AttributeError: 'PendulumNet' object has no attribute 'hiden'",
    ),
    "no model": (
        "return Trajectories(Field(self.config.model.hidden), self.spec)",
        "return None",
        "Pendulum.build_model gave an object of type NoneType; it must give a torch.nn.Module",
    ),
    "a model without weights": (
        "return Trajectories(Field(self.config.model.hidden), self.spec)",
        "return nn.Tanh()",
        "Pendulum.build_model gave a model without weights to train",
    ),
    "a metric called loss": (
        '{"mae": error',
        '{"loss": error.detach().sum(), "mae": error',
        "Pendulum.loss gave a metric called loss beside the loss",
    ),
    "an exit from a run": (
        "        error = model(start",
        "        raise SystemExit(0)\n        error = model(start",
        "it ends Python (SystemExit: 0) in a run",
    ),
    "learning rates that are none": (
        "    def loss(",
        LEARNING_RATES.format("[(0, model.parameters())]"),
        "Pendulum.learning_rates gave the number 0; it must give a list of pairs",
    ),
    "learning rates without numbers": (
        "    def loss(",
        LEARNING_RATES.format("model"),
        "Pendulum.learning_rates gave an object of type Trajectories; it must give a list of pairs",
    ),
    "weights that learn twice": (
        "    def loss(",
        LEARNING_RATES.format("[(1, list(model.parameters()))] * 2"),
        "Pendulum.learning_rates gave a parameter twice; it must give a list of pairs",
    ),
    "lazy layers": (
        "nn.Linear(2, hidden)",
        "nn.LazyLinear(hidden)",
        "Pendulum.build_model gave a model with lazy layers",
    ),
    "loaders of another library": (
        "return self.in_batches(train, validation, test, device)",
        "return Loaders([train], [validation], [test])",
        "which has no method batch(epoch, index)",
    ),
    "no loaders": (
        "return self.in_batches(train, validation, test, device)",
        "return train",
        "Pendulum.loaders gave an object of type tuple; it must give Loaders",
    ),
    "examples that do not agree": (
        "return start, times.expand(count, -1), observed",
        "return start, times, observed",
        "ValueError: the tensors of the examples have lengths [5, 16]",
    ),
}


def broken(pendulum, old, new):
    """The file with a mistake in it; the line of that, from the one before it to the one after."""
    text = pendulum.read_text()
    assert old in text
    pendulum.write_text(text.replace(old, new))


@pytest.mark.parametrize("case", BEFORE_A_RUN)
def test_a_mistake_is_told_before_anything_happens(tmp_path, node_train, pendulum, case):
    old, new, told = BEFORE_A_RUN[case]
    broken(pendulum, old, new)
    for words in (SMALL, ("--help",), ("--cfg", "job")):
        done = node_train("--plugin", "pendulum.py", *words)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert told in done.stderr
        assert re.match(r"node-train: pendulum\.py, line \d+: ", done.stderr)
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("case", IN_A_RUN)
def test_a_mistake_is_told_where_it_shows(node_train, pendulum, case):
    old, new, told = IN_A_RUN[case]
    broken(pendulum, old, new)
    done = node_train("--plugin", "pendulum.py", *SMALL)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert told in done.stderr
    assert re.match(r"node-train: pendulum\.py, line \d+: ", done.stderr)


def test_the_line_is_that_of_the_mistake(node_train, pendulum):
    for old, new in (("hidden: Count = 32", "hidden: Count = 0"), ("self.net(y)", "self.nett(y)")):
        text = pendulum.read_text()
        line = next(i for i, one in enumerate(text.splitlines(), start=1) if old in one)
        broken(pendulum, old, new)
        done = node_train("--plugin", "pendulum.py", *SMALL)
        assert f"pendulum.py, line {line}: " in done.stderr
        pendulum.write_text(text)


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("gone.py", "gone.py: there is no such file; node-new gone writes one"),
        (".", "a plugin is a Python file, NAME.py"),
        ("pendulum.txt", "a plugin is a Python file, NAME.py"),
        ("folder.py", "this is not a file"),
        ("empty.py", "empty.py: it defines no task"),
    ],
)
def test_a_file_that_is_no_plugin_is_told(tmp_path, node_train, file, told):
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "empty.py").write_text("")
    done = node_train("--plugin", file, "--help")
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_second_file_beside_it_is_explained(tmp_path, node_train, pendulum):
    (tmp_path / "helpers.py").write_text("")
    broken(pendulum, "import node_cli\n", "import helpers\n")
    done = node_train("--plugin", "pendulum.py", "--help")
    assert "A plugin is one file: put what it needs of helpers.py into it" in done.stderr


def test_an_error_of_ours_is_no_error_of_the_plugin(node_train, pendulum, monkeypatch):
    def fail(*_, **__):
        raise LookupError("nothing here")

    monkeypatch.setattr("node_cli.training.loop.build_optimizer", fail)
    done = node_train("--plugin", "pendulum.py", *SMALL)
    assert "unexpected LookupError: nothing here" in done.stderr

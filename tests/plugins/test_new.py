"""node-new writes files that run as they are."""

import pytest

from node_cli.plugin import FlowModel, ImageModel
from node_cli.tasks.entry import names_of


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("pendulum",), "pendulum.py"),
        (("my-task",), "my_task.py"),
        (("Lorenz63",), "Lorenz63.py"),
        (("swirl", "--for", "cnf-tabular"), "swirl.py"),
        (("my-conv", "--for", "mnist-odenet"), "my_conv.py"),
    ],
)
def test_the_first_command_that_it_tells_is_possible(tmp_path, node_new, node_train, words, file):
    done = node_new(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{file} is there. Try it:")
    text = (tmp_path / file).read_text()
    assert "xample" not in text.replace("examples", "")
    first = done.stdout.splitlines()[1].split()
    assert first[:3] == ["node-train", "--plugin", file]
    tried = node_train(*first[1:], "--dry-run")
    assert tried.returncode == 0, tried.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("pendulum",), "pendulum.py is there already"),
        (("cnf-2d",), "node-cli has a task of this name"),
        (("odenet", "--for", "mnist-odenet"), "node-cli has a model of this name"),
        (("../x",), "a name begins with a letter"),
        (("class",), "this word means something else"),
        (("true",), "this word means something else"),
        (("null",), "this word means something else"),
        (("ode-solve",), "this word means something else"),
        (("Field",), "this word means something else"),
        (("",), "a name begins with a letter"),
        (("swirl", "--for", "cnf"), "did you mean cnf-2d?"),
        (("swirl", "--for", "latent-spirals"), "there is no such task with fields of your own"),
        ((), "the following arguments are required: NAME"),
        (("a", "b"), "unrecognized arguments: b"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path, node_new, words, told):
    (tmp_path / "pendulum.py").write_text("mine")
    done = node_new(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pendulum.py"]
    assert (tmp_path / "pendulum.py").read_text() == "mine"


def test_the_promised_names_are_there():
    import node_cli.plugin as promised

    for name in promised.__all__:
        assert getattr(promised, name) is not None
        assert name in dir(promised)
        assert f"``{name}``" in promised.__doc__, name
    assert {"FlowModel", "ImageModel", "Task"} <= set(promised.__all__)
    with pytest.raises(AttributeError):
        _ = promised.nothing_like_it


@pytest.mark.parametrize(
    ("promised", "ours"), [(FlowModel, "hypernetwork"), (ImageModel, "odenet")]
)
def test_a_field_is_for_tasks_that_are_there(promised, ours):
    from node_cli.tasks.registry import family_entries

    for task in promised.tasks:
        entry = family_entries()[task]
        schema = next(one for one in entry.models if ours in names_of(one))
        # The settings around the field are those of our own models.
        shared = set(promised.model_fields) - {"name"}
        assert shared <= set(schema.model_fields)

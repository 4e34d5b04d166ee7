"""An installed package brings a task by an entry point; no flag is needed."""

import sys

import pytest
import yaml
from plugins.small_task import SMALL

ENTRY = '''
from typing import Literal

from node_cli.plugin import Count, DataSettings, ModelSettings, NonNegative, TaskEntry


class Net(ModelSettings):
    """A net"""

    name: Literal["pendulum-net"] = "pendulum-net"
    hidden: Count = 32


class Swings(DataSettings):
    """Swings"""

    name: Literal["swings"] = "swings"
    swings: Count = 64
    points: Count = 50
    noise: NonNegative = 0.05


TASKS = [
    TaskEntry(
        "pendulum",
        "lecture_tasks.task:Pendulum",
        models=(Net,),
        data=(Swings,),
        ode_model="pendulum-net",
        description="From a package",
        defaults={"optimizer": "adam", "trainer.max_epochs": 3},
    )
]
'''


@pytest.fixture
def package(tmp_path, monkeypatch, pendulum):
    """A package, as pip leaves it, whose list of tasks needs no torch."""
    site = tmp_path / "site"
    folder = site / "lecture_tasks"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    pendulum.rename(folder / "task.py")
    (folder / "entry.py").write_text(ENTRY)
    info = site / "lecture_tasks-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lecture-tasks\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[node_cli.tasks]\nlecture = lecture_tasks.entry\n")
    monkeypatch.syspath_prepend(str(site))
    yield folder
    forget()


def forget():
    """As in a new process."""
    from node_cli.plugins.installed import installed_plugins

    installed_plugins.cache_clear()
    for name in [name for name in sys.modules if name.startswith("lecture_tasks")]:
        del sys.modules[name]


def test_its_task_is_there_without_a_flag(tmp_path, node_train, package):
    page = node_train("--help").stdout
    assert "From lecture-tasks 1.2" in page
    assert "From a package" in page
    done = node_train(*SMALL, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    (recorded,) = yaml.safe_load((tmp_path / "run" / ".hydra" / "plugins.yaml").read_text())
    assert recorded["name"] == "lecture-tasks 1.2"
    assert recorded["path"] is None
    done = node_train("trainer.resume=run", "trainer.max_steps=4")
    assert done.returncode == 0, done.stderr


def test_a_list_of_tasks_brings_no_torch(package):
    import subprocess

    code = (
        f"import sys; sys.path.insert(0, {str(package.parent)!r});"
        " from node_cli.cli import node_train;"
        " code = node_train(['task=pendulum', '--cfg', 'job']);"
        " print({'torch', 'matplotlib'} & set(sys.modules), code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set() 0"


def test_a_run_does_not_go_on_with_another_version(tmp_path, node_train, package):
    assert node_train(*SMALL, "hydra.run.dir=run").returncode == 0
    (package / "helpers.py").write_text("x = 1\n")
    forget()
    done = node_train("trainer.resume=run", "trainer.max_steps=4")
    assert done.returncode == 2
    assert "the package lecture-tasks 1.2 has changed since" in done.stderr
    (package.parent / "lecture_tasks-1.2.dist-info" / "entry_points.txt").write_text("")
    forget()
    done = node_train("trainer.resume=run", "trainer.max_steps=4")
    assert "install lecture-tasks 1.2 again" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("from typing", "import nothing_like_it\nfrom typing", "No module named 'nothing_like_it'"),
        ("hidden: Count = 32", "hidden: Count", "entry.py, line 11: Net.hidden has no default"),
        ("TASKS = [", "TASKS = [3, ", "TASKS must be a list of TaskEntry objects"),
    ],
)
def test_a_broken_package_stands_in_the_way_of_nothing(node_train, package, old, new, told):
    entry = package / "entry.py"
    entry.write_text(entry.read_text().replace(old, new))
    done = node_train("task=cnf-2d", "--dry-run")
    assert done.returncode == 0
    assert "the installed package lecture-tasks 1.2 is left out" in done.stderr
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1

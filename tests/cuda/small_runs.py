"""A run of each task that takes a moment, with every step logged."""

from runs import lines

SHORT = (
    "trainer.max_steps=4",
    "trainer.log_every=1",
    "trainer.threads=1",
    "trainer.figures=false",
    "schedule=constant",
)
SERIES = ("data.series=40", "data.validation=8", "data.test=8", "data.batch_size=20")
PLANE = ("data.batch_size=64", "data.batches=2", "data.validation=100", "data.test=100")
TASKS = {
    "mnist-odenet": (
        "model.channels=8", "data.batch_size=32", "data.validation=5000",
        "data.eval_batch_size=1000", "optimizer.lr=0.01",
    ),
    "cnf-2d": PLANE,
    "cnf-tabular": ("data.path=table.csv", "data.batch_size=32", "model.hidden=[16,16]"),
    "latent-spirals": (*SERIES, "data.points=20"),
    "latent-series": (*SERIES, "data.points=20"),
    "bouncing-ball": ("data.points=40", "data.batch_size=20", "data.validation=20", "data.test=20"),
    "concentric": ("data.points=64", "data.batch_size=32"),
    "dynamics": (
        "data=pendulum", "model=hamiltonian", "data.trajectories=8", "data.validation=3",
        "data.test=3", "data.batch_size=20",
    ),
}  # fmt: skip


def words_of(task):
    return (f"task={task}", *TASKS[task], *SHORT)


def logged(folder, tag):
    """The values of a tag, step by step."""
    return [line[tag] for line in lines(folder) if tag in line]

"""The task that node-new writes, as small as it goes."""

SMALL = (
    "task=pendulum",
    "model.hidden=4",
    "data.swings=16",
    "data.points=5",
    "data.batch_size=8",
    "trainer.max_steps=3",
    "trainer.threads=1",
    "trainer.figures=false",
)

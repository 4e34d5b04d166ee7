import random

import numpy as np
import torch

from node_cli.training.seeds import random_states, restore_random_states, seed_all


def draw():
    return random.random(), np.random.rand(), torch.rand(3).tolist()  # noqa: NPY002


def test_a_seed_gives_the_same_numbers_and_another_seed_others():
    seed_all(2**40 + 1)
    first = draw()
    seed_all(2**40 + 1)
    assert draw() == first
    seed_all(2**40 + 2)
    assert draw() != first


def test_restored_generators_go_on_where_they_were(tmp_path):
    seed_all(3)
    draw()
    torch.save(random_states(), tmp_path / "states.pt")
    following = [draw() for _ in range(3)]
    draw()
    restore_random_states(torch.load(tmp_path / "states.pt", weights_only=True))
    assert [draw() for _ in range(3)] == following


def test_a_run_on_the_cpu_does_not_take_a_gpu_into_use(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    states = random_states()
    assert states["cuda"] == []
    restore_random_states(states)

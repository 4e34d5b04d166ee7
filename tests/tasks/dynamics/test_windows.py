"""Windows of trajectories of equal and of unequal lengths."""

import torch

from node_cli.tasks.dynamics.trajectories import Trajectories
from node_cli.tasks.dynamics.windows import Windows

NAN = float("nan")


def trajectories(times, shown=None, padding=None):
    """Trajectories whose value is ten times the time, and its derivative the time."""
    times = torch.tensor(times)
    there = torch.ones_like(times, dtype=torch.bool) if padding is None else ~torch.tensor(padding)
    shown = there if shown is None else torch.tensor(shown)
    values = 10 * times.unsqueeze(-1)
    return Trajectories(times, values, values, times.unsqueeze(-1), shown, there)


def test_each_window_of_equal_distances_has_the_same_elapsed_times():
    of = trajectories([[0.1 * k for k in range(50)]] * 3)
    windows = Windows(of, 4)
    assert len(windows) == 3 * 47
    window = windows[torch.tensor([0, 46, 47, 140])]
    assert window.elapsed.equal(of.times[0, :4].expand(4, -1))
    torch.testing.assert_close(window.start, torch.tensor([0.0, 4.6, 0.0, 4.6]))
    torch.testing.assert_close(
        window.states[..., 0], 10 * (window.start.unsqueeze(1) + window.elapsed)
    )
    assert window.derivatives[:, 0, 0].equal(window.start)
    assert window.there.all()


def test_windows_keep_to_what_is_shown():
    of = trajectories([[0.0, 1.0, 3.0, 4.0]], shown=[[True, False, True, True]])
    windows = Windows(of, 2)
    assert len(windows) == 2
    window = windows[:]
    assert window.start.tolist() == [0.0, 3.0]
    assert window.elapsed.tolist() == [[0.0, 3.0], [0.0, 1.0]]


def test_whole_trajectories_are_padded_with_their_last_point():
    of = trajectories(
        [[0.0, 1.0, 2.0], [5.0, 6.0, 6.0]], padding=[[False] * 3, [False, False, True]]
    )
    window = Windows(of, None)[:]
    assert window.there.tolist() == [[True] * 3, [True, True, False]]
    assert window.elapsed.tolist() == [[0.0, 1.0, 2.0], [0.0, 1.0, 1.0]]
    assert window.states[1, :, 0].tolist() == [50.0, 60.0, 60.0]


def test_a_trajectory_that_is_shorter_than_a_window_has_none():
    of = trajectories(
        [[0.0, 1.0, 2.0], [5.0, 6.0, 6.0]], padding=[[False] * 3, [False, False, True]]
    )
    windows = Windows(of, 3)
    assert len(windows) == 1
    assert windows[:].start.tolist() == [0.0]


def test_windows_move_to_a_device():
    windows = Windows(trajectories([[0.0, 1.0, 2.0]]), 2).to(torch.device("cpu"))
    assert len(windows) == 2

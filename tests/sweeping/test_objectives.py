import math

from node_cli.sweeping.objectives import objectives_of


def summary(value, goal="max", forward=20.0):
    return {
        "best": {"value": value, "goal": goal},
        "nfe": {"forward_mean": forward, "backward_mean": 0.0},
        "memory": {"saved_bytes_peak": 1000},
        "seconds": 12.5,
    }


def test_an_accuracy_becomes_an_error():
    assert objectives_of(summary(0.75), ["error"]) == 0.25
    assert objectives_of(summary(0.75, "min"), ["error"]) == 0.75


def test_several_objectives_are_given_in_their_order():
    names = ["nfe_forward", "error", "saved_bytes", "seconds", "nfe_backward"]
    assert objectives_of(summary(0.75), names) == (20.0, 0.25, 1000, 12.5, 0.0)


def test_what_is_no_number_is_no_result():
    assert objectives_of(summary(None), ["error"]) is None
    assert objectives_of(summary(math.nan), ["error"]) is None
    assert objectives_of(summary(0.75, forward=None), ["error", "nfe_forward"]) is None

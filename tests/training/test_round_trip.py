import math

import pytest

from node_cli.training.round_trip import warnings

TAG = "solver/round_trip_error_test"


@pytest.mark.parametrize("final", [{}, {TAG: 0.01}, {"solver/round_trip_error": 0.5}])
def test_nothing_is_said_of_a_flow_that_returns(config_of, final):
    assert warnings(config_of(), final) == []


@pytest.mark.parametrize(
    ("words", "error", "fragments"),
    [
        ((), 0.0123, ["1.23% of their size", "tolerance.rtol=1e-05 tolerance.atol=1e-06"]),
        (("tolerance=loose",), 120.0, ["120 times their size", "tolerance.rtol=0.0001"]),
        (("solver=rk4", "solver.num_steps=2"), 0.5, ["50.00%", "more steps (solver.step_size"]),
        (
            ("evaluation.solver=euler", "evaluation.num_steps=2"),
            0.5,
            ["more steps (evaluation.step_size"],
        ),
        (
            ("evaluation.tolerance=0.3",),
            0.5,
            ["Evaluate with a tighter", "as evaluation.tolerance=0.003)"],
        ),
        (
            ("evaluation.rtol=0.1", "tolerance.atol=1e-6"),
            0.5,
            ["such as evaluation.rtol=0.001 evaluation.atol=1e-07)"],
        ),
        (("solver=rk4", "evaluation.num_steps=2"), 0.5, ["Evaluate with more steps (evaluation."]),
        ((), math.inf, ["do not return at all"]),
    ],
)
def test_a_flow_that_does_not_return_is_told_in_one_sentence(config_of, words, error, fragments):
    (sentence,) = warnings(config_of(*words), {TAG: error, "loss/test": 0.1})
    for fragment in fragments:
        assert fragment in sentence


def test_the_worse_of_two_solvers_counts(config_of):
    final = {TAG: 0.001, f"{TAG}_as_trained": 0.2}
    assert "20.00%" in warnings(config_of("evaluation.tolerance=1e-6"), final)[0]


def test_the_advice_is_for_the_solver_that_is_worse(config_of):
    final = {TAG: 0.001, f"{TAG}_as_trained": 0.2}
    (sentence,) = warnings(config_of("evaluation.solver=rk4", "evaluation.num_steps=50"), final)
    assert "Train with a tighter tolerance (such as tolerance.rtol=" in sentence

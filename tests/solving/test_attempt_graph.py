"""The choice of steps in tensors is that of the loops in Python."""

import math

import pytest
import torch

from node_cli.solving.first_step import (
    Beginning,
    first_step,
    guessed_length,
    length_of_first_step,
)
from node_cli.solving.graph_loops import HEAD, NotOneKernelError
from node_cli.solving.kernel_loops import looped
from node_cli.solving.step_control import StepControl, next_length


def number(x):
    return torch.tensor(x, dtype=torch.float64)


def control(**settings):
    return StepControl("dopri5", 1e-3, 1e-3, torch.linalg.vector_norm, **settings)


@pytest.mark.parametrize("order", [2, 3, 5, 8])
def test_the_next_length(order):
    ratios = [10.0 ** (k / 7) for k in range(-150, 150)]
    for ratio in [*ratios, 0.0, 1.0, math.nextafter(1.0, 0.0), math.inf, math.nan]:
        expected = control().next_step(0.37, ratio, order)
        assert float(next_length(number(0.37), number(ratio), order)) == pytest.approx(
            expected, rel=1e-15
        )


class Measured(Beginning):
    def __init__(self, size, slope, change):
        self._sizes, self._change = (size, slope), change

    def sizes(self):
        return self._sizes

    def change(self, step):
        return self._change * abs(step)


@pytest.mark.parametrize("end", [2.0, -3.0, 1e-9])
@pytest.mark.parametrize("curvature", [0.0, 1e-20, 0.3, 1e6])
def test_the_first_length(end, curvature):
    for size in (0.0, 1e-6, 0.2, 1e4):
        for slope in (0.0, 1e-7, 1e-16, 0.5, 1e9):
            expected = first_step(control(), Measured(size, slope, curvature), 0.0, end, 4)
            times = number(0.0), number(end)
            guess = guessed_length(number(size), number(slope), *times)
            steepest = torch.maximum(number(slope), number(curvature) * guess / guess)
            assert float(length_of_first_step(guess, steepest, *times, 4)) == pytest.approx(
                expected, rel=1e-15
            )


def test_a_kernel_gets_a_loop_around_it():
    body = """async_compile.cpp_pybinding(['const float*', 'float*'], r'''
#include "prefix.h"
extern "C"  void  kernel(const float* in_ptr0,
                       float* out_ptr0)
{
    *out_ptr0 = *in_ptr0;
}
''')
"""
    found = looped(body)
    assert "['const float*', 'float*', 'int64_t*']" in found
    assert found.count('extern "C"') == 1
    assert "once((const float*)at[0], (float*)at[1]);" in found
    assert f"plan + {HEAD} + 3 * j" in found


@pytest.mark.parametrize(
    "body",
    [
        "async_compile.triton('kernel', r'''...''')",
        "async_compile.cpp_pybinding(['float*'], r'''no kernel''')",
        """async_compile.cpp_pybinding(['float*', 'int64_t'], r'''
extern "C" void kernel(float* out_ptr0, const int64_t ks0) {}''')""",
    ],
)
def test_other_code_gets_none(body):
    with pytest.raises(NotOneKernelError):
        looped(body)

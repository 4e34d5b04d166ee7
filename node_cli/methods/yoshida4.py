"""H. Yoshida, Construction of higher order symplectic integrators, 1990.

Phys. Lett. A 150(5): three leapfrog steps, of which the middle one goes back, make one of
order 4. The same is in E. Forest and R. D. Ruth, Fourth-order symplectic integration, 1990.
"""

from node_cli.methods.method import splitting

_OUTER = 1 / (2 - 2 ** (1 / 3))

METHOD = splitting("yoshida4", order=4, substeps=(_OUTER, 1 - 2 * _OUTER, _OUTER))

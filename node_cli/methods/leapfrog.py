"""The leapfrog (C. Störmer, 1907; L. Verlet, Phys. Rev. 159, 1967): kick, drift and kick."""

from node_cli.methods.method import splitting

METHOD = splitting("leapfrog", order=2, substeps=(1.0,))

"""Adams methods of variable order, 1 to 12, and variable steps."""

from node_cli.methods.method import Method

METHOD = Method(
    "adams",
    "adaptive",
    "multistep",
    None,
    "node_cli.solving.adams:VariableOrderAdams",
    in_torchdiffeq=False,
)

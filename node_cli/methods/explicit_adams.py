"""Adams-Bashforth methods of a fixed order (J. C. Adams and F. Bashforth, 1883)."""

from node_cli.methods.method import Method

METHOD = Method(
    "explicit_adams",
    "fixed",
    "multistep",
    None,
    "node_cli.solving.adams_fixed_order:ExplicitAdams",
    orders=range(2, 9),
)

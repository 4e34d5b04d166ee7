"""Adams-Moulton methods of a fixed order (F. R. Moulton, 1926), corrected once."""

from node_cli.methods.method import Method

METHOD = Method(
    "implicit_adams",
    "fixed",
    "multistep",
    None,
    "node_cli.solving.adams_fixed_order:ImplicitAdams",
    orders=range(2, 9),
)

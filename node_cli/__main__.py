"""``python -m node_cli`` is ``node-train``."""

from node_cli.cli import main

main()

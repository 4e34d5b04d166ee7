"""``python -m node_cli`` is ``node-train``."""

from node_cli.entry import node_train

if __name__ == "__main__":
    node_train()

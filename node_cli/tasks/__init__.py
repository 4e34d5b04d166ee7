"""The tasks, a folder a family: entry and schemas without torch, networks, data, figures."""

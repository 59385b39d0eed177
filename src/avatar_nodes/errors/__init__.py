"""The two kinds of failure that the graph knows by their type: a configuration, a message."""

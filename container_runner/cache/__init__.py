"""The node's cache daemon: the only writer of the cache."""

"""The transformer as it is trained: built, begun from other weights, adapted, exported."""

"""Benchmark of the web page: a real browser in front of the whole graph."""

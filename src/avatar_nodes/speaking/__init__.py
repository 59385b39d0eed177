"""Turns a reply's sentences into sound that can be held, resumed or dropped."""

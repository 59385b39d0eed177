"""Talks to a running avatar: visitor, operator, requests."""

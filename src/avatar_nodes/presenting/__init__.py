"""Joins pictures with their sound and releases both on one clock."""

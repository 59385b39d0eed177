"""Examines this machine: for `avatar check`, and for the record beside measurements."""

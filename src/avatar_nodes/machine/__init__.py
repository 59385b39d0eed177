"""What this machine has: for `avatar check`, and for the record beside measurements."""

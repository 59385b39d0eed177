"""`avatar eval`, one sub-command a file."""

"""`avatar bench`, one sub-command a file."""

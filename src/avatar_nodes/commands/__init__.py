"""The commands of `avatar`, one a file; each module has its click command in `command`."""

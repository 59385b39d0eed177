"""The error of a configuration that cannot work."""

from __future__ import annotations

EXIT_MISCONFIGURED = 78
"""Exit code of a process that a ConfigurationError ended (EX_CONFIG of sysexits.h)."""


class ConfigurationError(ValueError):
    """A value, file or device with which a part cannot work, so that starting it again cannot help.

    Its text is shown to whoever runs the avatar, and names what to change.
    """

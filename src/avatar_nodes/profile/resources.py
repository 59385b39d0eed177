"""Files shipped with the package: config/, launch/, checkpoints/, samples/, examples/.

They lie at the root of a source checkout (pip's editable install, colcon's symlink install) and
in `<prefix>/share/avatar_nodes` once installed.
"""

from __future__ import annotations

from pathlib import Path

from avatar_nodes.errors.configuration_error import ConfigurationError

PACKAGE = "avatar_nodes"


class ResourceError(ConfigurationError, FileNotFoundError):
    """A shipped file or folder is missing; the message names it and where it was looked for."""


def share_directory() -> Path:
    """The folder that holds config/, launch/ and checkpoints/ of the code that is running.

    Raises:
        ResourceError: neither a checkout nor an installation surrounds this file.
    """
    here = Path(__file__).resolve()
    checkout = here.parents[3]
    if (checkout / "package.xml").is_file() and (checkout / "config").is_dir():
        return checkout
    for prefix in here.parents:
        share = prefix / "share" / PACKAGE
        if share.is_dir():
            return share
    raise ResourceError(f"{PACKAGE} is not installed whole: no share/{PACKAGE} above {here.parent}")


def share_path(*parts: str) -> Path:
    """The absolute path of a shipped file or folder, e.g. share_path("config", "tiny.yaml").

    Raises:
        ResourceError: it does not exist, or `parts` lead out of the shared files.
    """
    share = share_directory()
    path = share.joinpath(*parts)
    if not path.resolve().is_relative_to(share.resolve()):
        raise ResourceError(f"{'/'.join(parts)} is not a path within the files of {PACKAGE}")
    if not path.exists():
        raise ResourceError(f"{PACKAGE} has no {'/'.join(parts)} (looked in {share})")
    return path

"""`avatar sign`: C2PA content credentials for a video."""

from __future__ import annotations

import os
from pathlib import Path

import click

from avatar_nodes.commands.graph_options import plain_errors


@click.command("sign")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate chain (PEM, ES256), the signer's first. Default: a self-made one.",
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Its private key (PEM).",
)
def command(file: Path, certificate: Path | None, key: Path | None) -> None:
    """Add C2PA content credentials to FILE, an MP4: a model made it, and it is unchanged since.

    The self-made certificate is kept in ~/.local/share/avatar_nodes; readers show it as unknown.
    """
    from avatar_nodes.marking.provenance import ProvenanceError, SigningIdentity, sign_file

    if (certificate is None) != (key is None):
        raise click.UsageError("expected --certificate and --key, or neither")
    with plain_errors(ProvenanceError):
        if certificate is not None and key is not None:
            identity = SigningIdentity.from_files(certificate, key)
        else:
            home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
            identity = SigningIdentity.own(Path(home) / "avatar_nodes")
        sign_file(file, identity)
    click.echo(f"{file}: signed")

"""`avatar record`: starts and stops the recording of a running avatar."""

from __future__ import annotations

import json

import click

from avatar_nodes.commands.graph_options import plain_errors, require_ros

_HINT = "is an avatar up in this namespace, with archive.enabled: true in its profile?"


@click.command("record")
@click.argument("what", type=click.Choice(["start", "stop", "status"]))
@click.option(
    "--namespace", default="/avatar", show_default=True, help="ROS namespace of the avatar."
)
@click.option("--json", "as_json", is_flag=True, help="Print `status` as one JSON object.")
def command(what: str, namespace: str, as_json: bool) -> None:
    """Start or stop recording the avatar that is up, or say how it stands.

    Prints the file. Exit code 1: it cannot be recorded.
    """
    require_ros()
    from std_srvs.srv import SetBool

    from avatar_nodes.client.service_request import ServiceRequest, ServiceRequestError
    from avatar_nodes.wire import topics

    try:
        with plain_errors(), ServiceRequest(namespace) as request:
            if what == "status":
                _show(request.latched(topics.RECORDING), as_json)
                return
            wanted = SetBool.Request(data=what == "start")
            answer = request.call(topics.SET_RECORDING, wanted)
    except ServiceRequestError as error:
        raise click.ClickException(f"{error}: {_HINT}") from None
    if not answer.success:
        raise click.ClickException(answer.message)
    click.echo(answer.message)


def _show(state: object, as_json: bool) -> None:
    fields = {name: getattr(state, name) for name in ("active", "file", "problem")}
    fields |= {name: getattr(state, name) for name in ("seconds", "bytes")}
    if as_json:
        click.echo(json.dumps(fields))
        return
    doing = "recording" if fields["active"] else "not recording"
    click.echo(doing if not fields["problem"] else f"{doing}: {fields['problem']}")
    if fields["file"]:
        size = f"{fields['seconds']:.1f} s, {fields['bytes'] / 1e6:.1f} MB"
        click.echo(f"{fields['file']} ({size})")

"""`avatar health`: says whether a running avatar is well."""

from __future__ import annotations

import json

import click

from avatar_nodes.commands.graph_options import require_ros


@click.command("health")
@click.option(
    "--namespace", default="/avatar", show_default=True, help="ROS namespace of the avatar."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 600.0),
    default=5.0,
    show_default=True,
    help="Seconds within which its supervisor must speak.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, as /healthz has it.")
def command(namespace: str, timeout_s: float, as_json: bool) -> None:
    """Say in one line whether the avatar that `avatar up` runs is well.

    Exit code 0: its nodes are ready and its picture moves. 1: not, or nobody says so. For checks
    such as Docker's HEALTHCHECK, or a timer of systemd's. The page tells the same at /healthz
    (status 200 or 503), without a token.
    """
    require_ros()
    from avatar_nodes.client.health_watch import HealthWatch

    with HealthWatch(namespace) as watch:
        report = watch.look(timeout_s)
    state = "healthy" if report["healthy"] else "unhealthy"
    click.echo(json.dumps(report) if as_json else f"{state}: {report['message']}")
    raise SystemExit(0 if report["healthy"] else 1)

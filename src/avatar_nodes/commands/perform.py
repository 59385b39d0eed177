"""`avatar perform`: lets a running avatar do something."""

from __future__ import annotations

from typing import Any

import click

from avatar_nodes.commands.graph_options import plain_errors, require_ros


@click.command("perform")
@click.argument("prompt")
@click.option(
    "--seconds",
    type=click.FloatRange(0.0, 600.0),
    default=0.0,
    help="How long; 0: as long as a gesture takes.",
)
@click.option(
    "--namespace", default="/avatar", show_default=True, help="ROS namespace of the avatar."
)
def command(prompt: str, seconds: float, namespace: str) -> None:
    """Let the avatar that is up in mode converse perform PROMPT; Ctrl-C or SIGTERM ends it.

    PROMPT is in the words of the picture model: "A person waves with one hand."
    """
    require_ros()
    from avatar_msgs.action import Perform
    from avatar_nodes.client.action_request import ActionRequest, ActionRequestError
    from avatar_nodes.wire import topics

    def tell(feedback: Any) -> None:
        click.echo(f"\r{feedback.remaining:.1f} s left ", err=True, nl=False)

    with (
        plain_errors(ActionRequestError),
        ActionRequest(topics.PERFORM, namespace) as request,
    ):
        try:
            result = request.run(Perform.Goal(prompt=prompt, duration=seconds), tell)
        except KeyboardInterrupt:
            raise click.ClickException("stopped") from None
    click.echo(err=True)
    if not result.success:
        raise click.ClickException(result.message)
    click.echo(f"performed in blocks {result.first_block} to {result.last_block}")

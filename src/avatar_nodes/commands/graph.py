"""`avatar graph`: draws the graph of a profile, or lists its topics."""

from __future__ import annotations

import click

from avatar_nodes.commands.graph_options import plain_errors, require_ros


@click.command("graph")
@click.argument("profile_name", required=False, metavar="[PROFILE]")
@click.option(
    "--mode",
    type=click.Choice(["puppet", "converse", "render"]),
    default="converse",
    show_default=True,
    help="See `avatar up` and `avatar render`.",
)
@click.option("--kiosk/--no-kiosk", default=None, help="With the web page, or without.")
@click.option("--forward", is_flag=True, help="Draw the way of a block, and nothing beside it.")
@click.option("--mermaid", "form", flag_value="mermaid", default=True, help="Print Mermaid text.")
@click.option("--dot", "form", flag_value="dot", help="Print Graphviz text.")
@click.option(
    "--table", "form", flag_value="table", help="Print Markdown tables of topics and services."
)
@click.option(
    "--policy", "form", flag_value="policy", help="Print what nodes may do, for `ros2 security`."
)
@click.option(
    "--namespace", default="/avatar", show_default=True, help="ROS namespace, for --policy."
)
def command(
    profile_name: str | None,
    mode: str,
    kiosk: bool | None,
    forward: bool,
    form: str,
    namespace: str,
) -> None:
    """Draw the graph of PROFILE: its nodes, the processes they share, who publishes what to whom.

    Nothing is started. Without PROFILE it is `tiny`; --table then lists everything that is
    declared, by node kind, and --policy allows for every kind of node and mode.
    """
    require_ros()
    from avatar_nodes.graph.drawing import Drawing
    from avatar_nodes.graph.graph import Graph
    from avatar_nodes.graph.security_policy import security_policy, whole_avatar
    from avatar_nodes.graph.topic_table import declared_requests, declared_wires, topic_tables
    from avatar_nodes.graph.wiring import requests_of, wires_of
    from avatar_nodes.profile import load_profile

    if form == "table" and profile_name is None:
        click.echo(topic_tables(declared_wires(), declared_requests()), nl=False)
        return
    if form == "policy" and profile_name is None:
        with plain_errors():
            click.echo(security_policy(whole_avatar(namespace)), nl=False)
        return
    renders = mode == "render"
    with plain_errors():
        graph = Graph.from_profile(
            load_profile(profile_name or "tiny"),
            mode=mode,  # type: ignore[arg-type]
            audio="speech.wav" if renders else None,
            out="video.mp4" if renders else None,
            kiosk=kiosk,
            namespace=namespace,
        )
    if form == "table":
        click.echo(topic_tables(wires_of(graph), requests_of(graph)), nl=False)
        return
    if form == "policy":
        click.echo(security_policy([graph]), nl=False)
        return
    drawing = Drawing.of(graph, forward=forward)
    click.echo(drawing.mermaid() if form == "mermaid" else drawing.dot(), nl=False)

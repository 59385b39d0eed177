"""Launch an avatar: the nodes that `avatar_nodes.graph.graph` describes, as launch_ros actions.

`ros2 launch avatar_nodes avatar.launch.py --show-args` lists the arguments.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from avatar_nodes.graph.discovery import discovery_environment, exposure
from avatar_nodes.graph.graph import DEFAULT_AUDIO, EXIT_MISCONFIGURED, Graph, ProcessSpec
from avatar_nodes.graph.process_command import (
    container_arguments,
    executable,
    process_environment,
    remapping_rules,
    restore_parameters,
    write_parameters,
)
from avatar_nodes.graph.tied_process import tied
from avatar_nodes.profile import load_profile

_TRUE_FALSE = ["true", "false"]

_ARGUMENTS = [
    DeclareLaunchArgument(
        "profile",
        default_value="tiny",
        description="Profile: a shipped one by name, or a YAML file.",
    ),
    DeclareLaunchArgument(
        "namespace",
        default_value="/avatar",
        description="Absolute ROS namespace of every node and topic.",
    ),
    DeclareLaunchArgument(
        "mode",
        default_value="puppet",
        choices=["puppet", "converse", "render"],
        description="puppet: live, moved by a voice. converse: live, answers what it hears."
        " render: one sound file, as fast as it goes.",
    ),
    DeclareLaunchArgument(
        "audio",
        default_value=DEFAULT_AUDIO,
        description="Speech that drives the avatar: a sound file, device:NAME (device: is the"
        " default one) or topic:NAME.",
    ),
    DeclareLaunchArgument(
        "reference",
        default_value="",
        description="Picture of the person; empty: the profile's.",
    ),
    DeclareLaunchArgument(
        "prompt",
        default_value="",
        description="What the person does; empty: the profile's prompt. Not in mode converse, where"
        " the persona decides.",
    ),
    DeclareLaunchArgument(
        "out",
        default_value="",
        description="Video file that a recorder writes (not in mode puppet); empty: no recorder.",
    ),
    DeclareLaunchArgument(
        "kiosk",
        default_value="",
        choices=["", *_TRUE_FALSE],
        description="Serve the web page at http://127.0.0.1:8080; empty: as the profile has it.",
    ),
    DeclareLaunchArgument(
        "only",
        default_value="",
        description="Nodes that run on this machine, with commas between; empty: all.",
    ),
    DeclareLaunchArgument(
        "without",
        default_value="",
        description="Nodes that run on another machine, or in whose place your own do, with commas"
        " between; empty: none.",
    ),
    DeclareLaunchArgument(
        "params_file",
        default_value="",
        description="ROS parameter file laid over the profile's values; empty: none.",
    ),
    DeclareLaunchArgument(
        "autostart",
        default_value="true",
        choices=_TRUE_FALSE,
        description="Configure and activate the nodes when they start.",
    ),
    DeclareLaunchArgument(
        "use_respawn",
        default_value="",
        choices=["", *_TRUE_FALSE],
        description="Start a node again that has ended by itself; empty: as the profile has it.",
    ),
    DeclareLaunchArgument(
        "network",
        default_value="",
        choices=["", *_TRUE_FALSE],
        description="Let ROS 2 nodes of the whole subnet find the avatar (true), or those of this"
        " machine alone; empty: as ROS_AUTOMATIC_DISCOVERY_RANGE or the profile has it, else the"
        " latter.",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="Log level of the nodes.",
    ),
]


def generate_launch_description() -> LaunchDescription:
    """The arguments, and the graph that they make."""
    return LaunchDescription([*_ARGUMENTS, OpaqueFunction(function=_launch_graph)])


def _launch_graph(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = {
        argument.name: LaunchConfiguration(argument.name).perform(context)
        for argument in _ARGUMENTS
    }
    graph = Graph.from_profile(
        load_profile(given["profile"]),
        mode=given["mode"],
        namespace=given["namespace"],
        audio=given["audio"],
        reference=given["reference"] or None,
        prompt=given["prompt"] or None,
        out=given["out"] or None,
        kiosk=given["kiosk"] == "true" if given["kiosk"] else None,
        autostart=given["autostart"] == "true",
        respawn=given["use_respawn"] == "true" if given["use_respawn"] else None,
    ).part(only=_names(given["only"]), without=_names(given["without"]))
    folder = Path(tempfile.mkdtemp(prefix="avatar_"))
    params = [write_parameters(graph, folder)]
    if given["params_file"]:
        params.append(Path(given["params_file"]).expanduser().absolute())
    entities: list[LaunchDescriptionEntity] = []
    discovery = discovery_environment(
        opened=graph.profile.network.open,
        asked=given["network"] == "true" if given["network"] else None,
    )
    if danger := exposure(os.environ | discovery):
        entities.append(LogInfo(msg=f"WARNING: {danger}"))
    for process in graph.processes:
        entities += _process_actions(graph, process, params, given["log_level"], discovery)
    entities.append(RegisterEventHandler(OnShutdown(on_shutdown=lambda *_: _remove(folder))))
    return entities


def _process_actions(
    graph: Graph, process: ProcessSpec, params: list[Path], log_level: str, env: dict[str, str]
) -> list[LaunchDescriptionEntity]:
    alone = len(process.nodes) == 1
    node = Node(
        package="avatar_nodes",
        executable=executable(process),
        exec_name=process.name,
        name=process.nodes[0].name if alone else None,
        namespace=graph.namespace,
        arguments=container_arguments(process),
        parameters=[str(file) for file in params],
        remappings=remapping_rules(process),
        ros_arguments=["--log-level", log_level],
        additional_env=_environment(process) | env,
        # A `ros2 launch` that is terminated leaves its children behind; these end with it.
        prefix=shlex.join(tied([])),
        respawn=process.respawn,
        respawn_delay=max(graph.profile.restart.delay_s, 0.1),
        output="both",
        emulate_tty=True,
    )

    def ended(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        if event.returncode == EXIT_MISCONFIGURED:
            reason = f"{process.name} found its configuration wrong"
        elif process.ends_graph:
            reason = f"{process.name} has ended with exit code {event.returncode}"
        else:
            if process.respawn and not context.is_shutdown:  # after respawn_delay it is started
                with contextlib.suppress(OSError):  # it will say what it misses
                    restore_parameters(graph, params[0])
            return []
        return [LogInfo(msg=reason), EmitEvent(event=Shutdown(reason=reason))]

    handler = RegisterEventHandler(OnProcessExit(target_action=node, on_exit=ended))
    return [handler, node]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _environment(process: ProcessSpec) -> dict[str, str]:
    """What a process needs beyond the environment that it inherits."""
    wanted = process_environment(process)
    return {name: value for name, value in wanted.items() if os.environ.get(name) != value}


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)

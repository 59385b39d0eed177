"""Launch an avatar: the nodes that `avatar_nodes.graph.graph` describes, as launch_ros actions.

`ros2 launch avatar_nodes avatar.launch.py --show-args` lists the arguments.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
from pathlib import Path

from launch import Event, LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handler import EventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited, ProcessIO, ProcessStarted, SignalProcess
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.utilities import make_namespace_absolute, prefix_namespace

from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED
from avatar_nodes.graph.discovery import discovery_environment, exposure
from avatar_nodes.graph.graph import DEFAULT_AUDIO, Graph, ProcessSpec
from avatar_nodes.graph.params_file import check_params_file
from avatar_nodes.graph.process_command import (
    container_arguments,
    executable,
    parameters_text,
    process_environment,
    remapping_rules,
)
from avatar_nodes.graph.tied_process import tied
from avatar_nodes.profile import load_profile

_TRUE_FALSE = ["true", "false"]
_FATAL = re.compile(r"\[FATAL\] (?:\[[^\]]*\] ?)+: (.+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_KEPT_CHARACTERS = 16_000

_ARGUMENTS = [
    DeclareLaunchArgument(
        "profile",
        default_value="tiny",
        description="Profile: a shipped one by name, or a YAML file.",
    ),
    DeclareLaunchArgument(
        "namespace",
        default_value="avatar",
        description="ROS namespace of every node and topic, below that of the launch file which"
        " includes this one (PushRosNamespace); with a slash before it, absolute.",
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
        "use_sim_time",
        default_value="",
        choices=["", *_TRUE_FALSE],
        description="Take the time from /clock, as a simulation gives it; empty: as the including"
        " launch file has it, else the machine's.",
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
        namespace=_below_pushed(context, given["namespace"]),
        audio=given["audio"],
        reference=given["reference"] or None,
        prompt=given["prompt"] or None,
        out=given["out"] or None,
        kiosk=given["kiosk"] == "true" if given["kiosk"] else None,
        autostart=given["autostart"] == "true",
        respawn=given["use_respawn"] == "true" if given["use_respawn"] else None,
    ).part(only=_names(given["only"]), without=_names(given["without"]))
    own = []
    if given["params_file"]:
        own.append(Path(given["params_file"]).expanduser().absolute())
        check_params_file(graph, own[0])
    params = [_in_memory(parameters_text(graph)), *own]
    options = ["--log-level", given["log_level"]]
    if given["use_sim_time"]:
        options += ["-p", f"use_sim_time:={given['use_sim_time']}"]
    entities: list[LaunchDescriptionEntity] = []
    discovery = discovery_environment(
        opened=graph.profile.network.open,
        asked=given["network"] == "true" if given["network"] else None,
    )
    if danger := exposure(os.environ | discovery):
        entities.append(LogInfo(msg=f"WARNING: {danger}"))
    failure = _Failure()
    for process in graph.processes:
        node = _node(graph, process, params, options, discovery)
        failure.watch(node)
        entities += [_on_exit(process, node, failure), node]
    return [*entities, *failure.handlers]


def _node(
    graph: Graph, process: ProcessSpec, params: list[Path], options: list[str], env: dict[str, str]
) -> Node:
    alone = len(process.nodes) == 1
    return Node(
        package="avatar_nodes",
        executable=executable(process),
        exec_name=process.name,
        name=process.nodes[0].name if alone else None,
        namespace=graph.namespace,
        arguments=container_arguments(process),
        parameters=[str(file) for file in params],
        remappings=remapping_rules(process),
        ros_arguments=options,
        additional_env=_environment(process) | env,
        # Without others' secrets, which launch cannot take away. A `ros2 launch` that is terminated
        # leaves its children behind; these end with it.
        prefix=shlex.join(["env", *(f"--unset={name}" for name in process.withheld), *tied([])]),
        respawn=process.respawn,
        respawn_delay=max(graph.profile.restart.delay_s, 0.1),
        output="both",
        emulate_tty=True,
    )


def _on_exit(process: ProcessSpec, node: Node, failure: _Failure) -> RegisterEventHandler:
    """What the end of a process means for the whole."""

    def ended(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        if context.is_shutdown:
            return []
        if event.returncode == EXIT_MISCONFIGURED:
            return failure.of(process.name, node, "found its configuration wrong")
        if process.ends_graph:
            reason = f"has ended with exit code {event.returncode}"
            if event.returncode:
                return failure.of(process.name, node, reason)
            reason = f"{process.name} {reason}"
            return [LogInfo(msg=reason), EmitEvent(event=Shutdown(reason=reason))]
        return []

    return RegisterEventHandler(OnProcessExit(target_action=node, on_exit=ended))


class _AllEnded(Event):
    """All processes of a launch that has failed have ended."""

    name = "avatar_nodes.AllEnded"


class _Failure:
    """Lets the launch fail: with an exit code other than 0, and the reason as its last line.

    `ros2 launch` exits with 1 only where something raises an error, and prints that error at once.
    So this raises one when all processes have ended and have printed what they had to.
    """

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._running: set[Node] = set()
        self._printed: dict[Node, str] = {}
        self._reason = ""

    @property
    def handlers(self) -> list[LaunchDescriptionEntity]:
        """To be added to the launch description."""
        by_event = {
            ProcessStarted: lambda event: self._running.add(event.action),
            ProcessIO: self._keep,
            ProcessExited: self._ended,
        }

        def follow(context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
            event = context.locals.event
            return next(do(event) for kind, do in by_event.items() if isinstance(event, kind))

        def fail(context: LaunchContext) -> None:
            raise RuntimeError(self._reason)

        def ours(event: Event) -> bool:
            return isinstance(event, tuple(by_event)) and event.action in self._nodes

        return [
            RegisterEventHandler(
                EventHandler(matcher=matcher, entities=[OpaqueFunction(function=function)])
            )
            for matcher, function in (
                (ours, follow),
                (lambda event: isinstance(event, _AllEnded), fail),
            )
        ]

    def watch(self, node: Node) -> None:
        """Wait for the end of this process, too."""
        self._nodes.append(node)

    def of(self, process: str, node: Node, reason: str) -> list[LaunchDescriptionEntity]:
        """End all, since `process` has failed: its FATAL line says why, or else `reason`."""
        lines = _FATAL.findall(_COLOUR.sub("", self._printed.get(node, "")))
        self._reason = f"[FATAL] [{process}]: {lines[-1].strip() if lines else reason}"
        # By SIGTERM first: a node that still imports its modules would answer SIGINT, by which
        # launch ends processes, with a traceback.
        end = SignalProcess(
            signal_number=signal.SIGTERM, process_matcher=lambda each: each in self._running
        )
        return [
            EmitEvent(event=end),
            EmitEvent(event=Shutdown(reason=self._reason)),
            *([] if self._running else [EmitEvent(event=_AllEnded())]),
        ]

    def _keep(self, event: ProcessIO) -> None:
        text = self._printed.get(event.action, "") + event.text.decode(errors="replace")
        self._printed[event.action] = text[-_KEPT_CHARACTERS:]

    def _ended(self, event: ProcessExited) -> list[LaunchDescriptionEntity]:
        self._running.discard(event.action)
        last = self._reason and not self._running
        return [EmitEvent(event=_AllEnded())] if last else []


def _below_pushed(context: LaunchContext, namespace: str) -> str:
    """Absolute; one that is relative lies below the launch files' PushRosNamespace."""
    pushed = context.launch_configurations.get("ros_namespace")
    whole: str = make_namespace_absolute(prefix_namespace(pushed, namespace))
    return whole


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _environment(process: ProcessSpec) -> dict[str, str]:
    """What a process needs beyond the environment that it inherits."""
    wanted = process_environment(process)
    return {name: value for name, value in wanted.items() if os.environ.get(name) != value}


def _in_memory(text: bytes) -> Path:
    """A file that lasts as long as this process, and leaves nothing behind however that ends:
    `ros2 launch` removes nothing when it gets SIGTERM."""
    file = os.memfd_create("avatar_parameters")
    os.write(file, text)
    return Path(f"/proc/{os.getpid()}/fd/{file}")

"""The node graph as data: nodes, parameters, wiring, placement.

`Graph.from_profile` is the one place where a profile becomes nodes. The launch file and `avatar up`
both read its result; `process_command.py` says how a process of it is started.

Relative topic names are resolved in the graph's namespace. A denoiser's topics are `latent_in` and
`latent_out`, the decoder's `latent_in`; `remappings` lead them to `blocks/latent_1` ...
`blocks/latent_clean`. The denoiser that owns step 0 makes its own noise and has no `latent_in`.
`stages` names the nodes that must report ready (StageStatus) before the conductor issues a block.

Exit codes of a node's process: 0 it was told to end, or (recorder) its file is complete; 78 it
cannot work as it is configured, so that a restart cannot help, unless it has worked before and what
it needs comes back; anything else: it failed and may be started again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from avatar_nodes.graph.graph_nodes import (
    SINGLE_PROCESS,
    GraphError,
    GraphNodes,
    Placement,
    audio_source,
    stage_names,
)
from avatar_nodes.graph.node_spec import NodeSpec, ProcessSpec
from avatar_nodes.profile import Mode, Profile, with_values
from avatar_nodes.profile.people import reference_file
from avatar_nodes.profile.secrets import PAGE_SECRETS, server_keys
from avatar_nodes.profile.settings import NodeSettings
from avatar_nodes.wire import names

DEFAULT_AUDIO = f"topic:{names.AUDIO_IN}"

_Settings = TypeVar("_Settings", bound=NodeSettings)
_PATH = ("conductor", "denoiser", "decoder", "presenter")
_NAMESPACE = re.compile(r"^(/[A-Za-z][A-Za-z0-9_]*)+$")

__all__ = [
    "DEFAULT_AUDIO", "SINGLE_PROCESS", "Graph", "GraphError", "NodeSpec",
    "Placement", "ProcessSpec",
]  # fmt: skip


@dataclass(frozen=True)
class Graph:
    """All nodes of one avatar, in the order of the data flow: microphone first, recorder last."""

    namespace: str
    mode: Mode
    nodes: tuple[NodeSpec, ...]
    profile: Profile
    path: tuple[str, ...]
    """The nodes that every block passes, in their order; a part of the graph knows all of them."""

    @property
    def processes(self) -> tuple[ProcessSpec, ...]:
        """The nodes gathered by process, in the order of each one's first node."""
        homes: dict[str, list[NodeSpec]] = {}
        for node in self.nodes:
            homes.setdefault(node.process, []).append(node)
        secrets = PAGE_SECRETS | server_keys(self.profile)
        return tuple(
            ProcessSpec(name, tuple(nodes), secrets.difference(*(node.secrets for node in nodes)))
            for name, nodes in homes.items()
        )

    @property
    def autostart(self) -> bool:
        """The nodes configure and activate themselves."""
        return self.nodes[0].settings.autostart

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the nodes that must be ready before a block is issued."""
        return stage_names(self.nodes)

    def settings_of(self, kind: type[_Settings]) -> list[_Settings]:
        """The settings of that class, of each node that has such."""
        return [node.settings for node in self.nodes if isinstance(node.settings, kind)]

    @classmethod
    def from_profile(
        cls,
        profile: Profile,
        *,
        mode: Mode = "puppet",
        namespace: str = "/avatar",
        audio: str | Path | None = None,
        reference: str | Path | None = None,
        prompt: str | None = None,
        seed: int | None = None,
        first_block: int | None = None,
        out: str | Path | None = None,
        placement: Placement = "profile",
        kiosk: bool | None = None,
        autostart: bool = True,
        respawn: bool | None = None,
    ) -> Graph:
        """Build the graph of `profile`; arguments that are None leave the profile's value.

        Args:
            mode: `puppet` is live and endless; `render` turns one audio file into video as fast as
            it goes; `converse` is live, and answers what it hears.
            namespace: absolute ROS namespace of every node and topic, such as `/avatar`.
            audio: a file path, `device:NAME`, `device:` (the default device) or `topic:NAME`.
            reference, prompt, seed, first_block: instead of the profile's; no prompt in `converse`,
                where the persona decides.
            out: video file to write; there is a recorder only with it, and not in `puppet`.
            placement: `profile`, `separate` (one denoiser a step, each node a process) or `single`
                (one denoiser a step, all in one process).
            kiosk: serve the web page, instead of the profile's `kiosk.enabled`.
            respawn: instead of the profile's `restart.respawn`.

        Raises:
            GraphError: the arguments do not make a graph.
            UnknownPersonError: `reference` is neither a file nor a shipped person.
        """
        _check_namespace(namespace)
        source = audio_source(str(audio or DEFAULT_AUDIO))
        if mode == "render" and source["source"] != "file":
            raise GraphError(f"mode render: expected an audio file, got {audio or 'nothing'}")
        if out is not None and mode == "puppet":
            raise GraphError("out: a video file is written in modes render and converse only")
        if prompt is not None and mode == "converse":
            raise GraphError(
                "prompt: in mode converse the persona's `states` and actions decide, see"
                " docs/persona.md"
            )
        stream = {"prompt": prompt, "seed": seed, "first_block": first_block}
        profile = _with_stream(profile, {k: v for k, v in stream.items() if v is not None})
        if reference is not None:
            profile = _with_stream(profile, {"reference": str(reference_file(reference))})
        if kiosk is not None:
            profile = with_values(profile, {"kiosk": {"enabled": kiosk}})
        if not profile.stream.reference:
            default = Path(profile.model.checkpoint) / "reference.png"
            profile = _with_stream(profile, {"reference": str(default)})
        if respawn is not None:
            profile = with_values(profile, {"restart": {"respawn": respawn}})
        nodes = GraphNodes(profile, mode, placement, autostart).nodes(source, out)
        path = tuple(node.name for node in nodes if node.kind in _PATH)
        return cls(namespace, mode, tuple(nodes), profile, path)

    def part(self, *, only: Sequence[str] = (), without: Sequence[str] = ()) -> Graph:
        """What of the graph runs on one machine: the nodes named by `only` (none: all), but not
        those named by `without`. The others run elsewhere, from the same profile, or somebody's
        own nodes stand in their places.

        Raises:
            GraphError: a name is none of the graph's, or nothing is left.
        """
        known = [node.name for node in self.nodes]
        for name in (*only, *without):
            if name not in known:
                raise GraphError(f"node {name!r}: expected one of {', '.join(known)}")
        nodes = tuple(
            node
            for node in self.nodes
            if (not only or node.name in only) and node.name not in without
        )
        if not nodes:
            raise GraphError("nothing is left to run on this machine")
        return replace(self, nodes=nodes)


def _with_stream(profile: Profile, update: Mapping[str, object]) -> Profile:
    """`profile` with some values of its stream section replaced, and validated like the others."""
    if not update:
        return profile
    return with_values(profile, {"stream": dict(update)})


def _check_namespace(namespace: str) -> None:
    if not _NAMESPACE.match(namespace) or "__" in namespace:
        raise GraphError(f"namespace: expected a name such as /avatar, got {namespace!r}")

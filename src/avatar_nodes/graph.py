"""The node graph as data: nodes, parameters, wiring, placement.

`Graph.from_profile` is the one place where a profile becomes nodes. The launch file and `avatar up`
both read its result; `process.py` says how a process of it is started.

Parameters that each node declares:

    every node   autostart bool, diagnostics_period_s float
    microphone   source str (file | device | topic), file str (path), device str (empty: the
                 default), topic str, pace str (realtime | demand), sample_rate int, chunk_samples
                 int
    conductor    mode str (puppet | render), checkpoint str, dtype str, stages str[], prompt str,
                 seed int, first_block int, past_blocks int, adaptive_sink bool, aas_from_block int,
                 max_in_flight int, pace str (realtime | free), margin_s float, idle str (keep_alive
                 | hold), sample_rate int, fps int, heartbeat_timeout_s float, block_timeout_s float
    denoiser     checkpoint str, dtype str, sigmas float[], steps int[], past_blocks int,
                 rolling_rope bool, kv_cache str (same_noise | clean), device str, threads int
    decoder      checkpoint str, dtype str, device str, threads int, reference str (path), width
                 int, height int
    presenter    pace str (realtime | free), fps int, width int, height int, sample_rate int,
                 margin_s float, readers int, frame_id str, jpeg_quality int, qos_image str,
                 qos_audio str
    recorder     out str (path), fps int, width int, height int, sample_rate int, qos_image str,
                 qos_audio str

Relative topic names are resolved in the graph's namespace. A denoiser's topics are `latent_in` and
`latent_out`, the decoder's `latent_in`; `remappings` lead them to `blocks/latent_1` ...
`blocks/latent_clean`. The denoiser that owns step 0 makes its own noise and has no `latent_in`.
`stages` names the nodes that must report ready (StageStatus) before the conductor issues a block.

Exit codes of a node's process: 0 it was told to end, or (recorder) its file is complete; 78 it was
configured wrongly, so that a restart cannot help; anything else: it failed and may be started
again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from avatar_nodes.profile import Mode, Profile, with_values

ParameterValue = bool | int | float | str | list[int] | list[float] | list[str]
Parameters = dict[str, ParameterValue]
Placement = Literal["profile", "separate", "single"]

EXIT_MISCONFIGURED = 78  # EX_CONFIG of sysexits.h
DEFAULT_AUDIO = "topic:audio_in"
SINGLE_PROCESS = "all"

_NAMESPACE = re.compile(r"^(/[A-Za-z][A-Za-z0-9_]*)+$")


class GraphError(ValueError):
    """A graph that cannot be built from what was asked for."""


@dataclass(frozen=True)
class NodeSpec:
    """One ROS node.

    `kind` names its module (`avatar_nodes.nodes.<kind>`) and its executable; `remappings` leads the
    node's own topic names to the graph's; `process` is the process that it lives in.
    """

    name: str
    kind: str
    parameters: Mapping[str, ParameterValue]
    process: str
    remappings: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None
    threads: int = 1
    respawn: bool = True


@dataclass(frozen=True)
class ProcessSpec:
    """One operating system process and the nodes that share it, in the order of the data flow."""

    name: str
    nodes: tuple[NodeSpec, ...]

    @property
    def respawn(self) -> bool:
        """Started again when it ends by itself."""
        return all(node.respawn for node in self.nodes)

    @property
    def ends_graph(self) -> bool:
        """Its regular end (exit code 0) means that the graph's work is done."""
        return any(node.kind == "recorder" for node in self.nodes)

    @property
    def threads(self) -> int:
        """CPU threads that its arithmetic may use."""
        return max(node.threads for node in self.nodes)


@dataclass(frozen=True)
class Graph:
    """All nodes of one avatar, in the order of the data flow: microphone first, recorder last."""

    namespace: str
    mode: Mode
    nodes: tuple[NodeSpec, ...]
    profile: Profile

    @property
    def processes(self) -> tuple[ProcessSpec, ...]:
        """The nodes gathered by process, in the order of each one's first node."""
        homes: dict[str, list[NodeSpec]] = {}
        for node in self.nodes:
            homes.setdefault(node.process, []).append(node)
        return tuple(ProcessSpec(name, tuple(nodes)) for name, nodes in homes.items())

    @property
    def autostart(self) -> bool:
        """The nodes configure and activate themselves."""
        return bool(self.nodes[0].parameters["autostart"])

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the nodes that must be ready before a block is issued."""
        return _stage_names(self.nodes)

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
        autostart: bool = True,
        respawn: bool | None = None,
    ) -> Graph:
        """Build the graph of `profile`; arguments that are None leave the profile's value.

        Args:
            mode: `puppet` is live and endless; `render` turns one audio file into video as fast as
            it goes.
            namespace: absolute ROS namespace of every node and topic, such as `/avatar`.
            audio: a file path, `device:NAME`, `device:` (the default device) or `topic:NAME`.
            reference, prompt, seed, first_block: instead of the profile's.
            out: video file to write; there is a recorder only with it, and only in `render`.
            placement: `profile`, `separate` (one denoiser a step, each node a process) or `single`
                (one denoiser a step, all in one process).
            respawn: instead of the profile's `restart.respawn`.

        Raises:
            GraphError: the arguments do not make a graph.
        """
        _check_namespace(namespace)
        source = _audio_source(str(audio or DEFAULT_AUDIO))
        if mode == "render" and source["source"] != "file":
            raise GraphError(f"mode render: expected an audio file, got {audio or 'nothing'}")
        if out is not None and mode != "render":
            raise GraphError("out: a video file is written in mode render only")
        stream = {"prompt": prompt, "seed": seed, "first_block": first_block}
        profile = _with_stream(profile, {k: v for k, v in stream.items() if v is not None})
        if reference is not None:
            profile = _with_stream(profile, {"reference": str(Path(reference).absolute())})
        if not profile.stream.reference:
            default = Path(profile.model.checkpoint) / "reference.png"
            profile = _with_stream(profile, {"reference": str(default)})
        nodes = _Builder(profile, mode, placement).nodes(source, out)
        restart = profile.restart.respawn if respawn is None else respawn
        return cls(namespace, mode, _finish(nodes, profile, autostart, restart), profile)


class _Builder:
    """Makes the nodes of one graph, section by section of the profile."""

    def __init__(self, profile: Profile, mode: Mode, placement: Placement) -> None:
        self.profile = profile
        self.mode = mode
        self.free = mode == "render" or profile.stream.pace == "free"
        self.placement = placement

    def nodes(self, audio: Parameters, out: str | Path | None) -> list[NodeSpec]:
        nodes = [self._microphone(audio), *self._denoisers(), self._decoder()]
        nodes.append(self._presenter(readers=0 if out is None else 1))
        if out is not None:
            nodes.append(self._recorder(Path(out).absolute()))
        nodes.insert(1, self._conductor(_stage_names(nodes)))
        return nodes

    def _node(
        self,
        kind: str,
        parameters: Parameters,
        *,
        name: str = "",
        remappings: Mapping[str, str] | None = None,
        device: str | None = None,
        threads: int = 1,
    ) -> NodeSpec:
        name = name or kind
        process = self._process_of(name)
        return NodeSpec(name, kind, parameters, process, remappings or {}, device, threads)

    def _process_of(self, node: str) -> str:
        if self.placement == "single":
            return SINGLE_PROCESS
        if self.placement == "profile":
            for process, nodes in self.profile.placement.processes.items():
                if node in nodes:
                    return process
        return node

    def _microphone(self, audio: Parameters) -> NodeSpec:
        rate, fps = self.profile.audio.sample_rate, self.profile.video.fps
        parameters: Parameters = {
            **audio,
            "pace": "demand" if self.free else "realtime",
            "sample_rate": rate,
            "chunk_samples": rate // fps,
        }
        return self._node("microphone", parameters)

    def _conductor(self, stages: Sequence[str]) -> NodeSpec:
        profile, stream = self.profile, self.profile.stream
        parameters: Parameters = {
            "mode": self.mode,
            "checkpoint": profile.model.checkpoint,
            "dtype": profile.model.dtype,
            "stages": list(stages),
            "prompt": stream.prompt,
            "seed": stream.seed,
            "first_block": stream.first_block,
            "past_blocks": profile.model.past_blocks,
            "adaptive_sink": profile.model.adaptive_sink,
            "aas_from_block": profile.model.aas_from_block,
            "max_in_flight": stream.max_in_flight,
            "pace": "free" if self.free else "realtime",
            "margin_s": stream.margin_s,
            "idle": stream.idle,
            "sample_rate": profile.audio.sample_rate,
            "fps": profile.video.fps,
            "heartbeat_timeout_s": stream.heartbeat_timeout_s,
            "block_timeout_s": stream.block_timeout_s,
        }
        return self._node("conductor", parameters)

    def _denoisers(self) -> list[NodeSpec]:
        places = [
            (list(place.steps), place.device, place.threads)
            for place in self.profile.placement.denoisers
        ]
        if self.placement != "profile":
            if self.profile.model.kv_cache == "clean" and self.profile.num_steps > 1:
                raise GraphError(
                    "placement: expected profile (model.kv_cache is clean, so that one denoiser"
                    f" takes every step), got {self.placement}"
                )
            places = [([s], device, threads) for steps, device, threads in places for s in steps]
        return [
            self._denoiser(number, number == len(places), *place)
            for number, place in enumerate(places, start=1)
        ]

    def _denoiser(
        self, number: int, last: bool, steps: list[int], device: str, threads: int
    ) -> NodeSpec:
        model = self.profile.model
        remappings = {"latent_out": "blocks/latent_clean" if last else f"blocks/latent_{number}"}
        if number > 1:
            remappings["latent_in"] = f"blocks/latent_{number - 1}"
        parameters: Parameters = {
            "checkpoint": model.checkpoint,
            "dtype": model.dtype,
            "sigmas": list(model.sigmas),
            "steps": steps,
            "past_blocks": model.past_blocks,
            "rolling_rope": model.rolling_rope,
            "kv_cache": model.kv_cache,
            "device": device,
            "threads": threads,
        }
        return self._node(
            "denoiser",
            parameters,
            name=f"denoiser_{number}",
            remappings=remappings,
            device=device,
            threads=threads,
        )

    def _decoder(self) -> NodeSpec:
        profile, place = self.profile, self.profile.placement.decoder
        parameters: Parameters = {
            "checkpoint": profile.model.checkpoint,
            "dtype": profile.model.dtype,
            "device": place.device,
            "threads": place.threads,
            "reference": profile.stream.reference,
            "width": profile.video.width,
            "height": profile.video.height,
        }
        return self._node(
            "decoder",
            parameters,
            remappings={"latent_in": "blocks/latent_clean"},
            device=place.device,
            threads=place.threads,
        )

    def _output(self) -> Parameters:
        profile = self.profile
        return {
            "fps": profile.video.fps,
            "width": profile.video.width,
            "height": profile.video.height,
            "sample_rate": profile.audio.sample_rate,
            "qos_image": profile.qos.image,
            "qos_audio": profile.qos.audio,
        }

    def _presenter(self, readers: int) -> NodeSpec:
        video = self.profile.video
        parameters: Parameters = {
            **self._output(),
            "pace": "free" if self.free else "realtime",
            "margin_s": self.profile.stream.margin_s,
            "readers": readers,
            "frame_id": video.frame_id,
            "jpeg_quality": video.jpeg_quality,
        }
        return self._node("presenter", parameters)

    def _recorder(self, out: Path) -> NodeSpec:
        return self._node("recorder", {**self._output(), "out": str(out)})


def _stage_names(nodes: Sequence[NodeSpec]) -> tuple[str, ...]:
    return tuple(node.name for node in nodes if node.kind not in ("microphone", "conductor"))


def _finish(
    nodes: Sequence[NodeSpec], profile: Profile, autostart: bool, respawn: bool
) -> tuple[NodeSpec, ...]:
    """Add what every node has; a recorder cannot go on with a file that it left half written."""
    common: Parameters = {
        "autostart": autostart,
        "diagnostics_period_s": profile.diagnostics.period_s,
    }
    return tuple(
        replace(
            node,
            parameters={**common, **node.parameters},
            respawn=respawn and node.kind != "recorder",
        )
        for node in nodes
    )


def _audio_source(audio: str) -> Parameters:
    """The microphone's source parameters of `device:NAME`, `topic:NAME` or a file path."""
    parameters: Parameters = {"source": "file", "file": "", "device": "", "topic": ""}
    source, colon, name = audio.partition(":")
    if not colon or source not in ("device", "topic"):
        return {**parameters, "file": str(Path(audio).absolute())}
    if source == "topic" and not name:
        raise GraphError("audio: expected a topic's name after 'topic:', got nothing")
    return {**parameters, "source": source, source: name}


def _with_stream(profile: Profile, update: Mapping[str, object]) -> Profile:
    """`profile` with some values of its stream section replaced, and validated like the others."""
    if not update:
        return profile
    return with_values(profile, {"stream": dict(update)})


def _check_namespace(namespace: str) -> None:
    if not _NAMESPACE.match(namespace) or "__" in namespace:
        raise GraphError(f"namespace: expected a name such as /avatar, got {namespace!r}")

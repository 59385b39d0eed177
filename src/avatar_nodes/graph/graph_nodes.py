"""Makes the nodes of one graph, section by section of the profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.graph.environment import LIGHT_SEGMENT_BYTES
from avatar_nodes.graph.node_spec import NodeSpec, Parameters
from avatar_nodes.mind.persona import Persona
from avatar_nodes.mind.persona_file import PersonaError, load_persona, persona_names
from avatar_nodes.profile import Mode, Profile
from avatar_nodes.wire import names

Placement = Literal["profile", "separate", "single"]

SINGLE_PROCESS = "all"
_ECHO_S = 1.0
"""How long after its stamps the avatar may be heard by the microphone, its echo included."""
_SENDS_BLOCKS = ("conductor", "denoiser", "decoder", "memory", "presenter")
_LEAST_BLOCKS_BYTES = 8 << 20
"""Prompts and audio features do not shrink with the picture."""
_STAGES = ("denoiser", "decoder", "memory", "presenter", "recorder")


class GraphError(ConfigurationError):
    """A graph that cannot be built from what was asked for."""


class GraphNodes:
    """Makes the nodes of one graph, section by section of the profile."""

    def __init__(self, profile: Profile, mode: Mode, placement: Placement) -> None:
        self.profile = profile
        self.mode = mode
        self.free = mode == "render" or profile.stream.pace == "free"
        self.placement = placement

    def nodes(self, audio: Parameters, out: str | Path | None) -> list[NodeSpec]:
        blocks = [*self._denoisers(), self._decoder()]
        if self.profile.memory.enabled:
            blocks.append(self._memory())
        blocks.append(self._presenter(readers=0 if out is None else 1))
        if out is not None:
            blocks.append(self._recorder(Path(out).absolute()))
        nodes = [self._microphone(audio)]
        if self.mode == "converse":
            nodes += [self._listener(), self._reasoner(), self._voice()]
        nodes += [self._conductor(stage_names(blocks)), *blocks]
        if self.mode == "converse":
            nodes.append(self._timeline())
        if self.mode != "render" and self.profile.loudspeaker.enabled:
            nodes.append(self._loudspeaker())
        if self.mode != "render" and (self.profile.archive.enabled or self.profile.kiosk.enabled):
            nodes.append(self._archive())  # which the page's operator may start
        if self.profile.kiosk.enabled and self.mode != "render":
            nodes.append(self._kiosk(audio))
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
        segment = self._blocks_bytes() if kind in _SENDS_BLOCKS else LIGHT_SEGMENT_BYTES
        return NodeSpec(
            name, kind, parameters, process, remappings or {}, device, threads,
            segment_bytes=segment,
        )  # fmt: skip

    def _blocks_bytes(self) -> int:
        """The pictures of all blocks that may be on their way, and of two that are being read."""
        video = self.profile.video
        block = self.profile.timing.frames_per_block * video.width * video.height * 3
        return max((self.profile.stream.max_in_flight + 2) * block, _LEAST_BLOCKS_BYTES)

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
            "output": "user" if self.mode == "converse" else "speech",
        }
        if self.mode == "converse":
            ear = self.profile.listener
            echo_s = _ECHO_S + max(0.0, ear.echo_delay_s)
            parameters["echo_s"] = 0.0 if ear.echo == "none" else echo_s
        return self._node("microphone", parameters)

    def _listener(self) -> NodeSpec:
        section = self.profile.listener
        parameters = section.model_dump()
        parameters["phrases"] = section.phrases or self._persona.examples
        parameters["persona_phrases"] = not section.phrases
        return self._node("listener", parameters, threads=section.threads)

    def _reasoner(self) -> NodeSpec:
        section = self.profile.reasoner
        parameters = section.model_dump() | {"barge_in": self.profile.conversation.barge_in}
        return self._node("reasoner", parameters, threads=section.threads)

    def _voice(self) -> NodeSpec:
        rate, fps = self.profile.audio.sample_rate, self.profile.video.fps
        parameters: Parameters = {
            **self.profile.voice.model_dump(),
            "sample_rate": rate,
            "chunk_samples": rate // fps,
        }
        return self._node("voice", parameters)

    def _timeline(self) -> NodeSpec:
        rate, fps = self.profile.audio.sample_rate, self.profile.video.fps
        return self._node("timeline", {"sample_rate": rate, "fps": fps})

    @cached_property
    def _persona(self) -> Persona:
        try:
            return load_persona(self.profile.reasoner.persona)
        except PersonaError as error:
            raise GraphError(str(error)) from None

    def _conversation(self) -> Parameters:
        """What the conductor has to know in a conversation."""
        states = self._persona.states
        return {
            **self.profile.conversation.model_dump(),
            "prompt": states.idle,
            "prompt_listening": states.listening,
            "prompt_thinking": states.thinking,
            "prompt_speaking": states.speaking,
        }

    def _conductor(self, stages: Sequence[str]) -> NodeSpec:
        profile, stream = self.profile, self.profile.stream
        place = profile.placement.conductor
        parameters: Parameters = {
            "mode": self.mode,
            "checkpoint": profile.model.checkpoint,
            "dtype": profile.model.dtype,
            "audio_device": place.audio_device,
            "text_device": place.text_device,
            "audio_context_s": profile.audio.context_s,
            "audio_lookahead_s": profile.audio.lookahead_s,
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
            "heartbeat_timeout_s": stream.heartbeat_timeout_s,
            "block_timeout_s": stream.block_timeout_s,
            "memory_lag": profile.memory.lag if profile.memory.enabled else 0,
        }
        if self.mode == "converse":
            parameters |= self._conversation()
        return self._node("conductor", parameters, threads=place.threads)

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
        remappings = {names.LATENT_OUT: names.LATENT_CLEAN if last else names.latent(number)}
        if number > 1:
            remappings[names.LATENT_IN] = names.latent(number - 1)
        parameters: Parameters = {
            "checkpoint": model.checkpoint,
            "lora": model.lora,
            "lora_scale": model.lora_scale,
            "width": self.profile.video.width,
            "height": self.profile.video.height,
            "dtype": model.dtype,
            "float8": model.float8,
            "offload_layers": model.offload_layers,
            "compile": model.compile,
            "cuda_graphs": model.cuda_graphs,
            "cache_switch": self.mode == "converse" and self.profile.conversation.cache_switch,
            "sigmas": list(model.sigmas),
            "steps": steps,
            "past_blocks": model.past_blocks,
            "rolling_rope": model.rolling_rope,
            "kv_cache": model.kv_cache,
            "switch_max_sigma": model.switch_max_sigma,
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
            "light_decoder": profile.model.light_decoder,
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
            remappings={names.LATENT_IN: names.LATENT_CLEAN},
            device=place.device,
            threads=place.threads,
        )

    def _memory(self) -> NodeSpec:
        section, checkpoint = self.profile.memory, self.profile.model.checkpoint
        parameters = {"checkpoint": checkpoint, **section.model_dump(exclude={"enabled"})}
        return self._node("memory", parameters, device=section.device, threads=section.threads)

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
            **self._marks(self.profile.marking.label, self.profile.marking.watermark),
        }
        return self._node("presenter", parameters)

    def _kiosk(self, audio: Parameters) -> NodeSpec:
        """It hears browsers where the microphone takes its sound from a topic."""
        profile, converses = self.profile, self.mode == "converse"
        output = {k: v for k, v in self._output().items() if not k.startswith("qos_")}
        section = profile.kiosk
        parameters: Parameters = {
            **section.model_dump(exclude={"enabled"}),
            **self._later_marks(section.label, section.watermark),
            **output,
            "block_frames": profile.timing.frames_per_block,
            "mode": self.mode,
            "listens": audio["source"] == "topic",
            "topic": audio["topic"] or names.AUDIO_IN,
            "personas": sorted({*persona_names(), profile.reasoner.persona}) if converses else [],
        }
        for name in ("hosts", "ice_servers", "personas"):  # ROS knows no empty list's type
            parameters[name] = parameters[name] or [""]
        if not parameters["title"]:
            parameters["title"] = self._persona.name if converses else "Avatar"
        return self._node("kiosk", parameters)

    def _marks(self, label: bool, watermark: bool) -> Parameters:
        """Marking parameters of a node."""
        section = self.profile.marking
        return {
            "label": label,
            "watermark": watermark,
            "mark_text": section.text,
            "mark_corner": section.corner,
            "mark_number": section.number,
        }

    def _later_marks(self, label: bool, watermark: bool) -> Parameters:
        """Those of a node that gets the topics' pictures, whose marks must not be put on twice."""
        on_topics = self.profile.marking
        return self._marks(label and not on_topics.label, watermark and not on_topics.watermark)

    def _recorder(self, out: Path) -> NodeSpec:
        section = self.profile.marking
        marks = self._later_marks(section.file_label, section.file_watermark)
        return self._node("recorder", {**self._output(), **marks, "out": str(out)})

    def _loudspeaker(self) -> NodeSpec:
        section = self.profile.loudspeaker
        parameters: Parameters = {
            "device": section.device,
            "delay_s": section.delay_s,
            "sample_rate": self.profile.audio.sample_rate,
        }
        return self._node("loudspeaker", parameters)

    def _archive(self) -> NodeSpec:
        section, output = self.profile.archive, self._output()
        parameters: Parameters = {
            **section.model_dump(exclude={"enabled"}),
            **{name: output[name] for name in ("fps", "width", "height", "sample_rate")},
            **self._later_marks(section.label, section.watermark),
            "folder": str(Path(section.folder).expanduser().absolute()),
            "mcap_exclude": section.mcap_exclude or ["image_raw"],
        }
        return self._node("archive", parameters)


def stage_names(nodes: Sequence[NodeSpec]) -> tuple[str, ...]:
    """Names of the nodes that make or remember a block; none is issued before all are ready."""
    return tuple(node.name for node in nodes if node.kind in _STAGES)


def audio_source(audio: str) -> Parameters:
    """The microphone's source parameters of `device:NAME`, `topic:NAME` or a file path."""
    parameters: Parameters = {"source": "file", "file": "", "device": "", "topic": ""}
    source, colon, name = audio.partition(":")
    if not colon or source not in ("device", "topic"):
        return {**parameters, "file": str(Path(audio).absolute())}
    if source == "topic" and not name:
        raise GraphError("audio: expected a topic's name after 'topic:', got nothing")
    return {**parameters, "source": source, source: name}

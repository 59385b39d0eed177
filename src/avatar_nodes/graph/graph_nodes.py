"""Makes the nodes of one graph, section by section of the profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.decoding.settings import DecoderSettings
from avatar_nodes.denoising.settings import DenoiserSettings
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.graph.environment import LIGHT_SEGMENT_BYTES
from avatar_nodes.graph.node_spec import NodeSpec
from avatar_nodes.hearing.settings import ListenerSettings
from avatar_nodes.marking.settings import OutputSettings
from avatar_nodes.mind.persona import Persona
from avatar_nodes.mind.persona_file import PersonaError, load_persona, persona_names
from avatar_nodes.mind.settings import ReasonerSettings
from avatar_nodes.presenting.settings import PresenterSettings
from avatar_nodes.profile import Mode, Profile
from avatar_nodes.profile.placement import DenoiserPlacement
from avatar_nodes.profile.section import Pace, Section
from avatar_nodes.profile.settings import NodeSettings
from avatar_nodes.realtime.settings import RealtimeSettings
from avatar_nodes.recording.settings import ArchiveSettings, RecorderSettings
from avatar_nodes.remembering.settings import MemorySettings
from avatar_nodes.sound.settings import LoudspeakerSettings, MicrophoneSettings
from avatar_nodes.speaking.settings import VoiceSettings
from avatar_nodes.timeline.settings import TimelineSettings
from avatar_nodes.web.settings import KioskSettings
from avatar_nodes.wire import names

Placement = Literal["profile", "separate", "single"]
AudioSource = dict[str, str]
"""The microphone's settings `source`, `file`, `device` and `topic`."""
_Settings = TypeVar("_Settings", bound=NodeSettings)

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

    def __init__(self, profile: Profile, mode: Mode, placement: Placement, autostart: bool) -> None:
        self.profile = profile
        self.mode = mode
        self.pace: Pace = "free" if mode == "render" else profile.stream.pace
        self.placement = placement
        self.autostart = autostart

    def nodes(self, audio: AudioSource, out: str | Path | None) -> list[NodeSpec]:
        blocks = [*self._denoisers(), self._decoder()]
        if self.profile.memory.enabled:
            blocks.append(self._memory())
        blocks.append(self._presenter(readers=0 if out is None else 1))
        if out is not None:
            blocks.append(self._recorder(Path(out).absolute()))
        nodes = [self._microphone(audio)]
        if self.mode == "converse":
            nodes += [self._realtime()] if self._by_server else self._talkers()
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
        settings: NodeSettings,
        *,
        name: str = "",
        remappings: Mapping[str, str] | None = None,
        threads: int = 1,
    ) -> NodeSpec:
        name = name or kind
        respawn = self.profile.restart.respawn and kind != "recorder"  # its file is half written
        process = self._process_of(name)
        segment = self._blocks_bytes() if kind in _SENDS_BLOCKS else LIGHT_SEGMENT_BYTES
        return NodeSpec(name, kind, settings, process, remappings or {}, threads, respawn, segment)

    def _blocks_bytes(self) -> int:
        """The pictures of all blocks that may be on their way, and of two that are being read."""
        video = self.profile.video
        block = self.profile.timing.frames_per_block * video.width * video.height * 3
        return max((self.profile.stream.max_in_flight + 2) * block, _LEAST_BLOCKS_BYTES)

    def _of(self, kind: type[_Settings], *entries: Section, **own: Any) -> _Settings:
        """A node's settings: of the profile, and what the graph says instead or beyond."""
        return kind.of(self.profile, *entries, autostart=self.autostart, **own)

    def _process_of(self, node: str) -> str:
        if self.placement == "single":
            return SINGLE_PROCESS
        if self.placement == "profile":
            for process, nodes in self.profile.placement.processes.items():
                if node in nodes:
                    return process
        return node

    @property
    def _chunk_samples(self) -> int:
        """Sound is sent in chunks of a frame."""
        return self.profile.audio.sample_rate // self.profile.video.fps

    def _microphone(self, audio: AudioSource) -> NodeSpec:
        own: dict[str, Any] = {"output": "speech"}
        if self.mode == "converse":
            ear = self.profile.listener
            echo_s = 0.0 if ear.echo == "none" else _ECHO_S + max(0.0, ear.echo_delay_s)
            own = {"output": "user", "echo_s": echo_s}
        settings = self._of(
            MicrophoneSettings,
            **audio,
            **own,
            pace="demand" if self.pace == "free" else "realtime",
            chunk_samples=self._chunk_samples,
        )
        return self._node("microphone", settings)

    @property
    def _by_server(self) -> bool:
        """A speech-to-speech server converses."""
        return self.mode == "converse" and self.profile.realtime.enabled

    def _talkers(self) -> list[NodeSpec]:
        return [self._listener(), self._reasoner(), self._voice()]

    def _realtime(self) -> NodeSpec:
        settings = self._of(RealtimeSettings, chunk_samples=self._chunk_samples)
        return self._node("realtime", settings)

    def _listener(self) -> NodeSpec:
        own = self.profile.listener.phrases
        settings = self._of(
            ListenerSettings,
            phrases=own or self._persona.examples,
            persona_phrases=not own,
            persona_language=self._persona.language,
        )
        return self._node("listener", settings, threads=settings.threads)

    def _reasoner(self) -> NodeSpec:
        settings = self._of(ReasonerSettings)
        return self._node("reasoner", settings, threads=settings.threads)

    def _voice(self) -> NodeSpec:
        voice = self.profile.voice
        keeps = voice.kept_mb > 0 and voice.backend in ("kokoro", "piper")
        settings = self._of(
            VoiceSettings,
            chunk_samples=self._chunk_samples,
            persona=self.profile.reasoner.persona if keeps else "",
        )
        return self._node("voice", settings)

    def _timeline(self) -> NodeSpec:
        return self._node("timeline", self._of(TimelineSettings))

    @cached_property
    def _persona(self) -> Persona:
        try:
            return load_persona(self.profile.reasoner.persona)
        except PersonaError as error:
            raise GraphError(str(error)) from None

    def _conductor(self, stages: Sequence[str]) -> NodeSpec:
        memory = self.profile.memory
        prompts: dict[str, str] = {}
        if self.mode == "converse":
            states = self._persona.states
            prompts = {
                "prompt": states.idle,
                "prompt_listening": states.listening,
                "prompt_thinking": states.thinking,
                "prompt_speaking": states.speaking,
            }
        settings = self._of(
            ConductorSettings,
            mode=self.mode,
            stages=list(stages),
            pace=self.pace,
            memory_lag=memory.lag if memory.enabled else 0,
            **prompts,
        )
        return self._node("conductor", settings, threads=self.profile.placement.conductor.threads)

    def _denoisers(self) -> list[NodeSpec]:
        places: Sequence[DenoiserPlacement] = self.profile.placement.denoisers
        if self.placement != "profile":
            if self.profile.model.kv_cache == "clean" and self.profile.num_steps > 1:
                raise GraphError(
                    "placement: expected profile (model.kv_cache is clean, so that one denoiser"
                    f" takes every step), got {self.placement}"
                )
            places = [p.model_copy(update={"steps": [s]}) for p in places for s in p.steps]
        return [
            self._denoiser(number, number == len(places), place)
            for number, place in enumerate(places, start=1)
        ]

    def _denoiser(self, number: int, last: bool, place: DenoiserPlacement) -> NodeSpec:
        remappings = {names.LATENT_OUT: names.LATENT_CLEAN if last else names.latent(number)}
        if number > 1:
            remappings[names.LATENT_IN] = names.latent(number - 1)
        switches = self.mode == "converse" and self.profile.conversation.cache_switch
        return self._node(
            "denoiser",
            self._of(DenoiserSettings, place, cache_switch=switches),
            name=f"denoiser_{number}",
            remappings=remappings,
            threads=place.threads,
        )

    def _decoder(self) -> NodeSpec:
        settings = self._of(DecoderSettings)
        remappings = {names.LATENT_IN: names.LATENT_CLEAN}
        return self._node("decoder", settings, remappings=remappings, threads=settings.threads)

    def _memory(self) -> NodeSpec:
        settings = self._of(MemorySettings)
        return self._node("memory", settings, threads=settings.threads)

    def _presenter(self, readers: int) -> NodeSpec:
        return self._node("presenter", self._of(PresenterSettings, pace=self.pace, readers=readers))

    def _kiosk(self, audio: AudioSource) -> NodeSpec:
        """It hears browsers where the microphone takes its sound from a topic."""
        profile, converses = self.profile, self.mode == "converse"
        title = self._persona.name if converses else "Avatar"
        known = {*persona_names(), profile.reasoner.persona}
        settings = self._of(
            KioskSettings,
            block_frames=profile.timing.frames_per_block,
            mode=self.mode,
            title=profile.kiosk.title or title,
            listens=audio["source"] == "topic",
            topic=audio["topic"] or names.AUDIO_IN,
            personas=[] if self._by_server or not converses else sorted(known),
            recorded_of_visitors=profile.archive.of_visitors if profile.archive.mcap else "nothing",
        )
        return self._node("kiosk", self._marked_once(settings))

    def _recorder(self, out: Path) -> NodeSpec:
        settings = self._of(RecorderSettings, out=str(out))
        return self._node("recorder", self._marked_once(settings))

    def _marked_once(self, settings: OutputSettings) -> OutputSettings:
        """Of a node that gets the topics' pictures: what marks these have is not put on again."""
        on_topics = self.profile.marking
        return settings.model_copy(
            update={
                "label": settings.label and not on_topics.label,
                "watermark": settings.watermark and not on_topics.watermark,
            }
        )

    def _loudspeaker(self) -> NodeSpec:
        return self._node("loudspeaker", self._of(LoudspeakerSettings))

    def _archive(self) -> NodeSpec:
        folder = Path(self.profile.archive.folder).expanduser().absolute()
        settings = self._of(ArchiveSettings, folder=str(folder))
        return self._node("archive", self._marked_once(settings))


def stage_names(nodes: Sequence[NodeSpec]) -> tuple[str, ...]:
    """Names of the nodes that make or remember a block; none is issued before all are ready."""
    return tuple(node.name for node in nodes if node.kind in _STAGES)


def audio_source(audio: str) -> AudioSource:
    """The microphone's source of `device:NAME`, `topic:NAME` or a file path."""
    nothing = {"file": "", "device": "", "topic": ""}
    source, colon, name = audio.partition(":")
    if not colon or source not in ("device", "topic"):
        return {**nothing, "source": "file", "file": str(Path(audio).absolute())}
    if source == "topic" and not name:
        raise GraphError("audio: expected a topic's name after 'topic:', got nothing")
    return {**nothing, "source": source, source: name}

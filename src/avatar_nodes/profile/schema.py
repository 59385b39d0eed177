"""The typed profile: every setting of one avatar, its range and its meaning.

Units are in the names (`_s` seconds, `fps` frames per second, `_rate` hertz). The models are
strict: a string is never read as a number, an unknown key is an error. `load.py` reads them from
YAML and turns every problem into one line; `reference.py` prints these descriptions as a table.
"""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.profile.archive import ArchiveSection
from avatar_nodes.profile.conversation import (
    ConversationSection,
    ListenerSection,
    ReasonerSection,
    VoiceSection,
)
from avatar_nodes.profile.kiosk import KioskSection
from avatar_nodes.profile.loudspeaker import LoudspeakerSection
from avatar_nodes.profile.marking import MarkingSection
from avatar_nodes.profile.media import AudioSection, QosSection, VideoSection
from avatar_nodes.profile.model import ModelSection
from avatar_nodes.profile.network import NetworkSection
from avatar_nodes.profile.placement import PlacementSection
from avatar_nodes.profile.realtime import RealtimeSection
from avatar_nodes.profile.section import Section
from avatar_nodes.profile.stream import StreamSection
from avatar_nodes.profile.supervision import DiagnosticsSection, RestartSection
from avatar_nodes.profile.visual_memory import MemorySection

NODE_KINDS = (
    "microphone", "listener", "reasoner", "voice", "realtime", "conductor", "denoiser", "decoder",
    "memory", "presenter", "recorder", "loudspeaker", "archive", "timeline", "kiosk",
)  # fmt: skip


class Profile(Section):
    """Everything that one avatar is configured by."""

    model: ModelSection = Field(description="The trained model, its window and noise schedule.")
    video: VideoSection = Field(description="The picture that comes out.")
    audio: AudioSection = Field(
        default_factory=AudioSection, description="The sound inside the graph."
    )
    stream: StreamSection = Field(description="How the endless stream of blocks is made.")
    listener: ListenerSection = Field(
        default_factory=ListenerSection, description="How the visitor is heard (mode converse)."
    )
    reasoner: ReasonerSection = Field(
        default_factory=ReasonerSection, description="Who answers, and how (mode converse)."
    )
    voice: VoiceSection = Field(
        default_factory=VoiceSection, description="What the avatar speaks with (mode converse)."
    )
    realtime: RealtimeSection = Field(
        default_factory=RealtimeSection,
        description="A speech-to-speech server in the place of these three (docs/conversation.md).",
    )
    conversation: ConversationSection = Field(
        default_factory=ConversationSection, description="Turns and interruptions (mode converse)."
    )
    memory: MemorySection = Field(
        default_factory=MemorySection, description="Long-Short Visual Memory (docs/memory.md)."
    )
    kiosk: KioskSection = Field(
        default_factory=KioskSection, description="The web page (docs/kiosk.md)."
    )
    marking: MarkingSection = Field(
        default_factory=MarkingSection,
        description="Marks of what a machine made (docs/marking.md).",
    )
    loudspeaker: LoudspeakerSection = Field(
        default_factory=LoudspeakerSection,
        description="A loudspeaker of this machine (docs/sound.md).",
    )
    archive: ArchiveSection = Field(
        default_factory=ArchiveSection,
        description="Rolling recordings of a live avatar (docs/recording.md).",
    )
    placement: PlacementSection = Field(description="Which node runs where.")
    restart: RestartSection = Field(
        default_factory=RestartSection, description="What happens when a process ends by itself."
    )
    qos: QosSection = Field(
        default_factory=QosSection, description="Quality of service of the public topics."
    )
    network: NetworkSection = Field(
        default_factory=NetworkSection, description="Who may find the avatar by ROS 2."
    )
    diagnostics: DiagnosticsSection = Field(
        default_factory=DiagnosticsSection, description="The reports on `/diagnostics`."
    )

    @property
    def timing(self) -> BlockTiming:
        """How long the model's frames and blocks last. Raises TimingError."""
        return BlockTiming.read(self.model.checkpoint)

    @property
    def num_steps(self) -> int:
        """Number of denoising steps T."""
        return len(self.model.sigmas) - 1

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names that `placement.processes` may use, in the order of the data flow."""
        denoisers = (f"denoiser_{k + 1}" for k in range(len(self.placement.denoisers)))
        return (
            "microphone", "listener", "reasoner", "voice", "realtime", "conductor", *denoisers,
            "decoder", "memory", "presenter", "recorder", "loudspeaker", "archive", "timeline",
            "kiosk",
        )  # fmt: skip

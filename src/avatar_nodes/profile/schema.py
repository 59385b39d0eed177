"""The typed profile: every setting of one avatar, its range and its meaning.

Units are in the names (`_s` seconds, `fps` frames per second, `_rate` hertz). The models are
strict: a string is never read as a number, an unknown key is an error. `load.py` reads them from
YAML and turns every problem into one line; `reference.py` prints these descriptions as a table.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.block.timing import (
    MAX_FRAME_RATE,
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
    BlockTiming,
)
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
from avatar_nodes.profile.placement import PlacementSection
from avatar_nodes.profile.section import (
    DTypeName,
    KVCacheKind,
    NodeSeconds,
    Pace,
    PositiveSeconds,
    QosName,
    Section,
    Sigmas,
)
from avatar_nodes.profile.visual_memory import MemorySection

NODE_KINDS = (
    "microphone", "listener", "reasoner", "voice", "conductor", "denoiser", "decoder", "memory",
    "presenter", "recorder", "loudspeaker", "archive", "timeline", "kiosk",
)  # fmt: skip


class ModelSection(Section):
    """Which trained model runs, and its window and noise schedule."""

    checkpoint: str = Field(
        min_length=1,
        description="Checkpoint folder. A relative path is looked up beside the profile, then in"
        " the package's own data folder.",
    )
    lora: str = Field(
        default="",
        description="LoRA file (safetensors) merged into the denoisers' weights. A relative path is"
        " looked up beside the profile, or else in `checkpoint`.",
    )
    lora_scale: float = Field(
        default=0.5, ge=0.0, le=16.0, description="What the LoRA adds is scaled by: alpha / rank."
    )
    dtype: DTypeName = Field(
        default="bfloat16", description="Number format the denoisers and the decoder compute in."
    )
    float8: bool = Field(
        default=False,
        description="The denoisers' large matrices in 8 bits (e4m3): half the memory of bfloat16.",
    )
    offload_layers: int = Field(
        default=0, ge=0, le=1000, description="Denoisers' layers that stay in the host's memory."
    )
    light_decoder: str = Field(
        default="",
        description="File of a light decoder, `taew2_1.pth`; looked up as `lora` is. Empty: none.",
    )
    compile: bool = Field(
        default=False,
        description="Compile the denoisers' layers (torch.compile; needs a C++ compiler, on GPUs"
        " Triton). They are then ready minutes later, and faster on a GPU.",
    )
    cuda_graphs: bool = Field(
        default=False,
        description="Record the denoisers' passes over a full window as CUDA graphs, before they"
        " are ready, and replay them: one call each. Without `rolling_rope` there is nothing to"
        " record; a CPU makes the same calls again.",
    )
    sigmas: Sigmas = Field(
        min_length=2,
        max_length=101,
        description="Noise level before each denoising step, falling, and 0 at the end: T+1 values"
        " for T steps.",
    )
    past_blocks: int = Field(
        default=2,
        ge=0,
        le=64,
        description="Past blocks that a block attends to (L), beside the sink.",
    )
    aas_from_block: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="First block, counted from the stream's first as 0, that attends to the sink"
        " made of the avatar's own first latent (Adaptive Attention Sink).",
    )
    adaptive_sink: bool = Field(
        default=True,
        description="Adaptive Attention Sink. `false` (ablation): the reference stays the sink of"
        " every block, and `aas_from_block` has no meaning.",
    )
    rolling_rope: bool = Field(
        default=True,
        description="Rolling RoPE: the sink keeps its distance to the current block. `false`"
        " (ablation): frames are counted from the stream's start, and the sink falls behind.",
    )
    kv_cache: KVCacheKind = Field(
        default="same_noise",
        description="What a step sees of past blocks. `same_noise`: keys and values at its own"
        " noise level. `clean` (ablation): those of the finished block, one more pass a block; one"
        " denoiser must take every step.",
    )
    switch_max_sigma: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="Cache-Switching reaches the steps up to this noise level, by default all. The"
        " noisiest see little of past pictures but under which prompt they were; a model trained on"
        " changes of the prompt jumps if that is the new one (docs/memory.md).",
    )


class VideoSection(Section):
    """The picture that comes out."""

    width: int = Field(
        ge=16, le=4096, multiple_of=16, description="Picture width in pixels, a multiple of 16."
    )
    height: int = Field(
        ge=16, le=4096, multiple_of=16, description="Picture height in pixels, a multiple of 16."
    )
    fps: int = Field(
        default=25,
        ge=1,
        le=MAX_FRAME_RATE,
        description="Frames per second. The model's, which is also what it is where the key is left"
        " out; another value is refused.",
    )
    jpeg_quality: int = Field(
        default=85, ge=1, le=100, description="JPEG quality of `image_raw/compressed` (1 to 100)."
    )
    frame_id: str = Field(
        default="avatar_camera",
        min_length=1,
        description="`header.frame_id` of images and camera info.",
    )


class AudioSection(Section):
    """The sound inside the graph: mono 16-bit samples."""

    sample_rate: int = Field(
        default=16000,
        ge=MIN_SAMPLE_RATE,
        le=MAX_SAMPLE_RATE,
        description="Samples per second inside the graph; every source is resampled to it. The"
        " model's, as `video.fps`; another value is refused.",
    )
    context_s: float = Field(
        default=4.0,
        ge=0.24,
        le=60.0,
        description="Sound before a block that its features hear [s] (wav2vec).",
    )
    lookahead_s: float = Field(
        default=0.16,
        ge=0.04,
        le=60.0,
        description="Sound after a block that its features hear [s] (wav2vec); live, that much"
        " latency.",
    )


class StreamSection(Section):
    """How the endless stream of blocks is made."""

    seed: int = Field(
        default=0,
        ge=0,
        le=2**63 - 1,
        description="Seed of the noise; the same seed gives the same frames.",
    )
    prompt: str = Field(
        min_length=1,
        description="Text prompt at the start of the stream; in a conversation the persona has its"
        " own.",
    )
    reference: str = Field(
        default="",
        description="Picture of the person (PNG or JPEG). Empty: `reference.png` of the checkpoint."
        " A relative path is looked up as for `model.checkpoint`.",
    )
    first_block: int = Field(
        default=0, ge=0, le=2**62, description="Number that the first block of the stream bears."
    )
    max_in_flight: int = Field(
        default=4,
        ge=1,
        le=8,
        description="Blocks allowed between conductor and presenter at the same time (credits).",
    )
    pace: Pace = Field(
        default="realtime",
        description="`realtime`: frames come out on the media clock. `free`: as fast as they are"
        " made (rendering and benchmarks always run free).",
    )
    margin_s: float = Field(
        default=0.08,
        ge=0.0,
        le=5.0,
        description="Just-in-time margin: seconds that a block should be finished before it is"
        " due.",
    )
    idle: Literal["keep_alive", "hold"] = Field(
        default="keep_alive",
        description="Without sound: `keep_alive` goes on with silent blocks, the avatar keeps"
        " moving; `hold` stops and holds the last frame.",
    )
    heartbeat_timeout_s: NodeSeconds = Field(
        default=2.0, description="A stage unheard of for this many seconds is taken for lost."
    )
    block_timeout_s: NodeSeconds = Field(
        default=30.0,
        description="A block unfinished after this many seconds starts a new epoch. Longer than a"
        " block ever takes; a stage that dies is noticed sooner, by its heartbeat.",
    )


class RestartSection(Section):
    """What happens when a process of the graph ends by itself. `ros2 launch` knows `respawn` and
    `delay_s` alone, starts a process again for ever, and ends when one finds its configuration
    wrong."""

    respawn: bool = Field(default=True, description="Start a process again that has ended.")
    delay_s: float = Field(
        default=0.1,
        ge=0.0,
        le=60.0,
        description="Seconds before the first restart; doubles with each one.",
    )
    max_delay_s: float = Field(
        default=10.0, ge=0.0, le=600.0, description="Longest pause between restarts, in seconds."
    )
    max_restarts: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="Restarts allowed within `window_s`; one more ends the graph. Except in"
        " `avatar render`, a process that has run and now finds its configuration wrong (its disk"
        " or device is gone) does not count: it is tried again every `max_delay_s`.",
    )
    window_s: PositiveSeconds = Field(
        default=60.0, description="Window in which restarts are counted."
    )
    start_timeout_s: PositiveSeconds = Field(
        default=120.0,
        description="Seconds within which every node of the graph must be ready after the start.",
    )
    grace_s: PositiveSeconds = Field(
        default=3.0,
        description="Seconds that a process has to end after SIGINT before it is killed.",
    )


class QosSection(Section):
    """Quality of service of the public topics, by the names of ROS 2's presets."""

    image: QosName = Field(
        default="SYSTEM_DEFAULT", description="QoS of `image_raw` and its siblings."
    )
    audio: QosName = Field(default="SYSTEM_DEFAULT", description="QoS of `audio`.")


class DiagnosticsSection(Section):
    """The reports on `/diagnostics`."""

    period_s: float = Field(
        ge=0.05, le=3600.0, default=1.0, description="Seconds between two reports of a node."
    )


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
            "microphone", "listener", "reasoner", "voice", "conductor", *denoisers, "decoder",
            "memory", "presenter", "recorder", "loudspeaker", "archive", "timeline", "kiosk",
        )  # fmt: skip

"""The profile's section `stream`: how the endless stream of blocks is made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.profile.section import NodeSeconds, Pace, Section


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
        description="The person: a name of `avatar people`, or a picture (PNG, JPEG, WebP or AVIF)."
        " Empty: `reference.png` of the checkpoint. A relative path is looked up as for"
        " `model.checkpoint`.",
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

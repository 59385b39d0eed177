"""The profile's section `model`: which trained model runs, its window and noise schedule."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.profile.section import (
    DecoderStart,
    DTypeName,
    KVCacheKind,
    ReferenceLatent,
    Section,
    Sigmas,
)


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
        " are ready, and replay them: one call each. A CPU makes the same calls again.",
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
    reference_latent: ReferenceLatent = Field(
        default="first",
        description="Which latent of the reference picture standing still is its sink, of Wan's"
        " autoencoder: the `first`, of the picture alone, or the `second`, of four frames as the"
        " avatar's own latents are.",
    )
    decoder_start: DecoderStart = Field(
        default="reference",
        description="What Wan's autoencoder has decoded before a stream's first block: the"
        " `reference`'s latent, or seven latents of the picture standing `still` (needs"
        " `motion_tokens`); then the first three frames of that block are as its fourth.",
    )
    nearest_sink: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Least distance of the sink, in latent frames: each pass draws it, from there"
        " to the model's own (30). 0: always the model's own.",
    )
    motion_tokens: bool = Field(
        default=False,
        description="The sink has motion context: 73 frames of the reference standing still, packed"
        " into tokens as Wan2.2-S2V packs the frames before a clip (its `frame_packer`).",
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

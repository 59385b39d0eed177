"""Settings of a denoiser. Nothing here needs torch."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.profile.section import Device, DTypeName, KVCacheKind, Sigmas, Steps
from avatar_nodes.profile.settings import NodeSettings, key


class DenoiserSettings(NodeSettings):
    """The model, the steps that this denoiser takes, and how it remembers past blocks."""

    checkpoint: str = key("model.checkpoint")
    lora: str = key("model.lora")
    lora_scale: float = key("model.lora_scale")
    width: int = key("video.width")
    height: int = key("video.height")
    dtype: DTypeName = key("model.dtype")
    float8: bool = key("model.float8")
    offload_layers: int = key("model.offload_layers")
    compile: bool = key("model.compile")
    cuda_graphs: bool = key("model.cuda_graphs")
    cache_switch: bool = Field(
        default=False,
        description="The caches are going to be switched ahead: record the passes with those, too.",
    )
    sigmas: Sigmas = key("model.sigmas")
    steps: Steps = key("placement.denoisers.steps")
    past_blocks: int = key("model.past_blocks")
    rolling_rope: bool = key("model.rolling_rope")
    nearest_sink: int = key("model.nearest_sink")
    motion_tokens: bool = key("model.motion_tokens")
    kv_cache: KVCacheKind = key("model.kv_cache")
    switch_max_sigma: float = key("model.switch_max_sigma")
    device: Device = key("placement.denoisers.device")
    threads: int = key("placement.denoisers.threads")

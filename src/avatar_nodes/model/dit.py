"""The diffusion transformer of Wan2.2-S2V, with the module names of its public checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS
from avatar_nodes.model import bidirectional, causal, memory
from avatar_nodes.model.attention import CrossAttention, LayerKV
from avatar_nodes.model.audio_encoder import AudioTokens, CausalAudioEncoder
from avatar_nodes.model.audio_injector import AudioInjector
from avatar_nodes.model.bidirectional import FullSequence
from avatar_nodes.model.block import WanBlock
from avatar_nodes.model.causal import Seen, WindowRope
from avatar_nodes.model.compressor import MemoryCompressor
from avatar_nodes.model.dit_config import DiTConfig, MemoryConfig
from avatar_nodes.model.frame_packer import FramePacker
from avatar_nodes.model.heavy_layers import is_heavy
from avatar_nodes.model.kv import BlockKV, MemoryKV, SinkKV, TextKV
from avatar_nodes.model.memory import MemoryLatents, MemoryRope
from avatar_nodes.model.modulation import Head, TimeEmbedding, sinusoid
from avatar_nodes.model.prediction import velocity_of
from avatar_nodes.model.recomputed import recomputed
from avatar_nodes.model.rope import grid_positions, rope_table

NOISY, REFERENCE, MOTION = range(3)
"""Rows of `trainable_cond_mask`."""


class WanS2V(nn.Module):
    """Speech-to-video diffusion transformer.

    `forward` sees a whole clip in both directions, as the reference does. `encode_text`,
    `prefill_sink`, `forward_block` and `forward_window` run the same weights block by block (see
    `causal`). Latents are [B, C, frames, H, W]; timesteps t are 0..1000; velocities are noise minus
    clean, float32.
    """

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        dim, heads, eps, patch = config.dim, config.num_heads, config.eps, config.patch_size
        self.patch_embedding = nn.Conv3d(config.in_dim, dim, patch, stride=patch)
        self.cond_encoder = nn.Conv3d(config.cond_dim, dim, patch, stride=patch)
        self.text_embedding = nn.Sequential(
            nn.Linear(config.text_dim, dim), nn.GELU("tanh"), nn.Linear(dim, dim)
        )
        self.time_embedding = nn.Sequential(
            nn.Linear(config.freq_dim, dim), nn.SiLU(), nn.Linear(dim, dim)
        )
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(
            WanBlock(dim, config.ffn_dim, heads, eps) for _ in range(config.num_layers)
        )
        self.head = Head(dim, patch[1] * patch[2] * config.out_dim, eps)
        self.casual_audio_encoder = CausalAudioEncoder(
            config.audio_dim, dim, config.num_audio_layers, config.num_audio_token
        )
        self.audio_injector = AudioInjector(config.audio_inject_layers, dim, heads, eps)
        self.trainable_cond_mask = nn.Embedding(3, dim)
        if config.enable_framepack:
            self.frame_packer = FramePacker(config.in_dim, dim)
        if config.memory is not None:
            self.memory_compressor = MemoryCompressor(config)
        self._memory_ropes: dict[torch.device, MemoryRope] = {}
        self._window_ropes: dict[tuple[int, int, torch.device], WindowRope] = {}
        self.block_layer, self.sink_layer = causal.block_layer, causal.sink_layer
        self.window_layer = causal.window_layer
        self.full_layer = bidirectional.full_layer
        self._initialise()

    # Causal operation.

    def encode_text(self, states: Tensor) -> TextKV:
        """Text states [B, len <= text_len, text_dim] -> keys and values of every layer.

        Rows missing up to `text_len` are zeros that are attended like any other; there is no text
        mask.
        """
        padded = F.pad(states, (0, 0, 0, self.config.text_len - states.shape[1]))
        context = self._text_context(padded)
        return TextKV(tuple(block(WanBlock.text_keys_values, context) for block in self.layers))

    def prefill_sink(self, latent: Tensor, text: TextKV) -> SinkKV:
        """Keys and values of a clean sink frame [B, C, 1, H, W]."""
        tokens = self._tokens(latent) + self.trainable_cond_mask.weight[REFERENCE]
        return SinkKV(causal.prefill_sink(self, tokens, self._window_rope(latent), text), latent)

    def encode_audio(self, columns: Tensor) -> AudioTokens:
        """Tokens of F latent frames from feature columns [B, layers, D, 5 + 4F], 5 for context."""
        return self.casual_audio_encoder(columns, pad=False)

    def forward_block(
        self, x: Tensor, t: Tensor, audio: Tensor | AudioTokens, text: TextKV, sink: SinkKV,
        past: Sequence[BlockKV] = (), *, sink_position: int | None = None,
        memory: MemoryKV | None = None, room: BlockKV | None = None,
    ) -> tuple[Tensor, BlockKV]:  # fmt: skip
        """Velocity of one block and its keys and values.

        x [B, C, F, H, W] at t [B], F latents a block; audio [B, layers, D, 5 + 4F], 5 columns of
        context and those of its own, or what `encode_audio` made of them; past: at most
        `past_blocks` blocks at the same noise level, oldest first; sink_position: where the sink
        is, seen from the block, in latent frames (default: where the configuration has it, as in
        training); memory: what it remembers; room: buffers that the keys and values are put into,
        and that are given back; they may be those of a block of `past`.
        """
        tokens, rope = self._noisy_tokens(x), self._window_rope(x)
        where = self.config.sink_position if sink_position is None else sink_position
        sound = audio if isinstance(audio, AudioTokens) else self.encode_audio(audio)
        seen = Seen(text, sink, past, memory)
        out, kv = causal.denoise_block(self, tokens, t, sound, rope, seen, where, room)
        return self._velocity(out, x, t, sink.latent), kv

    def block_keys_values(
        self, x: Tensor, t: Tensor, audio: AudioTokens, text: TextKV, sink: SinkKV,
        past: Sequence[BlockKV] = (), *, sink_position: int | None = None,
        memory: MemoryKV | None = None, room: BlockKV | None = None,
    ) -> BlockKV:  # fmt: skip
        """The keys and values of `forward_block`, bit for bit, in less time: without a velocity."""
        where = self.config.sink_position if sink_position is None else sink_position
        tokens, rope = self._noisy_tokens(x), self._window_rope(x)
        seen = Seen(text, sink, past, memory)
        return causal.block_keys_values(self, tokens, t, audio, rope, seen, where, room)

    def prefill_memory_frame(self, tokens: Tensor) -> tuple[LayerKV, ...]:
        """Un-rotated keys and values of remembered frames [B, tokens, dim] in every layer."""
        return memory.frame_keys_values(self, tokens, self._memory_rope(tokens.device))

    def place_memory(
        self, long: Sequence[tuple[LayerKV, ...]], short: Sequence[tuple[LayerKV, ...]]
    ) -> MemoryKV:
        """Memory of frames that `prefill_memory_frame` made, oldest first; at least one."""
        frames = [*long, *short]
        layers = [
            LayerKV(*(torch.cat(parts, dim=1) for parts in zip(*layer, strict=True)))
            for layer in zip(*frames, strict=True)
        ]
        rope = self._memory_rope(layers[0].k.device)
        return memory.placed(layers, rope.placed(len(long), len(short)))

    def forward_window(
        self, x: Tensor, t: Tensor, audio: Tensor, text_states: Tensor, sink_latent: Tensor,
        *, prompt_index: Tensor | None = None, sink_prompt_index: Tensor | None = None,
        memory_latents: MemoryLatents | None = None,
    ) -> Tensor:  # fmt: skip
        """Velocity of N consecutive blocks of each of B streams, in one pass; for training.

        x [B, N, C, F, H, W], F latents a block; t [B, N]; audio [B, N, layers, D, 5 + 4F];
        sink_latent [B, C, 1, H, W].
        text_states: a table of prompts [P, len, text_dim] (rows past a prompt's end zero) that
        prompt_index [B, N] and sink_prompt_index [B] (default: that of the first block) point into;
        or, without prompt_index, states of each block [B, N, len, text_dim]. memory_latents: what
        each stream remembers in all its blocks.
        """
        streams, blocks = x.shape[:2]
        if prompt_index is None:
            text_states = text_states.flatten(0, 1)
            prompt_index = torch.arange(streams * blocks, device=x.device).view(streams, blocks)
        if sink_prompt_index is None:
            sink_prompt_index = prompt_index[:, 0]
        prompts = self.encode_text(text_states)
        sink = self.prefill_sink(sink_latent, prompts.select(sink_prompt_index))
        text = prompts.select(prompt_index.flatten())
        remembered: MemoryKV | None = None
        if memory_latents is not None:
            remembered = memory.of_latents(self, memory_latents, self._memory_rope(x.device))
        windows = x.flatten(0, 1)
        out = causal.denoise_window(
            self, self._noisy_tokens(windows), t.flatten(), self.encode_audio(audio.flatten(0, 1)),
            self._window_rope(windows), text, sink, remembered,
        )  # fmt: skip
        sinks = sink_latent.repeat_interleave(blocks, dim=0)
        velocity = self._velocity(out, windows, t.flatten(), sinks)
        return velocity.unflatten(0, (streams, blocks))

    # Whole sequence, both directions.

    def forward(
        self, x: Tensor, t: Tensor, context: Tensor, ref_latents: Tensor, audio_input: Tensor, *,
        motion_latents: Tensor | None = None, cond_states: Tensor | None = None,
        prompt_index: Tensor | None = None, sink_prompt_index: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Velocity [B, C, F, H, W] of a whole clip x at t [B], every token seeing every other.

        context [B, len, text_dim], or with prompt_index [B, runs] a table of prompts [P, len,
        text_dim] for equal runs of frames; ref_latents [B, C, 1, H, W]; audio_input [B, layers, D,
        4F], or 5 + 4F with the columns before the clip; motion_latents [B, C, frames, H, W], oldest
        first (None: dropped); cond_states [B, C, F, H, W] pose; sink_prompt_index [B]: the prompt
        that ref_latents are read under (default: that of the first frames).
        """
        sequence = self.full_sequence(
            x, t, context, ref_latents, audio_input, motion_latents, cond_states, prompt_index,
            sink_prompt_index,
        )  # fmt: skip
        *_, last = bidirectional.layer_parts(self, sequence)
        noisy = last.noisy.unflatten(0, (x.shape[0], -1)).flatten(1, 2)
        return self._velocity(self.head(noisy, sequence.time.embedding), x, t, ref_latents)

    def full_sequence(
        self, x: Tensor, t: Tensor, context: Tensor, ref_latents: Tensor, audio_input: Tensor,
        motion_latents: Tensor | None = None, cond_states: Tensor | None = None,
        prompt_index: Tensor | None = None, sink_prompt_index: Tensor | None = None,
    ) -> FullSequence:  # fmt: skip
        """Embeds the arguments of `forward`."""
        grid = self._grid(x)
        noisy = self._noisy_embedding(x, cond_states)
        parts, rows = [noisy, self._tokens(ref_latents)], [NOISY, REFERENCE]
        positions = [
            grid_positions(range(x.shape[2]), *grid),
            grid_positions([self.config.sink_position], *grid),
        ]
        if motion_latents is not None:
            packed, where = self.frame_packer(motion_latents)
            parts, rows, positions = [*parts, packed], [*rows, MOTION], [*positions, where]
        lengths = torch.tensor([part.shape[1] for part in parts])
        mask_rows = torch.tensor(rows).repeat_interleave(lengths).to(x.device)
        if audio_input.shape[-1] == self.config.timing.frames_per_latent * x.shape[2]:
            first = audio_input[..., :1].expand(*audio_input.shape[:-1], CONTEXT_COLUMNS)
            audio_input = torch.cat([first, audio_input], dim=-1)
        if prompt_index is None:
            prompt_index = torch.arange(x.shape[0], device=x.device)[:, None]
        if sink_prompt_index is None:
            sink_prompt_index = prompt_index[:, 0]
        prompts = self.encode_text(context)
        time, still = self.time(t), self.time(torch.zeros_like(t))
        where = torch.cat(positions)
        return FullSequence(
            tokens=torch.cat(parts, dim=1) + self.trainable_cond_mask(mask_rows),
            mask_rows=mask_rows,
            positions=where,
            rope=rope_table(where, self.config.head_dim).to(x.device),
            noisy_tokens=noisy.shape[1],
            time=time,
            time_rows=torch.stack([time.rows, still.rows], dim=1),
            text=prompts.select(prompt_index.flatten()),
            still_text=prompts.select(sink_prompt_index),
            audio=self.encode_audio(audio_input),
        )

    def layer_outputs(self, sequence: FullSequence) -> Iterator[Tensor]:
        """The hidden state [B, S, dim] after each layer, its audio injected."""
        for parts in bidirectional.layer_parts(self, sequence):
            yield parts.joined()

    # Parts.

    @property
    def layers(self) -> list[WanBlock]:
        return cast("list[WanBlock]", list(self.blocks))

    def time(self, t: Tensor) -> TimeEmbedding:
        """Embedding of timesteps t [B], in float32."""
        with torch.autocast(t.device.type, enabled=False):
            embedding = self.time_embedding(sinusoid(t, self.config.freq_dim))
            return TimeEmbedding(embedding, self.time_projection(embedding).unflatten(1, (6, -1)))

    def compile_training(self, backend: str = "inductor") -> None:
        """Compiles the layers of `forward_window`, `forward` and `forward_block` (needs a C++
        compiler): about 1.6 times the speed on a CPU. Layers share their code, so the wait is that
        of one or two layers; those of a block, of each length of past.
        """
        # with a graph and without, sound or none
        torch._dynamo.config.recompile_limit = max(32, torch._dynamo.config.recompile_limit)
        options: dict[str, Any] = {"dynamic": False, "backend": backend, "fullgraph": True}
        self.window_layer = torch.compile(causal.window_layer, **options)
        self.full_layer = torch.compile(bidirectional.full_layer, **options)
        self.block_layer = torch.compile(causal.block_layer, **options)

    def recompute_training(self) -> None:
        """Keeps less of `forward_window`, `forward` and `forward_block` for the gradient: what
        enters each layer. After `compile_training`, if both are wanted.
        """
        for name in ("window_layer", "full_layer", "block_layer"):
            setattr(self, name, recomputed(getattr(self, name)))

    def compile_serving(self, backend: str = "inductor") -> None:
        """Compiles the layers of `forward_block` and `prefill_sink`, for shapes that do not change:
        the first block of each length of past, and the first sink, wait for the compiler.
        """
        # a layer's shapes: each length of past, with sound and without, with memory and without
        torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
        options: dict[str, Any] = {"dynamic": False, "backend": backend, "fullgraph": True}
        self.block_layer = torch.compile(causal.block_layer, **options)
        self.sink_layer = torch.compile(causal.sink_layer, **options)

    def serving(self, dtype: torch.dtype = torch.float32) -> WanS2V:
        """Makes this model ready to serve, in place: q, k, v fused, gradients off, the heavy layers
        in `dtype` (time, audio encoder, norms, modulation and head stay float32). Not for training
        or saving.
        """
        self.eval().requires_grad_(False)
        for name, parameter in self.named_parameters():
            parameter.data = parameter.data.to(dtype if is_heavy(name) else torch.float32)
        for block in self.layers:
            block.self_attn.pack()
        return self

    def add_memory(self, config: MemoryConfig) -> WanS2V:
        """Gives a model without visual memory an untrained compressor, in place."""
        self.config = replace(self.config, memory=config)
        self.memory_compressor = MemoryCompressor(self.config)
        self.memory_compressor.begin_as(self)
        return self

    def predict_sink_difference(self) -> WanS2V:
        """Turns a model that predicts velocities into one of `sink_difference`, in place: what it
        has learnt to see it keeps, what it says of it begins anew, as nothing."""
        self.config = replace(self.config, prediction="sink_difference")
        for parameter in self.head.head.parameters():
            nn.init.zeros_(parameter)
        return self

    def _velocity(self, out: Tensor, x: Tensor, t: Tensor, sink: Tensor) -> Tensor:
        return velocity_of(self._unpatchify(out, x), x, t, sink, self.config.prediction)

    def _text_context(self, padded: Tensor) -> Tensor:
        return self.text_embedding(padded.to(cast(nn.Linear, self.text_embedding[0]).weight.dtype))

    def _tokens(self, latent: Tensor) -> Tensor:
        """Latent [B, C, F, H, W] -> tokens [B, F * rows * columns, dim]."""
        return _patch_project(self.patch_embedding, latent)

    def _noisy_embedding(self, x: Tensor, pose: Tensor | None) -> Tensor:
        if pose is None:  # the projection of a zero pose is its bias
            return self._tokens(x) + cast(Tensor, self.cond_encoder.bias)
        return self._tokens(x) + _patch_project(self.cond_encoder, pose)

    def _noisy_tokens(self, x: Tensor) -> Tensor:
        return self._noisy_embedding(x, None) + self.trainable_cond_mask.weight[NOISY]

    def _grid(self, latent: Tensor) -> tuple[int, int]:
        _, height, width = self.config.patch_size
        return latent.shape[-2] // height, latent.shape[-1] // width

    def _window_rope(self, latent: Tensor) -> WindowRope:
        key = (*self._grid(latent), latent.device)
        if key not in self._window_ropes:
            c = self.config
            self._window_ropes[key] = WindowRope(
                c.head_dim, key[:2], c.timing.latents_per_block, c.past_blocks, c.sink_position,
                latent.device,
            )  # fmt: skip
        return self._window_ropes[key]

    def _memory_rope(self, device: torch.device) -> MemoryRope:
        if device not in self._memory_ropes:
            self._memory_ropes[device] = MemoryRope(self.config, device)
        return self._memory_ropes[device]

    def _unpatchify(self, patches: Tensor, like: Tensor) -> Tensor:
        """[B, S, patch rows * patch columns * C] -> [B, C, F, H, W]; the channel runs fastest."""
        _, height, width = self.config.patch_size
        rows, columns = self._grid(like)
        patches = patches.unflatten(1, (-1, rows, columns)).unflatten(4, (height, width, -1))
        return patches.permute(0, 6, 1, 2, 4, 3, 5).flatten(5, 6).flatten(3, 4)

    @torch.no_grad()
    def _initialise(self) -> None:
        """Wan's initialisation for training from scratch: what is added to the picture starts at
        zero.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for sequence in (self.text_embedding, self.time_embedding):
            for linear in (sequence[0], sequence[2]):
                nn.init.normal_(cast(nn.Linear, linear).weight, std=0.02)
        nn.init.xavier_uniform_(self.patch_embedding.weight.flatten(1))
        nn.init.zeros_(cast(Tensor, self.patch_embedding.bias))
        silent: list[nn.Module] = [self.head.head]
        silent += [cast(Any, norm).linear for norm in self.audio_injector.injector_adain_layers]
        if self.config.zero_init:
            silent += [self.cond_encoder, self.trainable_cond_mask]
            silent += [cast(CrossAttention, a).o for a in self.audio_injector.injector]
        for module in silent:
            for parameter in module.parameters():
                nn.init.zeros_(parameter)
        if self.config.memory is not None:
            self.memory_compressor.begin_as(self)


def _patch_project(convolution: nn.Conv3d, latent: Tensor) -> Tensor:
    """A convolution whose stride is its kernel, as one matrix product over patches."""
    _, height, width = convolution.kernel_size
    patches = latent.unflatten(4, (-1, width)).unflatten(3, (-1, height))
    patches = patches.permute(0, 2, 3, 5, 1, 4, 6).flatten(4).flatten(1, 3)
    weight = convolution.weight.flatten(1)
    return F.linear(patches.to(weight.dtype), weight, convolution.bias)

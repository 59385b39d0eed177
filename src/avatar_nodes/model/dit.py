"""The diffusion transformer of Wan2.2-S2V, with the module names of its public checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS
from avatar_nodes.model import bidirectional, causal, visual_memory
from avatar_nodes.model.attention import CrossAttention, LayerKV
from avatar_nodes.model.audio_encoder import AudioTokens, CausalAudioEncoder
from avatar_nodes.model.audio_injector import AdaptiveNorm, AudioInjector
from avatar_nodes.model.bidirectional import FullInput, FullSequence, Parts
from avatar_nodes.model.block import Inputs, Operation, Result, WanBlock
from avatar_nodes.model.causal import BlockInput, BlockRope, Places, Seen, SinkInput, WindowInput
from avatar_nodes.model.compressor import MemoryCompressor
from avatar_nodes.model.dit_config import DiTConfig, MemoryConfig
from avatar_nodes.model.frame_packer import FramePacker
from avatar_nodes.model.heavy_layers import is_heavy
from avatar_nodes.model.kv import BlockKV, MemoryKV, SinkKV, TextKV
from avatar_nodes.model.modulation import Head, TimeEmbedding, sinusoid
from avatar_nodes.model.prediction import velocity_of
from avatar_nodes.model.recomputed import recomputed
from avatar_nodes.model.rope import RopeTable, grid_positions, rope_table
from avatar_nodes.model.visual_memory import FrameInput, MemoryLatents, MemoryRope

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
        self._block_ropes: dict[tuple[int, int, torch.device], BlockRope] = {}
        # as they are, compiled, or recomputed for the gradient
        self.block_layer: Operation[BlockInput, tuple[Tensor, LayerKV]] = causal.block_layer
        self.sink_layer: Operation[SinkInput, tuple[Tensor, LayerKV]] = causal.sink_layer
        self.window_layer: Operation[WindowInput, Tensor] = causal.window_layer
        self.full_layer: Operation[FullInput, Parts] = bidirectional.full_layer
        if not self.patch_embedding.weight.is_meta:
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
        """Keys and values of a clean sink frame, modulated at t = 0.

        latent [B, C, 1 + m, H, W]: the frame, then m frames of motion context, oldest first; m = 0
        for none. The model must have a frame packer for others.
        """
        frame, motion = latent.tensor_split([1], dim=2)
        x = self._tokens(frame) + self.trainable_cond_mask.weight[REFERENCE]
        rope, last = self._block_rope(latent).sink, len(self.blocks) - 1
        if motion.shape[2]:
            packed, _ = self.frame_packer(motion)
            x = torch.cat([x, packed + self.trainable_cond_mask.weight[MOTION]], dim=1)
            rope = self._block_rope(latent).sink_with_motion()
        time = self.time(torch.zeros(x.shape[0], device=x.device))
        layers: list[LayerKV] = []
        for index, block in enumerate(self.layers):
            read = None if index == last else text.layers[index]
            x, kv = block(self.sink_layer, SinkInput(x, time.rows, rope, read))
            layers.append(LayerKV(kv.k, kv.v.contiguous()))  # a part of q, k and v, now let go
        return SinkKV(tuple(layers), frame, has_motion=motion.shape[2] > 0)

    def encode_audio(self, columns: Tensor) -> AudioTokens:
        """Tokens of F latent frames from feature columns [B, layers, D, 5 + 4F], 5 for context."""
        return self.casual_audio_encoder(columns, pad=False)

    def forward_block(
        self, x: Tensor, t: Tensor, audio: Tensor | AudioTokens, text: TextKV, sink: SinkKV,
        past: Sequence[BlockKV] = (), *, key_rope: RopeTable | None = None,
        memory: MemoryKV | None = None, room: BlockKV | None = None,
    ) -> tuple[Tensor, BlockKV]:  # fmt: skip
        """Velocity of one block and its keys and values.

        x [B, C, F, H, W] at t [B], F latents a block; audio [B, layers, D, 5 + 4F], 5 columns of
        context and those of its own, or what `encode_audio` made of them; past: at most
        `past_blocks` blocks at the same noise level, oldest first; key_rope: where it sees sink and
        past, see `key_rope` (default: the sink where the configuration has it, as in training, the
        motion context as from a stream's first block); memory: what it remembers; room: buffers
        that the keys and values are put into, and that are given back; they may be those of a block
        of `past`.
        """
        sound = audio if isinstance(audio, AudioTokens) else self.encode_audio(audio)
        time, seen = self.time(t), Seen(text, sink, past, memory)
        out, kv = self._through_layers(x, time.rows, sound, seen, key_rope, room)
        return self._velocity(self.head(out, time.embedding), x, t, sink.latent), kv

    def block_keys_values(
        self, x: Tensor, t: Tensor, audio: AudioTokens, text: TextKV, sink: SinkKV,
        past: Sequence[BlockKV] = (), *, key_rope: RopeTable | None = None,
        memory: MemoryKV | None = None, room: BlockKV | None = None,
    ) -> BlockKV:  # fmt: skip
        """The keys and values of `forward_block`, bit for bit, in less time: without a velocity."""
        seen = Seen(text, sink, past, memory)
        return self._through_layers(
            x, self.time(t).rows, audio, seen, key_rope, room, keys_values_only=True
        )[1]

    def key_rope(self, latent: Tensor, past: int, places: Places, *, motion: bool) -> RopeTable:
        """Rotation of the keys [sink | motion context, if any | `past` blocks | current] of blocks
        like latent [..., H, W].
        """
        return self._block_rope(latent).keys_from(places, past, motion=motion)

    def _through_layers(
        self, x: Tensor, time_rows: Tensor, sound: AudioTokens, seen: Seen,
        key_rope: RopeTable | None, room: BlockKV | None, *, keys_values_only: bool = False,
    ) -> tuple[Tensor, BlockKV]:  # fmt: skip
        """The tokens of the block x after every layer (but the last one with `keys_values_only`),
        and its keys and values. Each layer puts these into `room` when it has read the past.
        """
        rope = self._block_rope(x)
        if key_rope is None:
            places, motion = Places(self.config.sink_position), seen.sink.has_motion
            key_rope = rope.keys_from(places, len(seen.past), motion=motion)
        tokens, last = self._noisy_tokens(x), len(self.blocks) - 1
        layers: list[LayerKV] = []
        for index, block in enumerate(self.layers):
            entering = BlockInput(
                tokens, time_rows, rope.at_distance[0], key_rope, seen.text.layers[index],
                seen.sink.layers[index], tuple(kv.layers[index] for kv in seen.past),
                None if seen.memory is None else seen.memory.layers[index], sound,
                self.audio_injector.at(index),
            )  # fmt: skip
            if keys_values_only and index == last:
                kv = block(causal.layer_keys_values, entering)
            else:
                tokens, kv = block(self.block_layer, entering)
            layers.append(kv if room is None else room.layers[index].copy_(kv))
        return tokens, room or BlockKV(tuple(layers))

    def prefill_memory_frame(self, tokens: Tensor) -> tuple[LayerKV, ...]:
        """Un-rotated keys and values of remembered frames [B, tokens, dim] in every layer."""
        time = self.time(torch.zeros(tokens.shape[0], device=tokens.device))
        rope, last = self._memory_rope(tokens.device).frame, len(self.blocks) - 1
        layers: list[LayerKV] = []
        x = tokens
        for index, block in enumerate(self.layers):
            entering = FrameInput(x, time.rows, rope, is_last=index == last)
            x, kv = block(visual_memory.frame_layer, entering)
            layers.append(kv)
        return tuple(layers)

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
        return visual_memory.placed(layers, rope.placed(len(long), len(short)))

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
        memory = None if memory_latents is None else self._remembered(memory_latents)
        windows = x.flatten(0, 1)
        time, sound = self.time(t.flatten()), self.encode_audio(audio.flatten(0, 1))
        rope, tokens = self._block_rope(windows), self._noisy_tokens(windows)
        for index, block in enumerate(self.layers):
            entering = WindowInput(
                tokens, time.rows, rope, text.layers[index], sink.layers[index],
                None if memory is None else memory.layers[index], sound,
                self.audio_injector.at(index),
            )  # fmt: skip
            tokens = block(self.window_layer, entering)
        out = self.head(tokens, time.embedding)
        sinks = sink_latent.repeat_interleave(blocks, dim=0)
        velocity = self._velocity(out, windows, t.flatten(), sinks)
        return velocity.unflatten(0, (streams, blocks))

    def _remembered(self, latents: MemoryLatents) -> MemoryKV | None:
        """Memory of B streams, compressed now, with a graph where one is wanted; None: nothing to
        remember.
        """
        frames = torch.cat([latents.long, latents.short], dim=1)
        streams, count = frames.shape[:2]
        if not count:
            return None
        tokens = self.memory_compressor(frames.flatten(0, 1))

        def joined(x: Tensor) -> Tensor:
            return x.unflatten(0, (streams, count)).flatten(1, 2)

        layers = [LayerKV(*map(joined, kv)) for kv in self.prefill_memory_frame(tokens)]
        rope = self._memory_rope(frames.device)
        places = rope.placed(latents.long.shape[1], latents.short.shape[1])
        return visual_memory.placed(layers, places)

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
        *_, last = self.layer_parts(sequence)
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

    def layer_parts(self, sequence: FullSequence) -> Iterator[Parts]:
        """The hidden state after each layer, its audio injected."""
        x = sequence.parts()
        for index, block in enumerate(self.layers):
            entering = FullInput(
                x, sequence.time_rows, sequence.rope, sequence.text.layers[index],
                sequence.still_text.layers[index], sequence.audio, self.audio_injector.at(index),
            )  # fmt: skip
            x = block(self.full_layer, entering)
            yield x

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
        self.window_layer = _compiled(causal.window_layer, backend)
        self.full_layer = _compiled(bidirectional.full_layer, backend)
        self.block_layer = _compiled(causal.block_layer, backend)

    def recompute_training(self) -> None:
        """Keeps less of `forward_window`, `forward` and `forward_block` for the gradient: what
        enters each layer. After `compile_training`, if both are wanted.
        """
        self.window_layer = recomputed(self.window_layer)
        self.full_layer = recomputed(self.full_layer)
        self.block_layer = recomputed(self.block_layer)

    def compile_serving(self, backend: str = "inductor") -> None:
        """Compiles the layers of `forward_block` and `prefill_sink`, for shapes that do not change:
        the first block of each length of past, and the first sink, wait for the compiler.
        """
        # a layer's shapes: each length of past, with sound and without, with memory and without
        torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
        self.block_layer = _compiled(causal.block_layer, backend)
        self.sink_layer = _compiled(causal.sink_layer, backend)

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
        self._begin_compressor()
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

    def _block_rope(self, latent: Tensor) -> BlockRope:
        key = (*self._grid(latent), latent.device)
        if key not in self._block_ropes:
            c = self.config
            self._block_ropes[key] = BlockRope(
                c.head_dim, key[:2], c.timing.latents_per_block, c.past_blocks, c.sink_position,
                latent.device,
            )  # fmt: skip
        return self._block_ropes[key]

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
        silent += [cast(AdaptiveNorm, n).linear for n in self.audio_injector.injector_adain_layers]
        if self.config.zero_init:
            silent += [self.cond_encoder, self.trainable_cond_mask]
            silent += [cast(CrossAttention, a).o for a in self.audio_injector.injector]
        for module in silent:
            for parameter in module.parameters():
                nn.init.zeros_(parameter)
        if self.config.memory is not None:
            self._begin_compressor()

    def _begin_compressor(self) -> None:
        """An untrained compressor gives a small picture of the kind that a sink's tokens are."""
        reference = self.trainable_cond_mask.weight[REFERENCE]
        self.memory_compressor.begin_as(self.patch_embedding, reference)


def _compiled(layer: Operation[Inputs, Result], backend: str) -> Operation[Inputs, Result]:
    return torch.compile(layer, fullgraph=True, dynamic=False, backend=backend)


def _patch_project(convolution: nn.Conv3d, latent: Tensor) -> Tensor:
    """A convolution whose stride is its kernel, as one matrix product over patches."""
    _, height, width = convolution.kernel_size
    patches = latent.unflatten(4, (-1, width)).unflatten(3, (-1, height))
    patches = patches.permute(0, 2, 3, 5, 1, 4, 6).flatten(4).flatten(1, 3)
    weight = convolution.weight.flatten(1)
    return F.linear(patches.to(weight.dtype), weight, convolution.bias)

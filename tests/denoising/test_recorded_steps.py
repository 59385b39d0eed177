"""Recorded forward passes: the bits of a plain stage in all that a stream can meet, from buffers of
their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy

import pytest
import torch
from support.streams import AUDIO, LATENT, SEED, conditioning, epoch_start, prompt, random_tensor
from torch import Tensor
from torch._dynamo.utils import counters

from avatar_nodes.block.block import BlockContext, Memory, Sink
from avatar_nodes.block.schedule import Schedule
from avatar_nodes.denoising.past_window import Conditions, PastWindow
from avatar_nodes.denoising.recorded_call import Call, call_recorder_for, made_again
from avatar_nodes.denoising.recorded_steps import RecordedSteps
from avatar_nodes.denoising.stage import KVCacheKind, Stage
from avatar_nodes.denoising.warm_up import warm_up
from avatar_nodes.model.causal import Places
from avatar_nodes.model.dit import WanS2V

SCHEDULE = Schedule([1.0, 0.7, 0.3, 0.0])
STEPS = (0, 1, 2)
WINDOW = 2


class Tape:
    """A recorder that replays as a CPU does, and counts."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.recorded = self.replayed = 0
        self._fails_at = fails_at

    def __call__(self, call: Call) -> Call:
        if self.recorded == self._fails_at:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            made_again(call)()

        return replay


def _stage(
    model: WanS2V, tape: Tape | None, *, kv_cache: KVCacheKind = "same_noise",
    steps: Sequence[int] = STEPS, past_blocks: int = WINDOW, rolling_rope: bool = True,
    nearest_sink: int = 0,
) -> Stage:  # fmt: skip
    return Stage(
        model, SCHEDULE, steps, past_blocks=past_blocks, kv_cache=kv_cache, call_recorder=tape,
        rolling_rope=rolling_rope, nearest_sink=nearest_sink,
    )  # fmt: skip


def _memory(model: WanS2V, version: int, long: int, short: int) -> Memory:
    assert model.config.memory_shape is not None
    tokens, dim = model.config.memory_shape
    frames = [random_tensor(500 + version * 10 + n, (tokens, dim)) for n in range(long + short)]
    empty = torch.zeros(0, dim)
    return Memory(
        version, 1, torch.cat([empty, *frames[:long]]), torch.cat([empty, *frames[long:]])
    )


def _plain_stream(stage: Stage, model: WanS2V, blocks: int = 10) -> Iterator[Tensor]:
    """One prompt, one sink."""
    stage.start_epoch(epoch_start())
    for n in range(blocks):
        yield stage.process(conditioning(n))


def _eventful_stream(stage: Stage, model: WanS2V) -> Iterator[Tensor]:
    """Prompts, sinks and memories come and go; caches are switched, ahead and not; an epoch ends
    in the middle; at last everything is forgotten."""
    stage.start_epoch(epoch_start())
    for name in ("wave", "nod", "bow"):
        stage.set_prompt(prompt(name))
    names = ["talk"] * 5 + ["wave"] * 6 + ["nod"] * 6 + ["bow"] * 7
    sinks = [0] + [1] * 8 + [2] * 15
    memories = {9: (0, 2), 11: (1, 4), 12: (3, 4), 17: (3, 4), 18: (3, 4)}
    stage.expect_switch("nod", 11)
    done: list[Tensor] = []
    version = 0
    for n, (name, sink) in enumerate(zip(names, sinks, strict=True)):
        if sink and sinks[n - 1] != sink:
            stage.set_sink(Sink(sink, random_tensor(n, (4, 1, 8, 8)), "talk", 1))
        if n in memories and model.config.memory is not None:
            version = n
            stage.set_memory(_memory(model, n, *memories[n]))
        assert stage.prepare() == (n == 11)
        switch = n in (5, 11)  # not ahead, ahead; the last change of the prompt flows in
        done.append(
            stage.process(
                conditioning(
                    n, prompt_id=name, sink_version=sink, cache_switch=switch,
                    memory_version=version,
                )
            )
        )  # fmt: skip
        yield done[-1]
    context = tuple(
        BlockContext(n, "bow", random_tensor(1000 + n, AUDIO), done[n]) for n in (22, 23)
    )
    prompts = (prompt("talk"), prompt("bow"))
    stage.start_epoch(epoch_start(2, 24, context=context, prompts=prompts))
    for n in range(24, 32):  # as after a barge-in or a fault
        yield stage.process(conditioning(n, epoch=2, prompt_id="bow"))
    stage.forget()
    yield from _plain_stream(stage, model, 6)


def _assert_same(
    stream: Callable[[Stage, WanS2V], Iterator[Tensor]], stage: Stage, other: Stage, model: WanS2V
) -> int:
    count = 0
    for a, b in zip(stream(stage, model), stream(other, model), strict=True):
        assert torch.isfinite(a).all()
        assert torch.equal(a, b), f"block {count}"
        count += 1
    return count


@pytest.mark.parametrize("kv_cache", ["same_noise", "clean"])
@pytest.mark.parametrize("kind", ["served_model", "remembering_model"])
def test_an_eventful_stream(
    kind: str, kv_cache: KVCacheKind, request: pytest.FixtureRequest
) -> None:
    model, tape = request.getfixturevalue(kind), Tape()
    recorded = _stage(model, tape, kv_cache=kv_cache)
    blocks = _assert_same(_eventful_stream, recorded, _stage(model, None, kv_cache=kv_cache), model)
    assert blocks == 38
    assert tape.recorded >= 2 * WINDOW * len(STEPS), "both sets of caches, each slot, each step"
    assert tape.replayed > tape.recorded


def test_only_a_full_window_is_recorded_and_once(served_model: WanS2V) -> None:
    tape = Tape()
    stage = _stage(served_model, tape)
    counts = [(tape.recorded, tape.replayed) for _ in _plain_stream(stage, served_model, 8)]
    steps = len(STEPS)
    recorded = [0] * 4 + [steps] + [WINDOW * steps] * 3  # two blocks fill it, two are made plainly
    replayed = [0] * 4 + [steps * n for n in (1, 2, 3, 4)]
    assert counts == list(zip(recorded, replayed, strict=True))


def test_without_a_past_there_is_one_recording_a_step(served_model: WanS2V) -> None:
    tape = Tape()
    stages = [_stage(served_model, t, past_blocks=0) for t in (tape, None)]
    assert _assert_same(_plain_stream, *stages, served_model) == 10
    assert tape.recorded == len(STEPS) and tape.replayed == 9 * len(STEPS)


@pytest.mark.parametrize("moving", [{"rolling_rope": False}, {"nearest_sink": 4}])
def test_a_sink_that_moves_is_copied_in(served_model: WanS2V, moving: dict[str, int]) -> None:
    tape = Tape()
    stages = [_stage(served_model, t, **moving) for t in (tape, None)]
    assert _assert_same(_plain_stream, *stages, served_model) == 10
    assert tape.recorded == WINDOW * len(STEPS)


def test_a_later_stage(served_model: WanS2V) -> None:
    def stream(stage: Stage, model: WanS2V) -> Iterator[Tensor]:
        stage.start_epoch(epoch_start())
        for n in range(8):
            yield stage.process(conditioning(n), random_tensor(n, LATENT))

    tape = Tape()
    stages = [_stage(served_model, t, steps=(1, 2)) for t in (tape, None)]
    assert _assert_same(stream, *stages, served_model) == 8
    assert tape.recorded == 2 * WINDOW


@pytest.mark.parametrize("fails_at", [0, 4])
def test_a_failed_recording_is_told_once_and_the_stream_goes_on(
    served_model: WanS2V, fails_at: int, caplog: pytest.LogCaptureFixture
) -> None:
    tape = Tape(fails_at)
    with caplog.at_level(logging.WARNING):
        stages = [_stage(served_model, t) for t in (tape, None)]
        assert _assert_same(_eventful_stream, *stages, served_model) == 38
    (record,) = caplog.records
    assert record.getMessage() == (
        "cuda_graphs: recording failed, going on without:"
        " operation not permitted when stream is capturing"
    )
    assert tape.recorded == fails_at


def test_a_warm_stage_has_recorded_all(served_model: WanS2V) -> None:
    tape = Tape()
    stage = _stage(served_model, tape)
    warm_up(stage, served_model.config, WINDOW, switches=True)
    assert tape.recorded == 2 * WINDOW * len(STEPS)
    assert _assert_same(_eventful_stream, stage, _stage(served_model, None), served_model) == 38
    assert tape.recorded == 2 * WINDOW * len(STEPS)


def test_what_is_compiled_is_compiled_before_it_is_recorded(served_model: WanS2V) -> None:
    """A compiler cannot work within a recording, so a warm stage has nothing left to compile."""
    tape = Tape()
    stages = [_stage(served_model, t) for t in (tape, None)]
    layers = served_model.block_layer, served_model.sink_layer
    try:
        served_model.compile_serving(backend="aot_eager")  # captured as ever, but no C++
        warm_up(stages[0], served_model.config, WINDOW, switches=True)
        compiled = counters["stats"]["unique_graphs"]
        assert compiled and tape.recorded == 2 * WINDOW * len(STEPS)
        for _ in _eventful_stream(stages[0], served_model):
            assert counters["stats"]["unique_graphs"] == compiled
        assert tape.recorded == 2 * WINDOW * len(STEPS)
        assert _assert_same(_eventful_stream, *stages, served_model) == 38
    finally:
        served_model.block_layer, served_model.sink_layer = layers


def test_switches_ahead_take_turns_with_two_sets_of_caches(served_model: WanS2V) -> None:
    """However many there are, nothing new is allocated, so nothing new is recorded."""
    tape = Tape()
    stages = [_stage(served_model, t) for t in (tape, None)]
    for stage in stages:
        stage.start_epoch(epoch_start())
        stage.set_prompt(prompt("wave"))
    for n in range(36):
        name = "wave" if n // 7 % 2 else "talk"
        block = conditioning(n, prompt_id=name, cache_switch=n % 7 == 0)
        if n and block.cache_switch:
            stages[0].expect_switch(name, n)
            assert stages[0].prepare()
        assert torch.equal(*(stage.process(block) for stage in stages))
    assert tape.recorded == 2 * WINDOW * len(STEPS)


def test_without_switches_ahead_there_is_one_set_of_caches(served_model: WanS2V) -> None:
    tape = Tape()
    warm_up(_stage(served_model, tape), served_model.config, WINDOW)
    assert tape.recorded == WINDOW * len(STEPS)


class _Passes:
    """Passes over blocks at one level, with a past of their own."""

    def __init__(self, model: WanS2V, record: Tape | None) -> None:
        self._model = model
        self._t = torch.tensor([700.0])
        self._steps = None if record is None else RecordedSteps(model, [self._t], record)
        self._window = PastWindow(model, [700.0], WINDOW)
        text = model.encode_text(prompt("talk").states[None])
        store = _memory(model, 1, 2, 4)
        frames = [
            model.prefill_memory_frame(x[None])
            for x in torch.cat([store.long, store.short]).split(4)
        ]
        self.conditions = Conditions(
            model.encode_audio(random_tensor(3, AUDIO)[None]),
            text,
            model.prefill_sink(random_tensor(4, (1, 4, 1, 8, 8)), text),
            model.place_memory(frames[:2], frames[2:]),
            (Places(model.config.sink_position),),
        )
        for n in range(WINDOW):
            self._window.take(self.conditions, [random_tensor(SEED + n, LATENT)])

    def velocity(self, key: int) -> Tensor:
        x, past, room = random_tensor(key, LATENT), self._window.seen_from(0), self._window.room(0)
        if self._steps is not None:
            velocity = self._steps.velocity(0, x, self.conditions, past, room).clone()
        else:
            sound, text, sink, memory, _ = self.conditions
            batch, _ = self._model.forward_block(
                x[None], self._t, sound, text, sink, past, memory=memory, room=room
            )
            velocity = batch[0]
        assert room is not None
        self._window.put(0, room)
        return velocity

    def spoil(self) -> None:
        """What was given is overwritten."""
        sound, text, sink, memory, _ = self.conditions
        assert memory is not None
        given = [*sound, sink.latent]
        given += [part for kv in (*text.layers, *sink.layers, *memory.layers) for part in kv]
        for tensor in given:
            tensor.fill_(torch.nan)

    def release(self) -> None:
        assert self._steps is not None
        self._steps.release()


@torch.inference_mode()
def test_a_replay_reads_nothing_but_its_buffers(remembering_model: WanS2V) -> None:
    tape = Tape()
    recorded, plain = _Passes(remembering_model, tape), _Passes(remembering_model, None)
    for n in range(5):
        assert torch.equal(recorded.velocity(n), plain.velocity(n))
    assert tape.recorded == WINDOW
    recorded.spoil()
    for n in range(5, 9):
        assert torch.equal(recorded.velocity(n), plain.velocity(n))
    assert tape.replayed == 7
    recorded.release()
    assert recorded.velocity(9).isnan().all(), "what is not known to be there is copied anew"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
def test_cuda_graphs(served_model: WanS2V, caplog: pytest.LogCaptureFixture) -> None:
    device = torch.device("cuda:0")
    model = deepcopy(served_model).to(device)
    graphs = Stage(
        model, SCHEDULE, STEPS, past_blocks=WINDOW, call_recorder=call_recorder_for(device)
    )
    plain = Stage(model, SCHEDULE, STEPS, past_blocks=WINDOW)
    warm_up(graphs, model.config, WINDOW, switches=True)
    for a, b in zip(_eventful_stream(graphs, model), _eventful_stream(plain, model), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)
    assert not caplog.records

"""Pictures and sound of a block are joined, played in order, and stay together when they are
late."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.presenting.media_clock import MediaClock
from avatar_nodes.presenting.presentation import Presentation, Slot

FRAMES, PER_FRAME = 3, 4


def frames(block: int) -> np.ndarray:
    values = np.arange(FRAMES, dtype=np.uint8) + 10 * block
    return np.broadcast_to(values[:, None, None, None], (FRAMES, 2, 2, 3)).copy()


def sound(block: int, samples: int = FRAMES * PER_FRAME) -> np.ndarray:
    return np.arange(samples, dtype=np.int16) + 100 * block


def presentation(first_block: int = 0) -> Presentation[str]:
    made: Presentation[str] = Presentation(samples_per_frame=PER_FRAME, capacity=4)
    assert made.start_epoch(1, first_block)
    return made


def add(to: Presentation[str], block: int, *, epoch: int = 1, last: bool = False) -> list[str]:
    taken = to.add_frames(epoch, block, frames(block))
    return taken + to.add_sound(epoch, block, sound(block), last=last, tag=f"{epoch}/{block}")


def play(of: Presentation[str], count: int) -> list[int]:
    """First pixel of the next frames; -1: nothing new."""
    shown = []
    for _ in range(count):
        slot = of.next_slot()
        shown.append(-1 if slot is None else int(slot.frame[0, 0, 0]))
    return shown


def test_frame_and_sound_belong_together() -> None:
    shown = presentation()
    add(shown, 0)
    slots = [shown.next_slot() for _ in range(FRAMES)]
    assert all(isinstance(slot, Slot) for slot in slots)
    for index, slot in enumerate(slots):
        assert slot is not None
        assert slot.frame[0, 0, 0] == index
        assert slot.sound.tolist() == list(range(index * PER_FRAME, (index + 1) * PER_FRAME))
        assert (slot.first, slot.last, slot.held) == (index == 0, False, False)
    assert shown.next_slot() is None


def test_halves_in_any_order_are_taken_in_the_order_of_blocks() -> None:
    shown = presentation()
    assert shown.add_sound(1, 1, sound(1), last=False, tag="1") == []
    assert shown.add_frames(1, 1, frames(1)) == []
    assert shown.add_frames(1, 0, frames(0)) == []
    assert shown.add_sound(1, 0, sound(0), last=False, tag="0") == ["0", "1"]
    assert (shown.taken_block, shown.waiting_blocks, shown.waiting_frames) == (1, 2, 6)
    assert play(shown, 7) == [0, 1, 2, 10, 11, 12, -1]


def test_a_late_block_holds_the_frame_in_silence() -> None:
    shown = presentation()
    assert shown.hold() is None
    add(shown, 0)
    play(shown, 3)
    held = shown.hold()
    assert held is not None
    assert held.held
    assert held.frame[0, 0, 0] == 2
    assert not held.sound.any()
    add(shown, 1)
    assert play(shown, 1) == [10]
    assert (shown.held, shown.presented) == (1, 4)


def test_the_last_block_is_shown_as_far_as_its_sound_reaches() -> None:
    shown = presentation()
    shown.add_frames(1, 0, frames(0))
    shown.add_sound(1, 0, sound(0, 5), last=True, tag="")
    first, second = shown.next_slot(), shown.next_slot()
    assert first is not None
    assert second is not None
    assert not first.last
    assert second.last
    assert second.sound.tolist() == [4, 0, 0, 0]
    assert shown.next_slot() is None


def test_a_new_epoch_keeps_what_comes_before_it() -> None:
    shown = presentation()
    for block in (0, 1, 2):
        add(shown, block)
    play(shown, 1)
    shown.add_frames(1, 3, frames(3))
    assert shown.start_epoch(2, 2)
    assert shown.taken_block == 1
    assert add(shown, 2, epoch=2) == ["2/2"]
    assert play(shown, 9) == [1, 2, 10, 11, 12, 20, 21, 22, -1]


def test_what_is_being_shown_is_not_shown_again() -> None:
    shown = presentation()
    add(shown, 0)
    play(shown, 1)
    assert shown.start_epoch(2, 0)
    assert add(shown, 0, epoch=2) == []
    assert add(shown, 1, epoch=2) == ["2/1"]
    assert play(shown, 6) == [1, 2, 10, 11, 12, -1]


def test_an_old_epoch_cannot_begin_again() -> None:
    shown = presentation()
    assert not shown.start_epoch(1, 5)
    assert shown.taken_block == -1


@pytest.mark.parametrize(
    ("epoch", "block", "reason"), [(0, 1, "stale"), (2, 1, "early"), (1, 99, "overrun")]
)
def test_what_does_not_belong_is_refused(epoch: int, block: int, reason: str) -> None:
    with pytest.raises(RefusedError) as error:
        presentation().add_frames(epoch, block, frames(1))
    assert error.value.reason == reason


def test_doubles_and_other_sizes_are_refused() -> None:
    shown = presentation()
    add(shown, 0)
    with pytest.raises(RefusedError) as error:
        shown.add_frames(1, 0, frames(0))
    assert error.value.reason == "repeated"
    play(shown, 1)
    with pytest.raises(RefusedError) as error:
        shown.add_frames(1, 1, np.zeros((FRAMES, 9, 9, 3), np.uint8))
    assert error.value.reason == "shape"


def test_clock_slots_are_exact_for_ever() -> None:
    clock = MediaClock(fps=25)
    clock.start(1_000)
    assert [clock.release() for _ in range(3)] == [1_000, 40_001_000, 80_001_000]
    assert clock.stamp_ns(ahead=997) == 1_000 + 40_000_000 * 1000
    odd = MediaClock(fps=30)
    odd.start(0)
    for _ in range(30 * 3600):
        odd.release()
    assert odd.stamp_ns() == 3_600_000_000_000


def test_clock_moves_after_a_long_absence_only() -> None:
    clock = MediaClock(fps=25, slack_s=0.2)
    clock.start(0)
    assert clock.catch_up(150_000_000) == 0
    assert clock.catch_up(900_000_000) == 900_000_000
    assert clock.release() == 900_000_000


def test_clock_goes_back_with_the_time_it_is_told() -> None:
    """The system's time was set back by an hour: nobody waits for an hour."""
    hour = 3_600_000_000_000
    clock = MediaClock(fps=25, ahead_s=2.0)
    clock.start(hour)
    assert clock.release() == hour
    assert clock.catch_up(hour - 1_900_000_000) == 0
    assert clock.catch_up(5) == 5 - hour - 40_000_000
    assert clock.release() == 5


def test_clock_has_no_time_before_its_start() -> None:
    with pytest.raises(RuntimeError, match="not been started"):
        MediaClock(fps=25).stamp_ns()


def test_what_is_muted_falls_silent_with_the_next_frame_and_its_pictures_stay() -> None:
    shown = presentation()
    add(shown, 1 - 1)
    add(shown, 1)
    add(shown, 2)
    first = shown.next_slot()
    assert first is not None and first.sound.tolist() == [0, 1, 2, 3]
    shown.mute(before=2)
    muted = [shown.next_slot() for _ in range(2 * FRAMES - 1)]
    assert [slot.frame[0, 0, 0] for slot in muted if slot] == [1, 2, 10, 11, 12]
    assert muted[0] is not None
    assert muted[0].sound.tolist() == [4, 3, 2, 0], "fades out"
    assert all(not slot.sound.any() for slot in muted[1:] if slot)
    heard = shown.next_slot()
    assert heard is not None and heard.sound.tolist() == [200, 201, 202, 203]


def test_muting_counts_for_blocks_to_come_and_never_goes_back() -> None:
    shown = presentation()
    shown.mute(before=1)
    shown.mute(before=0)
    add(shown, 0)
    add(shown, 1)
    silent = [shown.next_slot() for _ in range(FRAMES)]
    assert all(slot is not None and not slot.sound.any() for slot in silent)
    heard = shown.next_slot()
    assert heard is not None and heard.sound.any()


def test_what_is_muted_already_stays_silent_when_more_is_muted() -> None:
    """An order to hold a reply, and a later one to drop it."""
    shown = presentation()
    shown.start_epoch(2, 1)
    for block in range(3):
        add(shown, block + 1, epoch=2)
    shown.next_slot()
    shown.mute(before=2)
    faded = shown.next_slot()
    assert faded is not None and faded.sound.tolist() == [104, 70, 35, 0]
    shown.mute(before=3)
    silent = [shown.next_slot() for _ in range(2 * FRAMES - 2)]
    assert all(slot is not None and not slot.sound.any() for slot in silent)


def test_nothing_fades_where_nothing_was_heard() -> None:
    shown = presentation()
    shown.start_epoch(2, 1)
    shown.mute(before=2)
    for block in range(3):
        add(shown, block + 1, epoch=2)
    silent = [shown.next_slot() for _ in range(FRAMES)]
    assert all(slot is not None and not slot.sound.any() for slot in silent)
    shown.next_slot()
    shown.hold()
    shown.mute(before=3)
    silent = [shown.next_slot() for _ in range(FRAMES - 1)]
    assert all(slot is not None and not slot.sound.any() for slot in silent)


def test_muting_far_ahead_is_refused() -> None:
    with pytest.raises(RefusedError, match="far beyond") as caught:
        presentation().mute(before=1000)
    assert caught.value.reason == "overrun"


def part(to: Presentation[str], block: int, first: int, count: int, *, epoch: int = 1) -> list[str]:
    chosen = frames(block)[first : first + count]
    return to.add_frames(epoch, block, chosen, first=first, total=FRAMES)


def hear(to: Presentation[str], block: int, *, epoch: int = 1, last: bool = False) -> list[str]:
    return to.add_sound(epoch, block, sound(block), last=last, tag=f"{epoch}/{block}")


def test_a_block_plays_from_its_first_part_on_and_is_taken_with_its_last() -> None:
    shown = presentation()
    assert hear(shown, 0) == []
    assert part(shown, 0, 0, 1) == []
    assert (shown.playable_block, shown.taken_block) == (0, -1)
    assert (shown.waiting_frames, shown.waiting_blocks) == (FRAMES, 0)
    assert play(shown, 2) == [0, -1]
    held = shown.hold()
    assert held is not None and held.held and held.block == 0
    assert shown.waiting_frames == FRAMES - 1, "what is still to come counts: it has its time"
    assert part(shown, 0, 1, 2) == ["1/0"]
    assert (shown.playable_block, shown.taken_block) == (0, 0)
    slot = shown.next_slot()
    assert slot is not None and slot.sound.tolist() == [4, 5, 6, 7], "no sound is lost"
    assert play(shown, 2) == [2, -1]


def test_what_was_shown_is_let_go() -> None:
    shown = presentation()
    kept: list[weakref.ref[np.ndarray]] = []
    for block in range(8):
        hear(shown, block)
        for first in range(FRAMES):
            chosen = frames(block)[first : first + 1].copy()
            kept.append(weakref.ref(chosen))
            shown.add_frames(1, block, chosen, first=first, total=FRAMES)
            del chosen
            play(shown, 1)
    gc.collect()
    assert sum(one() is not None for one in kept) <= 1, "but for the frame that may be held"


def test_parts_of_the_next_block_wait_for_their_turn_and_sound() -> None:
    shown = presentation()
    hear(shown, 1)
    part(shown, 1, 0, 2)
    assert shown.playable_block == -1
    part(shown, 0, 0, 3)
    assert shown.playable_block == -1
    assert hear(shown, 0) == ["1/0"]
    assert (shown.playable_block, shown.taken_block, shown.waiting_blocks) == (1, 0, 1)
    assert part(shown, 1, 2, 1) == ["1/1"]
    assert play(shown, 7) == [0, 1, 2, 10, 11, 12, -1]


def test_a_block_shown_in_part_goes_on_in_the_one_that_is_made_anew() -> None:
    shown = presentation()
    hear(shown, 0)
    part(shown, 0, 0, 2)
    assert play(shown, 2) == [0, 1]
    assert shown.start_epoch(2, 0)
    assert shown.taken_block == -1
    assert hear(shown, 0, epoch=2) == [], "its sound is there"
    assert part(shown, 0, 0, 1, epoch=2) == []
    assert part(shown, 0, 1, 2, epoch=2) == ["1/0"]
    add(shown, 1, epoch=2)
    assert play(shown, 5) == [2, 10, 11, 12, -1]


def test_a_part_that_waits_goes_with_its_epoch() -> None:
    shown = presentation()
    add(shown, 0)
    play(shown, 1)
    hear(shown, 1)
    part(shown, 1, 0, 2)
    assert shown.start_epoch(2, 1)
    assert (shown.taken_block, shown.playable_block) == (0, 0)
    assert add(shown, 1, epoch=2) == ["2/1"]
    assert play(shown, 6) == [1, 2, 10, 11, 12, -1]


def test_a_part_that_nobody_completes_is_all_there_is() -> None:
    shown = presentation()
    hear(shown, 0)
    part(shown, 0, 0, 2)
    play(shown, 1)
    assert shown.start_epoch(2, 1)
    assert add(shown, 1, epoch=2) == ["2/1"]
    assert play(shown, 5) == [1, 10, 11, 12, -1]


def test_the_stream_may_end_before_the_last_pictures_are_there() -> None:
    shown = presentation()
    shown.add_sound(1, 0, sound(0, 5), last=True, tag="end")
    part(shown, 0, 0, 2)
    slots = [shown.next_slot(), shown.next_slot()]
    assert [slot.last for slot in slots if slot] == [False, True]
    assert shown.next_slot() is None
    assert part(shown, 0, 2, 1) == ["end"]
    assert (shown.taken_block, shown.waiting_frames) == (0, 0)


@pytest.mark.parametrize(
    ("first", "count", "total", "reason"),
    [(0, 1, FRAMES, "repeated"), (2, 1, FRAMES, "order"), (1, 1, 9, "size"), (1, 0, FRAMES, "size"),
     (1, 3, FRAMES, "size")],
)  # fmt: skip
def test_wrong_parts_are_refused(first: int, count: int, total: int, reason: str) -> None:
    shown = presentation()
    hear(shown, 0)
    part(shown, 0, 0, 1)
    with pytest.raises(RefusedError) as error:
        shown.add_frames(1, 0, frames(0)[:1].repeat(count, axis=0), first=first, total=total)
    assert error.value.reason == reason
    part(shown, 0, 1, 2)
    assert play(shown, 4) == [0, 1, 2, -1]


def test_a_part_without_a_beginning_leaves_no_trace() -> None:
    shown = presentation()
    with pytest.raises(RefusedError, match="after 0 frames"):
        shown.add_frames(1, 0, frames(0)[:1], first=5, total=9)
    assert add(shown, 0) == ["1/0"]


@pytest.mark.parametrize("latents", [1, 2])
def test_sixteen_frames_a_second(latents: int) -> None:
    """Short blocks, each frame with its 1000 samples every 62.5 ms."""
    timing = BlockTiming(frame_rate=16, latents_per_block=latents)
    shown: Presentation[str] = Presentation(samples_per_frame=timing.samples_per_frame)
    shown.start_epoch(1, 0)
    heard = np.arange(3 * timing.samples_per_block, dtype=np.int16)
    for block, part in enumerate(np.split(heard, 3)):
        shown.add_frames(1, block, np.zeros((timing.frames_per_block, 2, 2, 3), np.uint8))
        shown.add_sound(1, block, part, last=block == 2, tag="")
    clock = MediaClock(fps=timing.frame_rate)
    clock.start(0)
    stamps, sounds = [], []
    while (slot := shown.next_slot()) is not None:
        stamps.append(clock.release())
        sounds.append(slot.sound)
    assert len(stamps) == 12 * latents
    assert stamps == [number * 62_500_000 for number in range(len(stamps))]
    assert np.array_equal(np.concatenate(sounds), heard)

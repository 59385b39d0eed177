"""A microphone sends what is demanded, again if need be, and never more."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avatar_nodes.sound.sample_sender import SampleSender
from avatar_nodes.sound.sources import BufferSource, FileSource
from avatar_nodes.speaking.speech_track import SpeechTrack

RATE = 16_000


def sender(source: FileSource | BufferSource, *, realtime: bool = False) -> SampleSender:
    return SampleSender(source, sample_rate=RATE, chunk_samples=1000, realtime=realtime)


@pytest.fixture
def file(tmp_path: Path) -> FileSource:
    soundfile.write(tmp_path / "a.wav", np.arange(20_500, dtype=np.int16), RATE, subtype="PCM_16")
    return FileSource(tmp_path / "a.wav")


def sent(runs: list) -> list[int]:  # type: ignore[type-arg]
    """The samples of runs that follow each other (each tells its index)."""
    for run in runs:
        assert run.first_sample == (run.samples[0] if len(run.samples) else run.first_sample)
    return [int(sample) for run in runs for sample in run.samples]


def test_nothing_before_a_demand_and_nothing_beyond_it(file: FileSource) -> None:
    out = sender(file)
    assert out.poll(0.0) == []
    out.demand(0, 2500, 0.0)
    runs = out.poll(0.0)
    assert [len(run.samples) for run in runs] == [1000, 1000, 500]
    assert sent(runs) == list(range(2500))
    assert out.poll(1.0) == []


def test_the_end_is_told_with_the_last_samples(file: FileSource) -> None:
    out = sender(file)
    out.demand(0, 100_000, 0.0)
    runs = out.poll(0.0)
    assert sent(runs) == list(range(20_500))
    assert [run.end_of_stream for run in runs] == [False] * 20 + [True]
    assert out.poll(0.1) == []


def test_a_restarted_source_goes_on_where_the_consumer_is(file: FileSource) -> None:
    out = sender(file)
    out.demand(7000, 8000, 0.0)
    assert sent(out.poll(0.0)) == list(range(7000, 8000))


def test_a_restarted_consumer_gets_the_samples_again_at_once(file: FileSource) -> None:
    out = sender(file)
    out.demand(0, 9000, 0.0)
    out.poll(0.0)
    out.demand(4000, 8000, 0.1)
    assert sent(out.poll(0.1)) == list(range(4000, 8000))
    assert out.resent == 1


def test_a_consumer_that_has_less_than_it_said_gets_it_again_at_once(file: FileSource) -> None:
    out = sender(file)
    out.demand(0, 4000, 0.0)
    out.poll(0.0)
    out.demand(3000, 6000, 0.1)
    assert sent(out.poll(0.1)) == list(range(4000, 6000))
    out.demand(2000, 6000, 0.2)
    assert sent(out.poll(0.2)) == list(range(2000, 6000))


def test_lost_samples_are_sent_again_later(file: FileSource) -> None:
    out = sender(file)
    out.demand(0, 4000, 0.0)
    out.poll(0.0)
    out.demand(2000, 5000, 0.5)
    assert sent(out.poll(0.5)) == list(range(4000, 5000))  # they may be under way
    out.demand(2000, 6000, 2.1)
    assert sent(out.poll(2.1)) == list(range(2000, 6000))


def test_the_end_is_told_again_to_a_restarted_consumer(file: FileSource) -> None:
    out = sender(file)
    out.demand(0, 100_000, 0.0)
    out.poll(0.0)
    out.demand(20_500, 90_000, 3.0)
    runs = out.poll(3.0)
    assert [(run.first_sample, run.end_of_stream) for run in runs] == [(20_500, True)]


def test_in_real_time_a_file_flows_as_it_sounds(file: FileSource) -> None:
    out = sender(file, realtime=True)
    out.demand(0, 100_000, 10.0)
    assert out.poll(10.0) == []
    assert sent(out.poll(10.1)) == list(range(1600))
    assert sent(out.poll(10.25)) == list(range(1600, 4000))
    assert out.poll(15.0) == []  # after a pause it goes on, and does not catch up
    assert sent(out.poll(15.1)) == list(range(4000, 5600))


def test_live_sound_that_is_too_old_is_left_out() -> None:
    source = BufferSource()
    out = sender(source)
    out.demand(500, 100_000, 0.0)
    source.push(np.arange(500, 1500, dtype=np.int16), sample_rate=RATE, channels=1)
    assert sent(out.poll(0.1)) == list(range(500, 1500))
    source.push(np.zeros(2 * RATE, np.int16), sample_rate=RATE, channels=1)
    assert out.poll(2.0) == []
    assert out.skipped == 1
    source.push(np.arange(1500, 1700, dtype=np.int16), sample_rate=RATE, channels=1)
    assert sent(out.poll(2.1)) == list(range(1500, 1700))


def test_an_endless_demand_costs_no_memory() -> None:
    """A captured microphone is asked once, for all that will ever come."""
    source = BufferSource(sample_rate=RATE)
    out = sender(source)
    out.demand(0, 2**62, 0.0)
    chunk, grown = np.zeros(320, np.int16), []
    tracemalloc.start()
    try:
        for number in range(10_000):
            source.push(chunk, sample_rate=RATE, channels=1)
            assert [len(run.samples) for run in out.poll(number / 50)] == [320]
            if number in (2_000, 9_999):
                grown.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert grown[1] - grown[0] < 100_000


def leading(source: SpeechTrack) -> SampleSender:
    return SampleSender(
        source, sample_rate=RATE, chunk_samples=1000, realtime=False, lead_samples=3000
    )


def track(count: int) -> SpeechTrack:
    speech = SpeechTrack()
    speech.append(np.arange(count, dtype=np.int16))
    return speech


def test_a_lead_goes_out_unasked_and_the_rest_as_demanded() -> None:
    out = leading(track(9000))
    assert sent(out.poll(0.0)) == list(range(3000))
    assert out.poll(0.1) == []
    out.demand(1000, 5000, 0.2)  # the rest of the lead is still under way
    assert sent(out.poll(0.2)) == list(range(3000, 5000))
    assert out.resent == 0


def test_a_lead_that_nobody_answers_is_sent_again_but_not_for_ever() -> None:
    out = leading(track(2000))
    out.poll(0.0)
    assert out.poll(1.0) == []
    assert sent(out.poll(2.0)) == list(range(2000))
    again = sum(bool(out.poll(2.0 * step)) for step in range(2, 100))
    assert again == 9
    out.demand(0, 5000, 500.0)
    assert sent(out.poll(500.0)) == list(range(2000))


def test_a_consumer_with_less_room_than_the_lead_gets_it_piece_by_piece() -> None:
    out = leading(track(9000))
    out.poll(0.0)
    out.demand(1000, 2000, 0.1)
    assert sent(out.poll(0.1)) == list(range(1000, 2000))


def test_a_consumer_that_lost_all_is_served_from_where_it_says() -> None:
    speech = track(9000)
    out = leading(speech)
    out.poll(0.0)
    out.start_over(500)
    out.demand(500, 20_000, 0.1)
    assert sent(out.poll(0.1)) == list(range(500, 9000))
    speech.finish()
    assert [run.end_of_stream for run in out.poll(0.2)] == [True]

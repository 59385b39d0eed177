"""A visitor of the tests: espeak-ng questions, rooms, and what a microphone hears."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from avatar_nodes.world.speech import synthesise

RATE = 16_000

QUESTIONS: tuple[tuple[str, str], ...] = (
    ("en-us", "What is your name?"),
    ("en-us+m3", "Where is the exit, please?"),
    ("en-us+f2", "When do you open tomorrow?"),
    ("en", "How much does the ticket cost?"),
    ("en+f3", "Can you show me the way to the station?"),
    ("en+m7", "Who are you?"),
    ("en-us", "Please wave your hand."),
    ("en-us+m3", "What time is it?"),
    ("en-us+f2", "Tell me about the museum."),
    ("en", "Thank you very much, goodbye."),
    ("en+f3", "Do you like music?"),
    ("en-us", "Hello, how are you today?"),
)

PHRASES: tuple[str, ...] = (
    "what is your name", "tell me your name", "who are you", "what are you",
    "where is the exit", "where is the way out please", "how do i get to the exit",
    "when do you open", "when do you open tomorrow", "what are your opening hours",
    "how much does a ticket cost", "how much is the ticket", "what does the entrance cost",
    "show me the way to the station", "where is the station", "please wave", "wave your hand",
    "can you wave your hand please", "what time is it", "tell me the time",
    "tell me about the museum", "what can i see in the museum", "thank you",
    "thank you very much", "goodbye", "see you later", "do you like music",
    "what music do you like", "hello", "hello how are you", "how are you today", "good morning",
    "nod your head", "shake your head", "point to the left", "give me a thumbs up",
    "where is the toilet", "can i take photos", "tell me a joke", "can you help me",
)  # fmt: skip
"""What an operator might write; not all the questions are among them word for word."""


def say(text: str, voice: str = "en-us", *, level: float = 0.4) -> np.ndarray:
    """The sentence as int16 [n], `level` of full scale."""
    samples = synthesise(text, voice=voice, rate=150).samples
    return np.rint(samples * (level * 32767.0)).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.int16)


def with_noise(sound: np.ndarray, *, rms: float = 20.0, seed: int = 0) -> np.ndarray:
    """A quiet room around `sound`."""
    noise = np.random.default_rng(seed).normal(0.0, rms, len(sound))
    return np.clip(np.rint(sound + noise), -32768, 32767).astype(np.int16)


def added(base: np.ndarray, sound: np.ndarray, at_s: float) -> np.ndarray:
    """`base` with `sound` on top from `at_s` on, both int16."""
    first = round(at_s * RATE)
    mixed = base.astype(np.int32)
    mixed[first : first + len(sound)] += sound
    return np.clip(mixed, -32768, 32767).astype(np.int16)


def room(delay_s: float, *, reverberation_s: float = 0.3, direct_db: float = 3.0) -> np.ndarray:
    """Impulse response from loudspeaker to microphone: delayed direct sound and a decaying tail,
    of unit energy; `direct_db`: how far the direct sound is above the tail."""
    length = round(reverberation_s * RATE)
    tail = np.random.default_rng(1).normal(0.0, 1.0, length)
    tail *= 10.0 ** (-3.0 * np.arange(length) / length)
    tail[:32] = 0.0
    tail *= 10.0 ** (-direct_db / 20.0) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    response = np.concatenate([np.zeros(round(delay_s * RATE)), tail])
    return response / np.sqrt((response**2).sum())


def echo_of(sound: np.ndarray, *, delay_s: float, gain: float) -> np.ndarray:
    """What arrives of `sound` (int16) at the microphone, int16, of the same length."""
    size = 1 << (len(sound) + RATE - 1).bit_length()
    spectrum = np.fft.rfft(sound, size) * np.fft.rfft(room(delay_s), size)
    heard = gain * np.fft.irfft(spectrum, size)[: len(sound)]
    return np.clip(np.rint(heard), -32768, 32767).astype(np.int16)


def chunks(sound: np.ndarray, size: int = 640) -> Iterator[tuple[int, np.ndarray]]:
    """(first sample, samples) of consecutive chunks."""
    for first in range(0, len(sound), size):
        yield first, sound[first : first + size]


def words(text: str) -> list[str]:
    kept = "".join(letter if letter.isalpha() or letter == "'" else " " for letter in text.lower())
    return kept.split()


def word_errors(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Words inserted, left out or replaced (Levenshtein distance)."""
    costs = list(range(len(heard) + 1))
    for row, wanted in enumerate(reference, start=1):
        previous, costs[0] = costs[0], row
        for column, got in enumerate(heard, start=1):
            best = min(costs[column] + 1, costs[column - 1] + 1, previous + (wanted != got))
            previous, costs[column] = costs[column], best
    return costs[-1]

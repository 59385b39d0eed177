"""Silero VAD tells speech from silence, noise and tones."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from support.visitor import RATE, say, silence, with_noise

from avatar_nodes.hearing import voice_activity
from avatar_nodes.hearing.voice_activity import SileroVoiceActivity, VoiceActivityError


@pytest.fixture(scope="module")
def silero() -> SileroVoiceActivity:
    return SileroVoiceActivity()


def probabilities(silero: SileroVoiceActivity, sound: np.ndarray) -> np.ndarray:
    size = silero.window_samples
    silero.reset()
    windows = sound[: len(sound) // size * size].reshape(-1, size)
    return np.array([silero.probability(window) for window in windows])


@pytest.mark.parametrize("voice", ["en-us", "en-us+f2", "en+m7"])
@pytest.mark.parametrize("level", [0.03, 0.4])
def test_speech_is_heard_loud_or_quiet(
    silero: SileroVoiceActivity, voice: str, level: float
) -> None:
    speech = say("Where is the exit, please?", voice, level=level)
    sound = with_noise(np.concatenate([silence(1.0), speech, silence(1.0)]), rms=5.0)
    found = probabilities(silero, sound)
    begin, end = RATE // 512, (RATE + len(speech)) // 512
    assert found[: begin - 1].max() < 0.3
    assert np.mean(found[begin:end] > 0.5) > 0.7
    assert found[end + 6 :].max() < 0.3


def test_noise_and_tones_are_not_speech(silero: SileroVoiceActivity) -> None:
    seconds = np.arange(3 * RATE) / RATE
    hum = np.rint(6000 * np.sin(2 * np.pi * 120 * seconds)).astype(np.int16)
    assert probabilities(silero, with_noise(silence(3.0), rms=2000.0)).max() < 0.5
    assert np.mean(probabilities(silero, hum) > 0.5) < 0.05


def test_reset_forgets(silero: SileroVoiceActivity) -> None:
    sound = with_noise(say("Who are you?"))
    assert np.array_equal(probabilities(silero, sound), probabilities(silero, sound))


def test_another_window_is_refused(silero: SileroVoiceActivity) -> None:
    with pytest.raises(ValueError, match="expected"):
        silero.probability(np.zeros(511, np.int16))


def test_it_computes_what_the_packages_own_model_does(silero: SileroVoiceActivity) -> None:
    torch = pytest.importorskip("torch")
    (folder,) = importlib.util.find_spec("silero_vad").submodule_search_locations
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = torch.jit.load(Path(folder, "data", "silero_vad.jit")).eval()
    sound = with_noise(np.concatenate([silence(0.5), say("Where is the exit?"), silence(0.5)]))
    windows = sound[: len(sound) // 512 * 512].reshape(-1, 512)
    with torch.inference_mode():
        wanted = [
            float(model(torch.from_numpy(window / 32768).float(), RATE)) for window in windows
        ]
    assert np.allclose(probabilities(silero, sound), wanted, atol=1e-4)


def test_the_package_is_not_imported_and_its_lack_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = (
        "import sys;"
        "from avatar_nodes.hearing.voice_activity import SileroVoiceActivity;"
        "SileroVoiceActivity(); print('silero_vad' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]
    monkeypatch.setattr(voice_activity.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VoiceActivityError, match="install the Python package silero-vad"):
        SileroVoiceActivity()

"""`avatar hear` prints the turns of sound files, as any recogniser understands them."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from support.visitor import say, silence, with_noise

from avatar_nodes.cli import main


@pytest.fixture(scope="module")
def two_turns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "two.wav"
    parts = [silence(0.5), say("What is your name?"), silence(1.0), say("Goodbye."), silence(0.1)]
    soundfile.write(path, with_noise(np.concatenate(parts)), 16_000)
    return path


def hear(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["hear", *map(str, words)])


def test_each_turn_is_a_line_with_its_times(two_turns: Path) -> None:
    said = hear("--recogniser", "pocketsphinx", "--phrase", "what is your name", two_turns)
    assert said.exit_code == 0, said.output
    first, second = said.stdout.splitlines()
    assert first.startswith(("two.wav:   0.4", "two.wav:   0.5"))
    assert "what is your name" in first
    assert "CPU" in second


def test_json_is_one_object_a_turn(two_turns: Path) -> None:
    said = hear("--recogniser", "pocketsphinx", "--json", two_turns, two_turns)
    turns = [json.loads(line) for line in said.stdout.splitlines()]
    assert len(turns) == 4
    assert turns[0]["file"] == str(two_turns)
    assert 0.4 < turns[0]["start_s"] < turns[0]["end_s"] < turns[1]["start_s"]
    assert turns[0]["language"] == "en"
    assert min(turns[0]["took_s"], turns[0]["cpu_s"]) >= 0.0


def test_a_file_may_begin_with_speech(tmp_path: Path) -> None:
    speech = say("What is your name?")
    soundfile.write(tmp_path / "at_once.wav", speech, 16_000)
    phrase = ("--phrase", "what is your name")
    said = hear("--recogniser", "pocketsphinx", *phrase, "--json", tmp_path / "at_once.wav")
    turn = json.loads(said.stdout)
    assert turn["text"] == "what is your name"
    assert 0.0 <= turn["start_s"] < 0.2
    assert len(speech) / 16_000 - 0.3 < turn["end_s"] < len(speech) / 16_000 + 0.2


def test_a_quiet_file_is_heard(tmp_path: Path) -> None:
    quiet = np.rint(say("What is your name?") * 10.0 ** (-40.0 / 20.0)).astype(np.int16)
    sound = with_noise(np.concatenate([silence(1.0), quiet, silence(2.0), quiet]), rms=1.0)
    soundfile.write(tmp_path / "quiet.wav", sound, 16_000)
    phrase = ("--phrase", "what is your name")
    said = hear("--recogniser", "pocketsphinx", *phrase, tmp_path / "quiet.wav")
    assert len(said.stdout.splitlines()) == 2, said.output
    assert "name" in said.stdout


def test_a_phone_s_memo_is_heard(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "memo.m4a"), "w") as file:
        stream = file.add_stream("aac", rate=16_000, layout="mono")
        sound = np.concatenate([silence(0.5), say("What is your name?"), silence(0.5)])
        frame = av.AudioFrame.from_ndarray(sound[None, :], format="s16", layout="mono")
        frame.sample_rate = 16_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    phrase = ("--phrase", "what is your name")
    said = hear("--recogniser", "pocketsphinx", *phrase, tmp_path / "memo.m4a")
    assert "what is your name" in said.stdout, said.output


def test_what_is_no_sound_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("this is a letter, not a sound")
    said = hear("--recogniser", "pocketsphinx", tmp_path / "letter.txt")
    assert said.exit_code == 1
    (line,) = said.stderr.splitlines()
    assert line.startswith(f"Error: {tmp_path}/letter.txt: no sound that can be read")


def test_without_the_model_one_line_says_so(two_turns: Path) -> None:
    said = hear(two_turns)
    assert said.exit_code == 0
    (line,) = said.stderr.splitlines()
    assert "avatar models fetch whisper-base" in line


def test_a_file_that_is_no_sound_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("no sound")
    said = hear("--recogniser", "pocketsphinx", tmp_path / "x.wav")
    assert said.exit_code == 1
    assert said.stderr.startswith("Error: ")

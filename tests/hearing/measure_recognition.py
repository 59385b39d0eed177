"""Measures recognisers on people's recordings that Debian ships with their words: run
`python tests/hearing/measure_recognition.py`, after `apt-get install pocketsphinx-testdata
alsa-utils`.

Each recogniser has a process of its own and hears each file as one utterance. The table says how
many words were wrong (substituted, left out or added; figures are written out as words), processor
seconds a second of sound, those from the end of the sound to the text, and the process's memory.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.visitor import word_errors, words

from avatar_nodes.hearing.recognition.backends import open_recogniser
from avatar_nodes.sound.audio_file import GRAPH_RATE, read_audio_file

SPHINX = Path("/usr/share/pocketsphinx/test/data")
ALSA = Path("/usr/share/sounds/alsa")
RECOGNISERS = (
    ("pocketsphinx", ""),
    ("whisper", "whisper-tiny.en"),
    ("whisper", "whisper-base"),
)
_FIGURES = "zero one two three four five six seven eight nine ten".split()


def recordings() -> dict[str, list[tuple[Path, str]]]:
    """Files and their words, by what they are."""
    sets: dict[str, list[tuple[Path, str]]] = {}
    listings = {
        "a novel read aloud": "librivox/transcription",
        "cards": "cards/cards.transcription",
    }
    for name, told in listings.items():
        listed = SPHINX / told
        found = re.findall(r"<s>(.*)</s> \((.*)\)", listed.read_text())
        sets[name] = [(listed.parent / f"{file}.wav", text.strip()) for text, file in found]
    commands = {"goforward": "go forward ten meters", "something": "go somewhere and do something"}
    sets["commands"] = [(SPHINX / f"{name}.raw", text) for name, text in commands.items()]
    sides = sorted(ALSA.glob("*_*.wav"))
    sets["loudspeakers' names"] = [(path, path.stem.replace("_", " ").lower()) for path in sides]
    return sets


def read(path: Path) -> np.ndarray:
    return np.fromfile(path, np.int16) if path.suffix == ".raw" else read_audio_file(path)


def plain(text: str) -> str:
    """Lower case, figures as words, no hyphens."""
    spelled = re.sub(r"\b(\d|10)\b", lambda figure: _FIGURES[int(figure[0])], text.lower())
    return spelled.replace("-", " ").replace("mr.", "mister")


def measure(kind: str, model: str) -> dict[str, object]:
    recogniser = open_recogniser(kind, model=model, language="en")
    recogniser.push(np.zeros(GRAPH_RATE, np.int16))
    recogniser.finish()
    rows, seconds, cpu, waits = {}, 0.0, 0.0, []
    for name, files in recordings().items():
        wrong = spoken = 0
        for path, sentence in files:
            sound = read(path)
            began = time.process_time()
            for piece in np.array_split(sound, max(1, len(sound) // 640)):
                recogniser.push(piece)
            ended = time.process_time()
            text = recogniser.finish().text
            waits.append(time.process_time() - ended)
            cpu += time.process_time() - began
            seconds += len(sound) / GRAPH_RATE
            wrong += word_errors(words(plain(sentence)), words(plain(text)))
            spoken += len(words(plain(sentence)))
        rows[name] = (wrong, spoken)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "rows": rows, "cpu": cpu / seconds, "wait": sorted(waits)[len(waits) // 2], "memory": memory
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    if one := parser.parse_args().one:
        print(json.dumps(measure(*one)))
        return
    sets = list(recordings())
    print("| |", " | ".join(sets), "| all | CPU s/s | CPU s to text | MB |")
    print("|---" * (len(sets) + 5) + "|")
    for kind, model in RECOGNISERS:
        command = [sys.executable, __file__, "--one", kind, model]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"| {model or kind} | {done.stderr.strip().splitlines()[-1]} |")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        rows = list(found["rows"].values())
        wrong, spoken = (sum(row[place] for row in rows) for place in (0, 1))
        shown = [f"{errors} of {total}" for errors, total in (*rows, (wrong, spoken))]
        print(
            f"| {model or kind} | {' | '.join(shown)}, {wrong / spoken:.0%} | {found['cpu']:.2f} |"
            f" {found['wait']:.2f} | {found['memory']:.0f} |"
        )


if __name__ == "__main__":
    main()

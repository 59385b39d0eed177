"""Runs a visitor's browser in front of the whole graph, for as long as asked."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from avatar_nodes.bench.chromium import FLAGS, find_chromium
from avatar_nodes.bench.kiosk.figures import KioskFigures, Look
from avatar_nodes.bench.kiosk.playout_offset import PlayoutOffset
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.runner import GraphRunner
from avatar_nodes.machine.process_usage import resident_mib
from avatar_nodes.profile import Profile, with_values
from avatar_nodes.sound.audio_file import GRAPH_RATE, read_audio_file

_DONE = "the visitor has left"
_FLAGS = (
    *FLAGS, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
)  # fmt: skip
_PAGE_S = 60.0

# Counts what the page goes through, before its own scripts run.
_COUNT = """
addEventListener('DOMContentLoaded', () => { performance.mark('shown'); });
const wait = setInterval(() => {
  const connection = globalThis.avatarConnection;
  if (!connection) return;
  clearInterval(wait);
  const seen = globalThis.seen = { lives: 0, asked: new Set(), answered: new Set() };
  connection.addEventListener('status', (e) => { seen.lives += e.detail.status === 'live'; });
  connection.addEventListener('avatar', ({ detail: e }) => {
    if (e.type !== 'caption') return;
    if (e.who === 'visitor' && e.final && e.text) seen.asked.add(e.turn);
    if (e.who === 'avatar') seen.answered.add(e.turn);
  });
}, 1);
globalThis.playout = [];
setInterval(async () => {
  const peer = globalThis.avatarConnection?.peer;
  if (!peer) return;
  const found = { life: globalThis.seen.lives }, times = {};
  for (const receiver of peer.getReceivers()) {
    const [source] = receiver.getSynchronizationSources();
    if (!source) return;
    found[`${receiver.track.kind}_rtp`] = source.rtpTimestamp;
    found[`${receiver.track.kind}_ms`] = source.timestamp;
  }
  for (const s of (await peer.getStats()).values())
    if (s.type === 'inbound-rtp') times[s.kind] = s.estimatedPlayoutTimestamp;
  found.estimate = times.video && times.audio ? times.video - times.audio : null;
  globalThis.playout.push(found);
}, 500);
"""

_FIRST_FRAME = """() => new Promise((done) => document.querySelector('video')
  .requestVideoFrameCallback((now) => done([performance.getEntriesByName('shown')[0].startTime,
    performance.getEntriesByType('resource').find((e) => e.name.endsWith('/offer'))?.startTime,
    now])))"""

_LOOK = """async () => {
  const { seen, avatarConnection: connection } = globalThis;
  const found = { lives: seen.lives, asked: seen.asked.size, answered: seen.answered.size };
  const stats = connection.peer ? [...(await connection.peer.getStats()).values()] : [];
  for (const s of stats.filter((s) => s.type === 'inbound-rtp')) found[s.kind] = s;
  found.playout = globalThis.playout.splice(0).filter((p) => p.life === seen.lives);
  return found;
}"""


class KioskBenchmarkError(RuntimeError):
    """A run that gave no figures; one line that says what is missing."""


class KioskBenchmark:
    """Runs the graph with its page, and a browser whose microphone hears `questions` again and
    again, `pause_s` apart.

    on_look: called with every look at the page.

    Raises:
        ChromiumError: there is no Playwright or no Chromium.
        AudioFileError: a question cannot be read.
    """

    def __init__(
        self, profile: Profile, *, seconds: float, look_s: float, questions: Sequence[Path],
        pause_s: float, namespace: str, on_look: Callable[[Look], None],
    ) -> None:  # fmt: skip
        self._chromium = find_chromium()
        self._microphone = _loop(questions, pause_s)
        self._seconds = seconds
        self._look_s = look_s
        self._on_look = on_look
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        profile = with_values(profile, {"kiosk": {"port": self._port, "host": "127.0.0.1"}})
        graph = Graph.from_profile(profile, mode="converse", namespace=namespace, kiosk=True)
        self._runner = GraphRunner(
            graph, log_level="warn", own_namespace=True, on_ready=self._begin
        )
        self._thread = threading.Thread(target=self._visit, name="visit", daemon=True)
        self._problem = ""
        self._life, self._offset = 0, PlayoutOffset()
        self.figures = KioskFigures()

    def run(self) -> KioskFigures:
        """Run until the time is over.

        Raises:
            KioskBenchmarkError: the graph did not start, or the page could not be looked at.
        """
        outcome = self._runner.run()
        if self._thread.is_alive():
            self._thread.join()
        if self._problem or outcome.reason != _DONE:
            raise KioskBenchmarkError(self._problem or outcome.reason)
        return self.figures

    def _begin(self) -> None:
        self._thread.start()

    def _visit(self) -> None:
        from playwright.sync_api import Error

        try:
            with tempfile.TemporaryDirectory(prefix="avatar_") as folder:
                file = Path(folder) / "microphone.wav"
                soundfile.write(file, self._microphone, GRAPH_RATE, subtype="PCM_16")
                self._browse(file)
        except Error as error:
            self._problem = f"the browser: {error.message.splitlines()[0]}"
        finally:
            self._runner.stop(_DONE)

    def _browse(self, microphone: Path) -> None:
        from playwright.sync_api import sync_playwright

        flags = [*_FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=self._chromium, args=flags)
            page = browser.new_page()
            page.add_init_script(_COUNT)
            page.goto(f"http://127.0.0.1:{self._port}/?talk")
            page.wait_for_selector(
                "html[data-connection=live]", state="attached", timeout=1000 * _PAGE_S
            )
            self.figures.page_ms, self.figures.offer_ms, self.figures.frame_ms = page.evaluate(
                _FIRST_FRAME
            )
            begun = time.monotonic()
            while (now := time.monotonic() - begun) < self._seconds:
                page.wait_for_timeout(1000 * min(self._look_s, self._seconds - now))
                self._look(page, time.monotonic() - begun)
            browser.close()

    def _look(self, page: Any, elapsed_s: float) -> None:
        supervisor = self._runner.supervisor
        memory = resident_mib(supervisor.pids if supervisor is not None else {})
        found = page.evaluate(_LOOK)
        if found["lives"] != self._life:
            self._life, self._offset = found["lives"], PlayoutOffset()
        look = Look.from_page(elapsed_s, found, memory, self._offset)
        self.figures.looks.append(look)
        self._on_look(look)


def _loop(questions: Sequence[Path], pause_s: float) -> np.ndarray:
    """The microphone's sound, int16 mono; the browser repeats it."""
    pause = np.zeros(round(pause_s * GRAPH_RATE), np.int16)
    return np.concatenate([part for file in questions for part in (pause, read_audio_file(file))])

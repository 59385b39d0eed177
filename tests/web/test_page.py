"""The visitor's page in a real browser: it shows, sounds, captions, and comes back by itself."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from support.browser import Page, browsing
from support.web_show import RATE, WrittenDesk, serving

from avatar_nodes.web.peer import Peer
from avatar_nodes.web.web_error import WebError

# What is bright and what is loud, and when [ms], for some seconds.
_WATCH = """async () => {
  const video = document.querySelector('video');
  const sound = new AudioContext();
  const ear = sound.createAnalyser();
  ear.fftSize = 256;
  sound.createMediaStreamSource(video.srcObject).connect(ear);
  await sound.resume();
  const canvas = new OffscreenCanvas(8, 8);
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const samples = new Float32Array(256);
  const seen = [], heard = [];
  let dark = false, silent = false;
  const frame = (now, { expectedDisplayTime }) => {
    pen.drawImage(video, 0, 0, 8, 8);
    const bright = pen.getImageData(4, 4, 1, 1).data[0] > 128;
    if (bright && dark) seen.push(expectedDisplayTime);
    dark = !bright;
    video.requestVideoFrameCallback(frame);
  };
  video.requestVideoFrameCallback(frame);
  const listening = setInterval(() => {
    ear.getFloatTimeDomainData(samples);
    const loud = samples.some((x) => Math.abs(x) > 0.05);
    if (loud && silent) heard.push(performance.now());
    silent = !loud;
  }, 4);
  await new Promise((done) => setTimeout(done, SECONDS * 1000));
  clearInterval(listening);
  return [seen, heard];
}"""


def offsets_ms(page: Page, seconds: int) -> np.ndarray:
    """Of each beep after its flash; those without one are left out."""
    seen, heard = page.run(_WATCH.replace("SECONDS", str(seconds)))
    after = [min((beep - flash for beep in heard), key=abs) for flash in seen if heard]
    return np.array([offset for offset in after if abs(offset) < 400])


def _inbound(page: Page, kind: str) -> dict[str, Any]:
    stats = page.run(
        "async () => [...(await avatarConnection.peer.getStats()).values()]"
        ".filter((s) => s.type === 'inbound-rtp')"
    )
    return next(s for s in stats if s["kind"] == kind)


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of silence, then a tone."""
    at = np.arange(20 * RATE) / RATE
    path = tmp_path_factory.mktemp("sound") / "tone.wav"
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * 440 * at) * (at > 2), RATE, subtype="PCM_16")
    return path


def test_picture_and_sound_belong_together() -> None:
    with serving() as (server, _), browsing() as open_page:
        page = open_page(server.url)
        page.wait_live()
        page.wait(lambda: page.frames > 50, "two seconds of pictures")
        session = page.run("avatarConnection.session")
        assert page.run("document.documentElement.dataset.media") == "webrtc"
        medians = []
        for _ in range(4):  # the browser aligns the two, on a busy machine for longer
            found = offsets_ms(page, 12)
            assert len(found) >= 6
            print(f"sound after picture: {np.median(found):.0f} ms ({found.round()})")
            medians.append(abs(np.median(found)))
            if medians[-1] <= 80.0:
                break
        assert medians[-1] <= 80.0, medians
        video, audio = _inbound(page, "video"), _inbound(page, "audio")
        assert video["framesDecoded"] > 200
        assert audio["totalAudioEnergy"] > 0
        assert page.run("avatarConnection.session") == session, "it did not have to come back"
        assert not page.errors


def test_without_webrtc_the_socket_takes_its_place() -> None:
    with serving() as (server, _), browsing() as open_page:
        page = open_page(f"{server.url}/?media=socket")
        page.wait_live()
        page.wait(lambda: page.frames > 50, "pictures")
        assert page.run("document.documentElement.dataset.media") == "socket"
        assert page.run("document.querySelector('#video').hidden")
        assert not page.errors


@pytest.mark.parametrize("media", ["", "?media=socket"])
def test_the_microphone_is_heard(media: str, tone: Path) -> None:
    with serving() as (server, desk), browsing(microphone=tone) as open_page:
        page = open_page(f"{server.url}/{media}")
        page.wait_live()
        page.page.click("#talk")
        page.page.wait_for_selector("#talk[aria-pressed=true]")
        page.wait(lambda: _pitch(desk) == 440, "440 Hz")
        page.page.click("#talk")
        page.page.wait_for_selector("#talk[aria-pressed=false]")
        page.wait(lambda: desk.heard[-1][3], "the end of the sound")
        assert not page.errors


def test_where_webrtc_finds_no_way_the_microphone_goes_off_and_on_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(peer: Peer, offer: str) -> str:
        raise WebError(400, "no way through the network")

    monkeypatch.setattr(Peer, "answer", refuse)
    with serving() as (server, _), browsing() as open_page:
        page = open_page(server.url)
        page.wait_live()
        assert page.run("document.documentElement.dataset.media") == "socket"
        for pressed in ("true", "false", "true"):
            page.page.click("#talk")
            page.page.wait_for_selector(f"#talk[aria-pressed={pressed}]")
        assert not page.errors


def _pitch(desk: WrittenDesk) -> int:
    last = desk.sound[-RATE:].astype(float)
    if len(last) < RATE or np.abs(last).max() < 500:
        return 0
    return int(np.abs(np.fft.rfft(last)).argmax() // 10 * 10)


def test_words_of_both_sides_are_read() -> None:
    with serving() as (server, desk), browsing() as open_page:
        page = open_page(server.url)
        page.wait_live()
        page.page.keyboard.press("Tab")
        page.page.focus("#text")
        page.page.keyboard.type("Who are you?")
        page.page.keyboard.press("Enter")
        page.wait(lambda: desk.asked == ["Who are you?"], "the question")
        page.wait(lambda: page.text("#visitor") == "Who are you?", "its caption")
        server.tell({"type": "state", "state": "speaking"})
        for index, text in enumerate(("I am Ada.", "<b>Hello.</b>")):
            said = {"type": "caption", "who": "avatar", "turn": 1, "text": text, "index": index}
            server.tell({**said, "final": index == 1})
        page.wait(lambda: page.text("#avatar") == "I am Ada. <b>Hello.</b>", "the answer, as text")
        assert page.text("#state") == "Speaking"
        server.tell({"type": "caption", "who": "avatar", "turn": 1, "cut": True})
        page.wait(lambda: page.text("#avatar") == "", "the answer that was cut")
        page.page.focus("#stop")
        page.page.keyboard.press("Enter")
        page.wait(lambda: ("interrupt", "") in desk.requests, "the interruption")


def test_the_page_says_that_it_records_and_what_it_keeps() -> None:
    with serving(recorded_of_visitors="sound") as (server, _), browsing() as open_page:
        server.tell({"type": "recorded", "on": True})
        page = open_page(server.url)
        page.wait(lambda: "your voice" in page.text("#recorded"), "the notice")
        server.tell({"type": "recorded", "on": False})
        page.wait(lambda: page.run("document.querySelector('#recorded').hidden"), "its end")


def test_every_control_has_a_name_and_is_reached_by_keyboard() -> None:
    with serving(personas=["default"]) as (server, _), browsing() as open_page:
        for path in ("/", "/operator", "/telepresence"):
            page = open_page(server.url + path)
            page.page.wait_for_timeout(500)
            nameless = page.run(
                "[...document.querySelectorAll('button, input:not([type=hidden]), select')]"
                ".filter((e) => !(e.innerText || e.ariaLabel || e.labels?.length))"
                ".map((e) => e.outerHTML)"
            )
            assert not nameless, path
            assert page.run("document.documentElement.lang") == "en"
            assert page.run("[...document.images].every((i) => i.alt)")
            assert page.run(
                "[...document.querySelectorAll('[tabindex]')].every((e) => e.tabIndex <= 0)"
            )
            assert not page.errors
            page.page.context.close()


def test_nothing_is_fetched_from_elsewhere() -> None:
    with serving() as (server, _), browsing() as open_page:
        for path in ("/", "/operator", "/telepresence"):
            page = open_page(server.url + path)
            page.page.wait_for_timeout(1000)
            fetched = page.run("performance.getEntriesByType('resource').map((e) => e.name)")
            assert fetched
            assert all(name.startswith(server.url) for name in fetched), fetched
            page.page.context.close()


def test_the_second_page_waits_its_turn() -> None:
    with serving(max_viewers=1) as (server, _), browsing() as open_page:
        first, second = open_page(server.url), open_page(server.url)
        first.wait_live()
        second.wait(lambda: "somebody else" in second.text("#notice"), "the notice")
        first.page.close()
        second.wait_live()
        second.wait(lambda: second.frames > 10, "pictures")


def test_reload_takes_the_own_place_again() -> None:
    with serving(max_viewers=1) as (server, _), browsing() as open_page:
        page = open_page(server.url)
        page.wait_live()
        page.page.reload()
        page.wait_live()
        page.wait(lambda: page.frames > 10, "pictures")
        assert not page.errors


def test_a_restart_of_the_server_is_survived() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with browsing() as open_page:
        with serving(port=port) as (server, _):
            page = open_page(server.url)
            page.wait_live()
            page.wait(lambda: page.frames > 10, "pictures")
        page.wait(lambda: page.run("document.documentElement.dataset.connection") != "live", "end")
        with serving(port=port):
            page.wait_live()
            page.wait(lambda: page.frames > 10, "pictures again")
        assert not page.errors


def test_without_a_click_it_is_silent_and_says_so() -> None:
    with serving() as (server, _), browsing(gesture=True) as open_page:
        page = open_page(server.url)
        # A look into the page would count as a click.
        page.wait(lambda: server.viewers == 1, "the visitor")
        page.page.wait_for_timeout(5000)
        page.page.wait_for_selector("#tap", state="visible")
        assert page.run("document.querySelector('video').muted")
        page.page.click("#tap")
        page.page.wait_for_selector("#tap", state="hidden")
        assert not page.run("document.querySelector('video').muted")


def test_the_operator_sees_figures_and_gives_orders(tmp_path: Path) -> None:
    with serving(personas=["default", "guide"]) as (server, desk), browsing() as open_page:
        page = open_page(f"{server.url}/operator")
        page.wait(lambda: "default" in page.text("#persona"), "the personas")
        figures = {"rate_hz": "25.01", "av_offset_ms": "0", "frames_held": "3"}
        page.wait(
            lambda: (
                server.tell({"type": "figures", "node": "presenter", "values": figures})
                or "25.0" in page.text("#figures")
            ),
            "the frame rate",
        )  # fmt: skip
        server.tell(
            {"type": "log", "level": "warn", "node": "voice", "text": "<i>x</i>", "time": 1}
        )
        page.wait(lambda: "warn  voice: <i>x</i>" in page.text("#log"), "the log, as text")
        server.tell({"type": "recording", "active": True, "file": "a.mp4", "seconds": 3.0,
                     "bytes": 4e6, "problem": ""})  # fmt: skip
        page.wait(lambda: "a.mp4 · 3 s, 4.0 MB" in page.text("#recording"), "the recording")
        page.page.click("#people button >> nth=0")
        page.wait(lambda: ("person", "maya") in desk.requests, "another person")
        desk.requests.clear()
        page.page.select_option("#persona", "guide")
        page.page.click("#persona-form button")
        page.page.fill("#prompt-text", "A person waves.")
        page.page.click("#prompt-form button")
        page.page.click("#record")
        picture = tmp_path / "picture.png"
        picture.write_bytes(b"\x89PNG not really")
        page.page.set_input_files("#reference", picture)
        desk.refuse["reference"] = "the picture: no picture that can be read"
        page.page.click("#reference-form button")
        page.wait(lambda: len(desk.requests) >= 4, "the orders")
        assert sorted(desk.requests)[:1] == [("persona", "guide")]
        assert ("prompt", "A person waves.") in desk.requests
        assert ("record", "stop") in desk.requests, "it is under way already"
        assert ("reference", b"\x89PNG not really") in desk.requests
        page.wait(lambda: "can be read" in page.text("#who"), "what is wrong with the picture")
        assert not page.page.is_visible("#anyway")
        desk.refuse["reference"] = "the picture: no face seen from the front was found"
        page.page.click("#reference-form button")
        page.wait(lambda: page.page.is_visible("#anyway"), "the offer to take its middle")
        page.page.click("#anyway")
        page.wait(lambda: desk.requests[-1][0] == "reference_middle", "its middle")
        page.wait(lambda: page.run("document.querySelector('#preview').naturalWidth") == 128, "it")


def test_telepresence_speaks_through_the_avatar(tone: Path) -> None:
    mode = {"mode": "puppet", "max_viewers": 2}
    with serving(**mode) as (server, desk), browsing(microphone=tone) as open_page:
        screen, operator = open_page(server.url), open_page(f"{server.url}/telepresence")
        screen.wait_live()
        operator.wait_live()
        assert screen.run("document.querySelector('#bar').hidden"), "it is for watching"
        operator.page.focus("body")
        operator.page.keyboard.down("Space")
        operator.page.wait_for_selector("#talk[aria-pressed=true]")
        operator.wait(lambda: _pitch(desk) == 440, "440 Hz")
        operator.page.keyboard.up("Space")
        operator.page.wait_for_selector("#talk[aria-pressed=false]")
        operator.page.fill("#prompt-text", "A person waves.")
        operator.page.click("#prompt-form button")
        operator.wait(lambda: ("prompt", "A person waves.") in desk.requests, "the prompt")
        assert not operator.errors
        assert not screen.errors

"""A speech server as a process: `/v1/audio/speech`, well or badly behaved as the voice asks.

    python speech_server.py PORT_FILE

The port goes to PORT_FILE. The sound is the ramp 0, 1, 2, ... one sample a number (int16), as many
as the text has letters times 1000. `model` names the sample rate; `voice` what happens:

    good       the whole sound, chunk by chunk
    held       half of the sound; the rest after a GET of /go
    stall      half of the sound, then nothing, for ever
    mute       no answer at all, for ever
    die        half of the sound, then the connection breaks
    garbage    bytes that are no WAV
    page       an HTML page with status 200
    refuse     status 500 with an error
    floats     32-bit floats, two channels
    sized      a WAV whose header tells its length, with metadata after the sound
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

CHUNK = 500
"""Bytes of a chunk: not a multiple of a sample's, with 32-bit floats in two channels."""

go_on = threading.Event()
ending = threading.Event()


def sound(text: str) -> np.ndarray:
    """The samples (int16) for a text."""
    return (np.arange(1000 * len(text)) % 30_000).astype(np.int16)


def header(rate: int, *, channels: int = 1, floats: bool = False, size: int = 0xFFFFFFFF) -> bytes:
    """Of a WAV stream whose length is not known."""
    width = 4 if floats else 2
    form = struct.pack(
        "<HHIIHH", 3 if floats else 1, channels, rate, rate * channels * width, channels * width,
        8 * width,
    )  # fmt: skip
    return b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + form + b"data" + struct.pack("<I", size)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        go_on.set()
        self.answer("text/plain", b"going on")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(length))
        if self.path != "/v1/audio/speech":
            self.answer("application/json", b'{"error": "no such path"}', status=404)
            return
        voice, rate = request["voice"], int(request["model"])
        samples = sound(request["input"])
        if voice == "mute":
            ending.wait()
        elif voice == "refuse":
            self.answer("application/json", b'{"error": {"message": "out of memory"}}', status=500)
        elif voice == "page":
            self.answer("text/html", b"<html>log in first</html>")
        elif voice == "garbage":
            self.answer("audio/wav", np.random.default_rng(0).bytes(5000))
        else:
            self.stream(voice, rate, samples, pcm=request["response_format"] == "pcm")

    def stream(self, voice: str, rate: int, samples: np.ndarray, *, pcm: bool) -> None:
        floats = voice == "floats"
        data = samples.tobytes()
        size, after = 0xFFFFFFFF, b""
        if floats:
            data = np.repeat(samples.astype("<f4") / 32768.0, 2).tobytes()
        if voice == "sized":
            size, after = len(data), b"LIST" + struct.pack("<I", 1000) + bytes(1000)
        head = b"" if pcm else header(rate, channels=2 if floats else 1, floats=floats, size=size)
        self.send_response(200)
        self.send_header("Content-Type", f"audio/L16;rate={rate}" if pcm else "audio/wav")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data = head + data + after
        middle = len(data) // 2
        self.chunks(data[:middle])
        if voice == "held":
            go_on.wait()
        if voice == "stall":
            ending.wait()
        if voice == "die":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.chunks(data[middle:])
        self.wfile.write(b"0\r\n\r\n")

    def chunks(self, data: bytes) -> None:
        for first in range(0, len(data), CHUNK):
            part = data[first : first + CHUNK]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.flush()

    def answer(self, kind: str, data: bytes, *, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *values: object) -> None:
        print(format % values, flush=True)


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port_file = Path(sys.argv[1])
    unfinished = port_file.with_suffix(".part")
    unfinished.write_text(str(server.server_address[1]))
    unfinished.rename(port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""Encodes and decodes the parts of a clip in a shard: lossless MP4, FLAC, JSON and NPZ."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable

import av
import numpy as np
import soundfile

from avatar_nodes.block.timing import BlockTiming


def encode_video(
    frames: Iterable[np.ndarray], width: int, height: int, timing: BlockTiming
) -> bytes:
    """uint8 RGB [H,W,3] each -> MP4 without loss; a key frame begins every block.

    One thread and no B-frames: the same frames give the same bytes, and packets are in order.
    """
    options = {"qp": "0", "preset": "ultrafast", "bf": "0"}
    options["g"] = str(timing.frames_per_block)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264rgb", rate=timing.frame_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def decode_video(
    data: bytes, block_frames: int, blocks: Collection[int] | None = None
) -> np.ndarray:
    """uint8 RGB [frames,H,W,3]; only the frames of `blocks` (`block_frames` each, in order) if
    given.

    Raises ValueError when the data are no such video or have fewer blocks.
    """
    try:
        with av.open(io.BytesIO(data)) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            wanted = None if blocks is None else set(blocks)
            pictures = []
            packets = (packet for packet in container.demux(stream) if packet.size)
            for number, packet in enumerate(packets):
                if wanted is None or number // block_frames in wanted:
                    pictures += stream.decode(packet)
            pictures += stream.decode(None)
            frames = [picture.to_ndarray(format="rgb24") for picture in pictures]
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"not a readable video: {error}") from error
    if blocks is not None and len(frames) != len(set(blocks)) * block_frames:
        raise ValueError(f"the video has no blocks {sorted(set(blocks))}")
    if not frames:
        raise ValueError("the video has no frames")
    return np.stack(frames)


def encode_sound(sound: np.ndarray, sample_rate: int) -> bytes:
    """float32 [samples] in -1..1 -> FLAC, 16 bits, as the graph carries sound."""
    file = io.BytesIO()
    samples = np.round(np.clip(sound, -1.0, 1.0) * 32767.0).astype(np.int16)
    soundfile.write(file, samples, sample_rate, format="FLAC")
    return file.getvalue()


def decode_sound(data: bytes, sample_rate: int) -> np.ndarray:
    """float32 [samples] in -1..1. Raises ValueError if the data are not mono FLAC of that rate."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    except soundfile.LibsndfileError as error:
        raise ValueError(f"not readable sound: {error}") from error
    if rate != sample_rate or samples.ndim != 1:
        raise ValueError(f"sound is {rate} Hz {samples.shape}, not {sample_rate} Hz mono")
    return (samples / np.float32(32767.0)).astype(np.float32)


def encode_arrays(arrays: dict[str, np.ndarray]) -> bytes:
    """Named arrays -> NPZ, compressed."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def decode_arrays(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of `encode_arrays`. Raises ValueError when the data are no NPZ."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return dict(file)
    except (OSError, EOFError) as error:
        raise ValueError(f"not readable arrays: {error}") from error

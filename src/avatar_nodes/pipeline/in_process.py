"""The whole graph's work as one loop in this process, without ROS: the oracle, and the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from avatar_nodes.block.schedule import ScheduleError
from avatar_nodes.decoding.reference_picture import ReferencePictureError, load_reference
from avatar_nodes.denoising.stage import StageError
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.graph.graph import Graph
from avatar_nodes.marking.label import LabelError
from avatar_nodes.marking.marker import Marker, MarkingChoice
from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.pipeline.assembly import (
    AssemblyError,
    MemorySettings,
    PromptEncoder,
    build_decoder,
    build_features,
    build_memory,
    build_stage,
)
from avatar_nodes.pipeline.pipeline import Pipeline
from avatar_nodes.profile import Profile
from avatar_nodes.recording.mp4_writer import Mp4Writer, RecordingError
from avatar_nodes.sound.audio_file import AudioFileError, read_audio_file

_ERRORS = (
    AssemblyError,
    AudioFileError,
    CheckpointError,
    LabelError,
    RecordingError,
    ReferencePictureError,
    ScheduleError,
    StageError,
)


class InProcessError(ConfigurationError):
    """What kept the loop from running; one line."""


@contextmanager
def in_process_errors() -> Iterator[None]:
    """Turn every error that a user can cause into an InProcessError."""
    try:
        yield
    except _ERRORS as error:
        raise InProcessError(str(error)) from None


def start_pipeline(graph: Graph) -> Pipeline:
    """A pipeline with a stage for each denoiser of `graph`, started as its conductor starts it.

    Raises:
        InProcessError: the checkpoint, the reference or a value does not fit; one line.
    """
    profile = graph.profile
    model, stream, place = profile.model, profile.stream, profile.placement.conductor
    with in_process_errors():
        stages = [
            build_stage(
                model.checkpoint,
                sigmas=model.sigmas,
                steps=node.parameters["steps"],  # type: ignore[arg-type]
                past_blocks=model.past_blocks,
                rolling_rope=model.rolling_rope,
                kv_cache=model.kv_cache,
                switch_max_sigma=model.switch_max_sigma,
                size=(profile.video.width, profile.video.height),
                lora=model.lora,
                lora_scale=model.lora_scale,
                dtype=model.dtype,
                float8=model.float8,
                offload_layers=model.offload_layers,
                compile_layers=model.compile,
                cuda_graphs=model.cuda_graphs,
                device=node.device or "cpu",
            )
            for node in graph.nodes
            if node.kind == "denoiser"
        ]
        decoder = build_decoder(
            model.checkpoint,
            width=profile.video.width,
            height=profile.video.height,
            light=model.light_decoder,
            dtype=model.dtype,
            device=profile.placement.decoder.device,
        )
        memory = None
        if profile.memory.enabled:
            settings = MemorySettings.of(profile.memory.model_dump())
            memory = build_memory(model.checkpoint, settings, device=profile.memory.device)
        pipeline = Pipeline(
            stages,
            decoder,
            build_features(
                model.checkpoint,
                context_s=profile.audio.context_s,
                lookahead_s=profile.audio.lookahead_s,
                device=place.audio_device,
            ),
            past_blocks=model.past_blocks,
            aas_from_block=model.aas_from_block if model.adaptive_sink else None,
            cache_switching=profile.conversation.cache_switch,
            memory=memory,
        )
        encoder = PromptEncoder(model.checkpoint, dtype=model.dtype, device=place.text_device)
        prompt = encoder.encode(stream.prompt)
        picture = load_reference(
            stream.reference, width=profile.video.width, height=profile.video.height
        )
        pipeline.start(picture, prompt, seed=stream.seed, first_block=stream.first_block)
    return pipeline


def render_in_process(graph: Graph, samples: np.ndarray) -> Iterator[np.ndarray]:
    """int16 [n] -> frames uint8 [H, W, 3], as many as the sound begins.

    Raises:
        InProcessError: as `start_pipeline`.
    """
    left = -(-len(samples) // graph.profile.timing.samples_per_frame)
    pipeline = start_pipeline(graph)
    for frames in pipeline.render(samples):
        for frame in frames[:left]:
            yield frame
            left -= 1


def record_in_process(
    graph: Graph, audio: Path, out: Path, on_progress: Callable[[float], None]
) -> None:
    """Render `audio` into the video file `out`; tells the seconds of video done.

    Raises:
        InProcessError: as above, or the sound cannot be read or the video not be written.
    """
    profile: Profile = graph.profile
    fps, rate = profile.video.fps, profile.audio.sample_rate
    torch.set_num_threads(max(node.threads for node in graph.nodes))
    with in_process_errors():
        samples = read_audio_file(audio, sample_rate=rate)
        per_frame = profile.timing.samples_per_frame
        sound = np.pad(samples, (0, -len(samples) % per_frame))  # every frame has its sound
        marker = _file_marker(profile)
        size = {"width": profile.video.width, "height": profile.video.height}
        try:
            with Mp4Writer(out, **size, fps=fps, sample_rate=rate) as writer:
                for number, frame in enumerate(render_in_process(graph, samples), start=1):
                    writer.write_frame(marker.mark(frame))
                    writer.write_sound(sound[(number - 1) * per_frame : number * per_frame])
                    on_progress(number / fps)
        except BaseException:  # Ctrl-C too: half a video is none
            out.unlink(missing_ok=True)
            raise


def _file_marker(profile: Profile) -> Marker:
    """The marks that presenter and recorder put on together."""
    section = profile.marking
    return Marker(
        MarkingChoice(
            label=section.label or section.file_label,
            watermark=section.watermark or section.file_watermark,
            text=section.text,
            corner=section.corner,
            number=section.number,
        )
    )

"""The whole graph's work as one loop in this process, without ROS: the oracle, and the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from avatar_nodes.block.schedule import ScheduleError
from avatar_nodes.conducting.build import PromptEncoder
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.decoding.reference_picture import ReferencePictureError, load_reference
from avatar_nodes.decoding.settings import DecoderSettings
from avatar_nodes.denoising.settings import DenoiserSettings
from avatar_nodes.denoising.stage import StageError
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.graph.graph import Graph
from avatar_nodes.marking.label import LabelError
from avatar_nodes.marking.marker import Marker, MarkingChoice
from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.model.device import AssemblyError
from avatar_nodes.pipeline.assembly import build_pipeline
from avatar_nodes.pipeline.pipeline import Pipeline
from avatar_nodes.profile import Profile
from avatar_nodes.recording.mp4_writer import Mp4Writer, RecordingError
from avatar_nodes.remembering.settings import MemorySettings
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
    stream, video = graph.profile.stream, graph.profile.video
    (conductor,) = graph.settings_of(ConductorSettings)
    (decoder,) = graph.settings_of(DecoderSettings)
    with in_process_errors():
        pipeline = build_pipeline(
            graph.settings_of(DenoiserSettings),
            decoder,
            conductor,
            next(iter(graph.settings_of(MemorySettings)), None),
            aas_from_block=conductor.own_sink_from_block,
            cache_switching=conductor.cache_switch,
        )
        prompt = PromptEncoder(conductor).encode(stream.prompt)
        picture = load_reference(stream.reference, width=video.width, height=video.height)
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

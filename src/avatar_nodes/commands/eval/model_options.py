"""Options that all `avatar eval` commands share, and the model and judges that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from avatar_nodes.commands.graph_options import json_option, plain_errors, profile_option

if TYPE_CHECKING:
    from avatar_nodes.block.timing import BlockTiming
    from avatar_nodes.decoding.decoder import StreamingDecoder
    from avatar_nodes.decoding.settings import DecoderSettings
    from avatar_nodes.evaluation.performers import Performer, StreamPerformer
    from avatar_nodes.judging.judge_folder import JudgeFolder
    from avatar_nodes.profile import Profile
    from avatar_nodes.world.clips import Clip, ClipSpec, Film
    from avatar_nodes.world.speech import Speech

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class EvalOptions:
    """Options of every evaluation."""

    profile_name: str
    checkpoint: Path | None
    judges: Path | None
    threads: int
    json_file: Path | None


def eval_options(command: Command) -> Command:
    """Adds the shared options; the command gets them as one `EvalOptions` named `shared`."""

    def run(
        profile_name: str, checkpoint: Path | None, judges: Path | None, threads: int,
        json_file: Path | None, **more: Any,
    ) -> Any:  # fmt: skip
        return command(
            shared=EvalOptions(profile_name, checkpoint, judges, threads, json_file), **more
        )

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    folder = click.Path(file_okay=False, path_type=Path)
    for option in reversed(
        (
            profile_option,
            click.option("--checkpoint", type=folder,
                         help="Checkpoint folder, instead of the profile's."),
            click.option("--judges", type=folder,
                         help="Folder of judges (`avatar train judges`), instead of `judges` in"
                         " the checkpoint."),
            click.option("--threads", type=click.IntRange(1), default=2, show_default=True,
                         help="CPU threads."),
            json_option,
        )
    ):  # fmt: skip
        run = option(run)
    return run  # type: ignore[return-value]


def split_option(command: Command) -> Command:
    """Adds --split."""
    return click.option(
        "--split", type=click.Choice(["val", "test"]), default="test", show_default=True,
        help="`val`: to compare candidates. `test` also holds back the wording of the prompts.",
    )(command)  # fmt: skip


def world_option(command: Command) -> Command:
    """Adds --world, for `ModelUnderTest`."""
    return click.option(
        "--world", type=click.Choice(["drawn", "lifelike"]), default="drawn", show_default=True,
        help="The people that are filmed; lifelike ones need requirements/training.txt.",
    )(command)  # fmt: skip


def clip_options(*, clips: int, blocks: int) -> Callable[[Command], Command]:
    """Adds --clips and --blocks with these defaults."""

    def add(command: Command) -> Command:
        command = click.option("--blocks", type=click.IntRange(4), default=blocks,
                               show_default=True,
                               help="Length of a clip in blocks.")(command)  # fmt: skip
        return click.option("--clips", type=click.IntRange(1), default=clips, show_default=True,
                            help="Number of clips.")(command)  # fmt: skip

    return add


def teacher_options(command: Command) -> Command:
    """Adds --teacher and the settings of its sampling, for `ModelUnderTest.teachers`."""
    command = click.option(
        "--teacher-guidance", type=(float, float), default=(1.0, 1.0), show_default=True,
        metavar="AUDIO TEXT", help="Guidance scales of the teacher.")(command)  # fmt: skip
    command = click.option(
        "--teacher-blocks", type=click.IntRange(1), default=3, show_default=True,
        help="Blocks of the teacher's window, as it was trained.")(command)  # fmt: skip
    command = click.option(
        "--teacher-steps", type=click.IntRange(1), default=40, show_default=True,
        help="Denoising steps of the teacher.")(command)  # fmt: skip
    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.option(
        "--teacher", type=folder,
        help="Measure this exported teacher too (`teacher/export` of a run).")(command)  # fmt: skip


class ModelUnderTest:
    """The profile, checkpoint and judges that the options name."""

    def __init__(self, options: EvalOptions, world: str = "drawn") -> None:
        """world: of `world_option`, or "photo"; drawn people are filmed at 256 pixels a side,
        whatever the profile's video is. Raises ProfileError.
        """
        import torch

        from avatar_nodes.profile import load_profile
        from avatar_nodes.profile.load import with_values
        from avatar_nodes.world.clips import SIZE

        torch.set_num_threads(options.threads)
        self._options = options
        self.lifelike = world == "lifelike"
        self.profile = load_profile(options.profile_name)
        if world == "drawn" and self.profile.video.width != SIZE:
            self.profile = with_values(self.profile, {"video": {"width": SIZE, "height": SIZE}})
        self.checkpoint = options.checkpoint or Path(self.profile.model.checkpoint)

    def stream(
        self, values: Mapping[str, Any] | None = None, checkpoint: Path | None = None,
        name: str = "model", *, memory: Mapping[str, Any] | None = None,
        cache_switching: bool | None = None,
    ) -> StreamPerformer:  # fmt: skip
        """The model as a loop in this process; `values` replace some of the profile's `model:`,
        `memory` of its `memory:`, `cache_switching` its `conversation.cache_switch`.

        Raises ProfileError, CheckpointError, AssemblyError, ScheduleError, StageError.
        """
        from avatar_nodes.conducting.build import PromptEncoder
        from avatar_nodes.conducting.settings import FeatureSettings, PromptSettings
        from avatar_nodes.denoising.settings import DenoiserSettings
        from avatar_nodes.evaluation.performers import StreamPerformer
        from avatar_nodes.pipeline.assembly import build_pipeline
        from avatar_nodes.profile.load import with_values
        from avatar_nodes.remembering.settings import MemorySettings

        profile = with_values(self.with_model(values or {}), {"memory": dict(memory or {})})
        model, folder = profile.model, str(checkpoint or self.checkpoint)
        if cache_switching is None:
            cache_switching = profile.conversation.cache_switch
        remembered = MemorySettings.of(profile, checkpoint=folder, device="cpu")
        pipeline = build_pipeline(
            [
                DenoiserSettings.of(
                    profile, profile.placement.denoisers[0], checkpoint=folder, compile=False,
                    cuda_graphs=False,
                )
            ],
            self._decoder_settings(profile, folder),
            FeatureSettings(checkpoint=folder),
            remembered if profile.memory.enabled else None,
            aas_from_block=model.aas_from_block if model.adaptive_sink else None,
            cache_switching=cache_switching,
        )  # fmt: skip
        steps = len(model.sigmas) - 1 + (model.kv_cache == "clean")  # which needs a pass more
        encoder = PromptEncoder(PromptSettings(checkpoint=folder, dtype="float32"))
        return StreamPerformer(pipeline, encoder, name=name, evaluations=steps)

    @property
    def film(self) -> Film:
        """Films clips of the world that is asked for, in the video's size.

        Raises ConfigurationError where lifelike people cannot be drawn.
        """
        from avatar_nodes.world.clips import Clip

        if not self.lifelike:
            return Clip
        from avatar_nodes.errors.configuration_error import ConfigurationError

        video = self.profile.video
        if video.width != video.height:
            raise ConfigurationError(
                f"lifelike people are filmed in squares, not in {video.width}x{video.height}"
            )
        try:
            from avatar_nodes.world.people.clips import PeopleClip
        except ImportError as error:
            raise ConfigurationError(
                f"lifelike people need requirements/training.txt: {error}"
            ) from error

        def film(spec: ClipSpec, *, speech: Speech | None = None) -> Clip:
            return PeopleClip(spec, speech=speech, size=video.width)

        return film

    @property
    def timing(self) -> BlockTiming:
        """How long the checkpoint's frames and blocks last. Raises TimingError."""
        from avatar_nodes.block.timing import BlockTiming

        return BlockTiming.read(self.checkpoint)

    def reach(self) -> tuple[int, int, int]:
        """The stream's reach without long memory: past blocks; blocks by which memory is behind;
        latent frames in short memory. Raises CheckpointError, AssemblyError."""
        from avatar_nodes.model.read_config import read_config

        memory, trained = self.profile.memory, read_config(self.checkpoint).memory
        as_trained = 0 if trained is None else trained.short
        short = as_trained if memory.short < 0 else memory.short
        return self.profile.model.past_blocks, memory.lag, short

    def with_model(self, values: Mapping[str, Any]) -> Profile:
        """The profile with some values of its section `model` replaced, all steps in one stage.

        Raises ProfileError.
        """
        from avatar_nodes.profile.load import with_values

        steps = len(values.get("sigmas", self.profile.model.sigmas)) - 1
        placement = {"denoisers": [{"steps": list(range(steps))}]}
        return with_values(self.profile, {"model": dict(values), "placement": placement})

    def teachers(
        self, folder: Path | None, steps: int, blocks: int, guidance: tuple[float, float]
    ) -> list[Performer]:
        """The teacher of `teacher_options`, or nothing. Raises CheckpointError."""
        if folder is None:
            return []
        from avatar_nodes.evaluation.performers import TeacherPerformer
        from avatar_nodes.world.clips import SIZE

        audio, text = guidance
        return [
            TeacherPerformer(
                folder, self.checkpoint / "vae", blocks=blocks, steps=steps, audio_guidance=audio,
                text_guidance=text, scale=max(1, self.profile.video.width // SIZE),
            )
        ]  # fmt: skip

    def decoder(
        self, checkpoint: Path | None = None, *, drawn_alone: bool = False
    ) -> StreamingDecoder:
        """A decoder of its own, beside the pipeline's; of the checkpoint under test by default.
        drawn_alone: it does without the reference picture.

        Raises CheckpointError, AssemblyError.
        """
        from avatar_nodes.decoding.build import build_decoder

        settings = self._decoder_settings(self.profile, checkpoint or self.checkpoint)
        return build_decoder(settings, drawn_alone=drawn_alone)

    def _decoder_settings(self, profile: Profile, checkpoint: str | Path) -> DecoderSettings:
        from avatar_nodes.decoding.settings import DecoderSettings

        return DecoderSettings.of(profile, checkpoint=str(checkpoint), device="cpu")

    @property
    def judges(self) -> JudgeFolder:
        """The judges' folder; each is read when asked for."""
        from avatar_nodes.judging.judge_folder import JudgeFolder

        folder = self._options.judges or self.checkpoint / "judges"
        return JudgeFolder(folder, lifelike=self.lifelike)

    def print(self, figures: Mapping[str, Any], table: str) -> None:
        """Print a Markdown table and what is missing; write the JSON file if one is asked for."""
        from avatar_nodes.evaluation.report import not_measured, write_json

        click.echo(table)
        if figures.get("not_measured"):
            click.echo("\n" + not_measured(figures))
        if self._options.json_file is not None:
            write_json(self._options.json_file, figures)


def tell(line: str) -> None:
    """Progress goes to stderr, so that stdout is the table alone."""
    click.echo(line, err=True)


def evaluation_errors() -> AbstractContextManager[None]:
    """Turn the errors that a user can cause into `Error: ...`."""
    from avatar_nodes.block.schedule import ScheduleError
    from avatar_nodes.block.timing import TimingError
    from avatar_nodes.denoising.stage import StageError
    from avatar_nodes.errors.configuration_error import ConfigurationError
    from avatar_nodes.judging.footage import JudgeError
    from avatar_nodes.judging.recordings import RecordingsError
    from avatar_nodes.model.checkpoint import CheckpointError
    from avatar_nodes.model.device import AssemblyError
    from avatar_nodes.speaking.synthesis.espeak_library import SpeechError
    from avatar_nodes.speaking.synthesis.synthesiser import SynthesisError

    return plain_errors(
        TimingError, JudgeError, CheckpointError, AssemblyError, ScheduleError, StageError,
        RecordingsError, SpeechError, SynthesisError, ConfigurationError,
    )  # fmt: skip

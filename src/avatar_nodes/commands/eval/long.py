"""`avatar eval long`: hours of video, measured at their start and at their end."""

from __future__ import annotations

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    eval_options,
    evaluation_errors,
    tell,
)


@click.command("long")
@eval_options
@click.option(
    "--seconds",
    type=click.FloatRange(10.08),
    default=10_000.0,
    show_default=True,
    help="Length of the stream in seconds of video.",
)
@click.option("--person", type=click.IntRange(0, 20), default=0, help="Which of the test people.")
def command(shared: EvalOptions, seconds: float, person: int) -> None:
    """Does it hold for hours: the same ten seconds at 0, 100, 1,000 and 10,000 s.

    Nothing is stored, and only the measured segments are decoded; `block_ms` is the time to denoise
    a block, over the first and the last hundred blocks.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.long_run import (
            SEGMENT_BLOCKS,
            LongRun,
            segment_starts,
        )
        from avatar_nodes.evaluation.long_speech import LongSpeech
        from avatar_nodes.evaluation.report import markdown_figures, markdown_rows
        from avatar_nodes.judging.footage import JudgeError

        under_test = ModelUnderTest(shared)
        model, missing = under_test.stream(), {}
        identity, sync = None, None
        try:
            identity, sync = under_test.judges.identity(), under_test.judges.sync()
        except JudgeError as error:
            missing["identity, sync_c, sync_d"] = str(error)
        tell("preparing ten minutes of speech")
        timing = under_test.timing
        speech = LongSpeech(
            SEGMENT_BLOCKS, minutes=min(10.0, seconds / 60), seed=person, timing=timing
        )
        run = LongRun(model, under_test.decoder(), speech, identity=identity, sync=sync)
        figures = run.run(
            segment_starts(seconds, timing.block_s),
            blocks=round(seconds / timing.block_s),
            tell=tell,
        )
    figures["not_measured"] = missing
    rows = {f"{s['start_s']:.0f} s": s for s in figures["segments"]}
    table = markdown_rows("segment", rows) + "\n\n" + markdown_figures(figures)
    under_test.print(figures, table)

"""`avatar eval actions`: do prompted actions happen, in wordings that training never saw."""

from __future__ import annotations

from pathlib import Path

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    eval_options,
    evaluation_errors,
    split_option,
    teacher_options,
    tell,
    world_option,
)


@click.command("actions")
@eval_options
@click.option(
    "--people",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="People by whom every action is performed, in clips of 5.8 s.",
)
@split_option
@world_option
@teacher_options
def command(
    shared: EvalOptions, people: int, split: str, world: str, teacher: Path | None,
    teacher_steps: int, teacher_blocks: int, teacher_guidance: tuple[float, float],
) -> None:  # fmt: skip
    """Does the prompted action happen, when does it begin, and does it end.

    A recogniser trained on truth names the action from the pixels. `begins`: share of the gestures
    that come at all; `ends`: share at rest from a second after their prompt is gone.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.actions import evaluate_actions
        from avatar_nodes.evaluation.performers import StillPerformer, TruthPerformer
        from avatar_nodes.evaluation.report import markdown_figures, markdown_rows

        under_test = ModelUnderTest(shared, world)
        judge = under_test.judges.actions()
        model = under_test.stream()
        others = under_test.teachers(teacher, teacher_steps, teacher_blocks, teacher_guidance)
        others += [TruthPerformer(), StillPerformer()]
        figures = evaluate_actions(
            [model, *others], judge, people=people, split=split, timing=under_test.timing,
            film=under_test.film, tell=tell,
        )  # fmt: skip
    rows = {model.name: figures, **figures["baselines"]}
    columns = figures["baselines"]["truth"].keys()
    table = markdown_rows("system", {n: {k: row[k] for k in columns} for n, row in rows.items()})
    actions = markdown_figures({"chance": figures["chance"], **figures["per_action"]})
    under_test.print(figures, f"{table}\n\n{actions}")

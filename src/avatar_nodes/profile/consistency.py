"""Checks what the sections of a profile must agree on, beyond the range of each value."""

from __future__ import annotations

from collections.abc import Iterator

from avatar_nodes.profile.problem import KeyPath, Problem
from avatar_nodes.profile.schema import Profile


def inconsistencies(profile: Profile) -> list[Problem]:
    """Every disagreement between values that are each right by themselves."""
    return [
        *_timing_of_the_model(profile),
        *_steps_covered_once_in_order(profile),
        *_clean_cache_in_one_denoiser(profile),
        *_sink_moves_if_drawn(profile),
        *_a_still_to_begin_with(profile),
        *_offloading_saves_memory(profile),
        *_each_node_in_one_process(profile),
        *_delays_in_order(profile),
    ]


def _timing_of_the_model(profile: Profile) -> Iterator[Problem]:
    checkpoint, timing = profile.model.checkpoint, profile.timing
    if profile.video.fps != timing.frame_rate:
        wanted = f"{timing.frame_rate} ({checkpoint})"
        yield Problem(("video", "fps"), wanted, profile.video.fps)
    if profile.audio.sample_rate != timing.sample_rate:
        wanted = f"{timing.sample_rate} ({checkpoint})"
        yield Problem(("audio", "sample_rate"), wanted, profile.audio.sample_rate)


def _steps_covered_once_in_order(profile: Profile) -> Iterator[Problem]:
    denoisers = profile.placement.denoisers
    owned = [step for denoiser in denoisers for step in denoiser.steps]
    if owned != list(range(profile.num_steps)):
        yield Problem(
            ("placement", "denoisers"),
            f"steps 0 to {profile.num_steps - 1} (model.sigmas has {profile.num_steps} steps),"
            " each once and in order, over all denoisers",
            [denoiser.steps for denoiser in denoisers],
        )


def _clean_cache_in_one_denoiser(profile: Profile) -> Iterator[Problem]:
    denoisers = profile.placement.denoisers
    if profile.model.kv_cache == "clean" and len(denoisers) > 1:
        yield Problem(
            ("placement", "denoisers"),
            "one denoiser that takes every step (model.kv_cache is clean)",
            [denoiser.steps for denoiser in denoisers],
        )


def _sink_moves_if_drawn(profile: Profile) -> Iterator[Problem]:
    model = profile.model
    if model.nearest_sink and not model.rolling_rope:
        wanted = "0 where the sink stays behind (model.rolling_rope is false)"
        yield Problem(("model", "nearest_sink"), wanted, model.nearest_sink)


def _a_still_to_begin_with(profile: Profile) -> Iterator[Problem]:
    model = profile.model
    if model.decoder_start == "still" and not model.motion_tokens:
        wanted = "reference, or model.motion_tokens true, whose latents it begins with"
        yield Problem(("model", "decoder_start"), wanted, model.decoder_start)


def _offloading_saves_memory(profile: Profile) -> Iterator[Problem]:
    if 0 < profile.model.offload_layers <= 2:
        yield Problem(
            ("model", "offload_layers"),
            "0, or more than the 2 layers that are on the device at a time",
            profile.model.offload_layers,
        )
    elif profile.model.offload_layers and profile.model.cuda_graphs:
        yield Problem(
            ("model", "cuda_graphs"),
            "false where offload_layers brings weights anew in every pass: a recording would not",
            True,
        )


def _each_node_in_one_process(profile: Profile) -> Iterator[Problem]:
    names = profile.node_names
    home: dict[str, str] = {}
    for process, nodes in profile.placement.processes.items():
        here: KeyPath = ("placement", "processes", process)
        if process in names and process not in nodes:
            yield Problem(here, "a name that is not another node's", process)
        for index, node in enumerate(nodes):
            if node not in names:
                yield Problem((*here, index), f"one of {', '.join(names)}", node)
            elif node in home:
                yield Problem(
                    (*here, index), f"each node once ({node} is in process {home[node]})", node
                )
            home.setdefault(node, process)


def _delays_in_order(profile: Profile) -> Iterator[Problem]:
    restart = profile.restart
    if restart.max_delay_s < restart.delay_s:
        yield Problem(
            ("restart", "max_delay_s"),
            f"at least restart.delay_s ({restart.delay_s})",
            restart.max_delay_s,
        )

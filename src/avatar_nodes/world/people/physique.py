"""Samples the shape of a body and a face: how features vary between people."""

from __future__ import annotations

import numpy as np

from avatar_nodes.world.people.assets import Physique

# Local changes of the body by region: their standard deviation, their limit, their names.
_VARIATION: tuple[tuple[float, float, str], ...] = (
    (0.20, 0.5, """nose-nostrils-angle-up nose-flaring-incr nose-curve-convex nose-scale-depth-incr
        nose-scale-vert-incr nose-point-width-incr nose-scale-horiz-incr nose-width1-incr
        nose-trans-up nose-hump-incr nose-nostrils-width-incr nose-greek-incr nose-point-up
        nose-width2-incr nose-width3-incr nose-septumangle-incr nose-base-up nose-volume-incr"""),
    (0.17, 0.4, """mouth-lowerlip-height-incr mouth-scale-horiz-incr mouth-cupidsbow-incr
        mouth-laugh-lines-out mouth-lowerlip-volume-incr mouth-upperlip-ext-up
        mouth-lowerlip-width-incr mouth-upperlip-width-incr mouth-scale-vert-incr
        mouth-dimples-out mouth-upperlip-height-incr mouth-upperlip-volume-incr
        mouth-cupidsbow-width-incr mouth-lowerlip-ext-up mouth-upperlip-middle-up
        mouth-lowerlip-middle-up mouth-philtrum-volume-incr"""),
    (0.10, 0.25, "mouth-trans-up mouth-scale-depth-incr"),
    (0.25, 0.6, """chin-jaw-drop-incr chin-height-incr chin-prominent-incr chin-bones-incr
        chin-width-incr chin-cleft-incr l-cheek-trans-up l-cheek-volume-incr l-cheek-inner-incr
        l-cheek-bones-incr head-fat-incr"""),
    (0.12, 0.3, "chin-prognathism-incr forehead-nubian-incr neck-double-incr"),
    (0.18, 0.4, """forehead-scale-vert-incr head-scale-vert-incr head-scale-depth-incr
        head-scale-horiz-incr forehead-temple-incr"""),
    (0.13, 0.35, """l-ear-lobe-incr l-ear-shape-round l-ear-trans-up l-ear-scale-vert-incr
        l-ear-flap-incr l-ear-shape-triangle l-ear-scale-incr l-ear-scale-depth-incr
        l-ear-wing-incr eyebrows-angle-up eyebrows-trans-up"""),
    (0.09, 0.25, """l-eye-corner1-up l-eye-height1-incr l-eye-scale-incr l-eye-push1-out
        l-eye-eyefold-up l-eye-height3-incr l-eye-height2-incr l-eye-bag-incr l-eye-push2-out
        l-eye-bag-height-incr l-eye-epicanthus-out l-eye-eyefold-angle-up l-eye-bag-out
        l-eye-corner2-up"""),
    (0.11, 0.3, """measure-neck-circ-incr measure-neck-height-incr neck-scale-depth-incr
        neck-back-scale-depth-incr neck-scale-horiz-incr neck-scale-vert-incr neck-trans-up"""),
)  # fmt: skip
# What everybody has more of than the average body: open eyes, friendly brows and mouths.
_ADDED = {
    "l-eye-scale-incr": 0.26,
    "l-eye-height1-incr": 0.16,
    "l-eye-height2-incr": 0.18,
    "l-eye-height3-incr": 0.14,
    "eyebrows-trans-up": 0.16,
    "eyebrows-angle-up": 0.08,
}


def sample_physique(
    rng: np.random.Generator, feminine: bool, age: float, faces: tuple[float, float, float]
) -> Physique:
    """A body of this age (0 young .. 1 old); faces: weights of african, asian, caucasian."""
    race = 0.75 * np.array(faces) + 0.25 * rng.dirichlet(np.array(faces) * 9.0 + 0.15)
    race /= race.sum()
    gender = (0.93 if feminine else 0.07) + rng.normal(0.0, 0.06)
    return Physique(
        gender=float(np.clip(gender, 0.0, 1.0)),
        age=age,
        muscle=float(rng.uniform(0.35, 0.65 if feminine else 0.8)),
        weight=float(np.clip(rng.normal(0.50, 0.13), 0.28, 0.85)),
        race=(float(race[0]), float(race[1]), float(race[2])),
        changes=tuple(sorted(_changes(rng, feminine).items())),
    )


def _changes(rng: np.random.Generator, feminine: bool) -> dict[str, float]:
    """Local changes, the same on both sides but for a trace of asymmetry."""
    changes = {}
    for deviation, limit, names in _VARIATION:
        for name in names.split():
            value = float(np.clip(rng.normal(0.0, deviation), -limit, limit))
            value += _ADDED.get(name, 0.0)
            changes[name] = value
            if name.startswith("l-"):
                changes["r-" + name[2:]] = value * float(rng.uniform(0.92, 1.08))
    changes["mouth-angles-up"] = float(rng.uniform(0.05, 0.35))
    changes["torso-scale-horiz-incr"] = -0.22 if feminine else -0.12
    changes["measure-shoulder-dist-incr"] = -0.25 if feminine else -0.20
    return changes

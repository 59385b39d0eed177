"""Samples a person: body, face, hair, clothes, room, light and how they are framed."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from avatar_nodes.world.people.assets import Physique
from avatar_nodes.world.people.physique import sample_physique

Colour = tuple[float, float, float]
"""sRGB, 0..1."""

GARMENTS = ("tee", "vneck", "sweater", "turtleneck", "shirt", "blazer")
PATTERNS = ("plain", "stripes", "checks", "dots", "knit", "melange")
LONG = ("long", "wavy", "bob", "lob", "fringe")
TIED = ("bun", "ponytail")
SHORT = ("short", "swept", "side", "crop", "pixie")
CURLED = ("curly", "afro", "coils")
BARE = ("bald", "buzz")
COVERS = ("none", "beanie", "scarf")
BEARDS = ("none", "stubble", "full", "goatee", "moustache")

# Origins: weights of the three faces; places in SKINS, HAIRS and IRISES that go with them.
_ORIGINS: dict[str, tuple[tuple[float, float, float], tuple[int, ...], tuple[int, ...], int]] = {
    "african": ((0.88, 0.04, 0.08), (5, 6, 7), (0, 0, 1), 1),
    "asian": ((0.03, 0.90, 0.07), (1, 2, 2), (0, 0, 1), 2),
    "european": ((0.03, 0.05, 0.92), (0, 1, 1), (1, 2, 3, 4, 5, 6), 6),
    "latin": ((0.16, 0.28, 0.56), (2, 3, 4), (0, 1, 2), 3),
    "indian": ((0.22, 0.22, 0.56), (3, 4, 5), (0, 0, 1), 2),
    "mixed": ((0.40, 0.18, 0.42), (3, 4, 5), (0, 1, 2), 3),
}
_ORIGIN_SHARES = (0.18, 0.19, 0.28, 0.13, 0.14, 0.08)
SKINS: tuple[Colour, ...] = (
    (0.855, 0.685, 0.59), (0.83, 0.65, 0.54), (0.79, 0.605, 0.48), (0.73, 0.54, 0.415),
    (0.66, 0.475, 0.355), (0.56, 0.39, 0.29), (0.455, 0.305, 0.225), (0.365, 0.245, 0.185),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.075, 0.06, 0.055), (0.14, 0.095, 0.07), (0.25, 0.16, 0.10), (0.37, 0.24, 0.145),
    (0.50, 0.38, 0.25), (0.66, 0.54, 0.37), (0.45, 0.22, 0.12),
)  # fmt: skip
_GREY: tuple[Colour, ...] = ((0.56, 0.55, 0.54), (0.80, 0.79, 0.77), (0.40, 0.38, 0.37))
IRISES: tuple[Colour, ...] = (
    (0.10, 0.048, 0.022), (0.17, 0.085, 0.032), (0.22, 0.14, 0.055), (0.15, 0.19, 0.09),
    (0.12, 0.22, 0.33), (0.21, 0.28, 0.31),
)  # fmt: skip


@dataclass(frozen=True)
class Framing:
    """How the camera sees them: height of the picture at the face [m], angles [radians].

    turn: how far the body is turned from the camera; above: how far the camera looks down; offset:
    place of the person, -1..1 of the picture's half width.
    """

    height: float
    turn: float
    above: float
    offset: float


@dataclass(frozen=True)
class Light:
    """Where the main light stands [radians from the camera, and up], warmth -1..1, strengths."""

    aside: float
    up: float
    warmth: float
    key: float
    fill: float
    rim: float


@dataclass(frozen=True)
class Camera:
    """What the camera adds: noise (deviation in levels), gain per channel, contrast, softness."""

    noise: float
    balance: Colour
    contrast: float
    softness: float
    quality: int


@dataclass(frozen=True)
class Identity:
    """One person in one room. Lengths in metres, colours sRGB 0..1."""

    seed: int
    feminine: bool
    physique: Physique
    skin: Colour
    hair: Colour
    brows: Colour
    brow_weight: float
    style: str
    cover: str
    parting: float
    hairline: float
    temples: float
    length: float
    iris: Colour
    beard: str
    glasses: str
    earrings: str
    freckles: float
    lipstick: float
    eyeliner: float
    wrinkles: float
    garment: str
    pattern: str
    neck: tuple[float, float, float, float]
    colours: tuple[Colour, Colour, Colour]
    cover_colour: Colour
    room: str
    framing: Framing
    light: Light
    camera: Camera

    @staticmethod
    def sample(seed: int) -> Identity:
        """The person of this seed; the same seed is the same person for ever."""
        rng = np.random.default_rng([seed, 0x9E0])
        feminine = bool(rng.random() < 0.5)
        origin = str(rng.choice(tuple(_ORIGINS), p=_ORIGIN_SHARES))
        faces, skins, hairs, irises = _ORIGINS[origin]
        age = float(rng.uniform(0.55, 0.92) if rng.random() < 0.20 else rng.uniform(0.0, 0.42))
        skin = _shifted(SKINS[int(rng.choice(skins))], rng, 0.03)
        hair = HAIRS[int(rng.choice(hairs))]
        dyed = feminine and rng.random() < 0.10
        if dyed:
            hair = HAIRS[int(rng.integers(2, len(HAIRS)))]
        if age > 0.5 and rng.random() < 0.75:
            hair = _GREY[int(rng.integers(len(_GREY)))]
        style = _style(rng, origin, feminine, age)
        cover = str(rng.choice(COVERS, p=_cover_shares(feminine)))
        garment = str(rng.choice(GARMENTS, p=(0.20, 0.14, 0.19, 0.09, 0.19, 0.19)))
        if cover == "scarf" and garment in ("shirt", "blazer"):
            garment = "sweater"  # a collar would lie above the scarf
        colours = _colours(rng, garment)
        beards = (1.0, 0, 0, 0, 0) if feminine else (0.46, 0.24, 0.17, 0.07, 0.06)
        brows = tuple(0.8 * c for c in hair) if max(hair) < 0.4 else tuple(0.6 * c for c in hair)
        return Identity(
            seed=seed,
            feminine=feminine,
            physique=sample_physique(rng, feminine, age, faces),
            skin=skin,
            hair=_shifted(hair, rng, 0.06),
            brows=(brows[0], brows[1], brows[2]),
            brow_weight=float(rng.uniform(0.75, 1.15) if feminine else rng.uniform(1.0, 1.5)),
            style=style,
            cover=cover,
            parting=float(rng.choice((-0.03, -0.015, 0.0, 0.02, 0.03))),
            hairline=float(rng.normal(0.0, 0.003) - (0.005 if feminine else 0.0)),
            temples=0.0 if feminine else float(abs(rng.normal(0.0, 0.006)) + 0.010 * (age > 0.5)),
            length=float(rng.uniform(0.85, 1.15)),
            iris=IRISES[int(rng.integers(irises))],
            beard=str(rng.choice(BEARDS, p=beards)),
            glasses=str(
                rng.choice(("none", "round", "square", "thin"), p=(0.76, 0.08, 0.08, 0.08))
            ),
            earrings=str(rng.choice(("none", "studs", "hoops"), p=(0.55, 0.28, 0.17)))
            if feminine
            else "none",
            freckles=float(max(0.0, rng.normal(-0.3, 0.5))) if max(skins) < 5 else 0.0,
            lipstick=float(rng.uniform(0.1, 0.9)) if feminine else 0.0,
            eyeliner=float(rng.uniform(0.1, 0.9)) if feminine else 0.0,
            wrinkles=float(np.clip((age - 0.25) * 1.4, 0.0, 1.0)),
            garment=garment,
            pattern=_pattern(rng, garment),
            neck=_neck(rng, garment),
            colours=colours,
            cover_colour=_shifted(_CLOTHS[int(rng.integers(len(_CLOTHS)))], rng, 0.08),
            room=str(
                rng.choice(("studio", "home", "office", "evening"), p=(0.28, 0.34, 0.28, 0.10))
            ),
            framing=Framing(
                height=float(rng.choice((0.45, 0.49, 0.54, 0.62), p=(0.3, 0.35, 0.2, 0.15))),
                turn=float(np.clip(rng.normal(0.0, 0.12), -0.3, 0.3)),
                above=float(np.clip(rng.normal(0.02, 0.04), -0.06, 0.12)),
                offset=float(np.clip(rng.normal(0.0, 0.04), -0.1, 0.1)),
            ),
            light=Light(
                aside=float(rng.uniform(0.30, 0.95) * rng.choice((-1.0, 1.0))),
                up=float(rng.uniform(0.30, 0.75)),
                warmth=float(rng.uniform(-1.0, 1.0)),
                key=float(rng.uniform(0.82, 1.08)),
                fill=float(rng.uniform(0.7, 1.4)),
                rim=float(rng.uniform(0.3, 1.2)),
            ),
            camera=Camera(
                noise=float(rng.uniform(0.0, 2.0)),
                balance=_gains(rng),
                contrast=float(rng.uniform(0.94, 1.08)),
                softness=float(max(0.0, rng.uniform(-0.4, 0.6))),
                quality=int(rng.integers(70, 98)) if rng.random() < 0.6 else 100,
            ),
        )


def _style(rng: np.random.Generator, origin: str, feminine: bool, age: float) -> str:
    styles: tuple[str, ...]
    if feminine:
        styles = (*LONG, *TIED, "pixie", "curly", "short")
        shares = np.array((0.16, 0.16, 0.13, 0.12, 0.08, 0.11, 0.09, 0.05, 0.07, 0.03))
        if age > 0.5:
            shares = np.array((0.04, 0.08, 0.22, 0.10, 0.05, 0.14, 0.04, 0.16, 0.10, 0.07))
    else:
        styles = ("short", "swept", "side", "crop", "buzz", "bald", "curly", "lob")
        shares = np.array((0.20, 0.16, 0.17, 0.15, 0.12, 0.07, 0.09, 0.04))
        if age > 0.5:
            shares = np.array((0.22, 0.10, 0.22, 0.14, 0.10, 0.18, 0.03, 0.01))
    style = str(rng.choice(styles, p=shares / shares.sum()))
    if origin == "african" and style not in ("bun", "ponytail", "bald", "buzz", "crop"):
        style = str(rng.choice(("afro", "coils", "curly", "buzz" if not feminine else "bun")))
    return style


def _cover_shares(feminine: bool) -> tuple[float, ...]:
    return (0.86, 0.03, 0.11) if feminine else (0.94, 0.06, 0.0)


def _neck(rng: np.random.Generator, garment: str) -> tuple[float, float, float, float]:
    """Where a garment ends: along the sleeve (1 elbow, 2 wrist), collar up, depth, width of a V."""
    sleeve, collar, depth, width = {
        "tee": (rng.uniform(0.45, 0.75), rng.uniform(-0.012, 0.004), 0.1, 0.05),
        "vneck": (rng.choice((0.6, 1.9)), 0.0, rng.uniform(0.06, 0.10), 0.045),
        "sweater": (1.93, rng.uniform(-0.006, 0.006), 0.1, 0.05),
        "turtleneck": (1.93, 0.065, 0.1, 0.05),
        "blazer": (1.9, 0.0, 0.20, 0.060),
        "shirt": (rng.choice((1.92, 1.92, 0.7)), 0.018, rng.uniform(0.05, 0.085), 0.020),
    }[garment]
    return float(sleeve), float(collar), float(depth), float(width)


def _pattern(rng: np.random.Generator, garment: str) -> str:
    shares = {
        "sweater": (0.25, 0.15, 0.02, 0.0, 0.38, 0.20),
        "turtleneck": (0.40, 0.05, 0.0, 0.0, 0.45, 0.10),
        "blazer": (0.6, 0.0, 0.0, 0.0, 0.0, 0.4),
        "shirt": (0.55, 0.20, 0.18, 0.07, 0.0, 0.0),
    }.get(garment, (0.55, 0.17, 0.03, 0.08, 0.0, 0.17))
    return str(rng.choice(PATTERNS, p=shares))


_CLOTHS: tuple[Colour, ...] = (
    (0.13, 0.15, 0.20), (0.17, 0.23, 0.34), (0.10, 0.10, 0.11), (0.30, 0.32, 0.35),
    (0.48, 0.50, 0.52), (0.34, 0.16, 0.18), (0.22, 0.29, 0.25), (0.29, 0.32, 0.24),
    (0.21, 0.33, 0.36), (0.26, 0.34, 0.44), (0.40, 0.31, 0.25), (0.34, 0.24, 0.32),
    (0.87, 0.87, 0.86), (0.85, 0.81, 0.73), (0.78, 0.71, 0.60), (0.70, 0.76, 0.82),
    (0.80, 0.70, 0.68), (0.66, 0.72, 0.66), (0.68, 0.56, 0.38), (0.58, 0.37, 0.32),
    (0.55, 0.61, 0.69), (0.60, 0.55, 0.63),
)  # fmt: skip
_JACKETS = 12  # the first of them, dark enough for a jacket


def _colours(rng: np.random.Generator, garment: str) -> tuple[Colour, Colour, Colour]:
    """Garment, its second colour (pattern, ribs, shirt under a jacket), tie and buttons."""
    count = _JACKETS if garment == "blazer" else len(_CLOTHS)
    first = _shifted(_CLOTHS[int(rng.integers(count))], rng, 0.10)
    light = sum(first) > 1.5
    choice = _CLOTHS[:_JACKETS] if light else _CLOTHS[_JACKETS:]
    second = _shifted(choice[int(rng.integers(len(choice)))], rng, 0.05)
    if garment == "blazer":
        second = (0.93, 0.93, 0.92) if rng.random() < 0.6 else _hsv(0.6, 0.15, 0.85)
    third = _hsv(float(rng.choice((0.0, 0.6, 0.58, 0.95, 0.4))), 0.5, 0.32)
    return first, second, third


def _gains(rng: np.random.Generator) -> Colour:
    red, blue = rng.normal(0.0, 0.025, 2)
    return float(1.0 + red), 1.0, float(1.0 + blue)


def _shifted(colour: Colour, rng: np.random.Generator, deviation: float) -> Colour:
    light = float(np.exp(rng.normal(0.0, deviation)))
    values = np.clip(np.array(colour) * light * np.exp(rng.normal(0.0, deviation / 3, 3)), 0.0, 1.0)
    return float(values[0]), float(values[1]), float(values[2])


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    return colorsys.hsv_to_rgb(float(hue) % 1.0, float(saturation), float(value))

"""Samples a person: everything about them that stays the same while they talk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]
"""RGB, 0..255."""

SKINS: tuple[Colour, ...] = (
    (255, 224, 200),
    (250, 212, 184),
    (243, 200, 166),
    (234, 186, 148),
    (222, 170, 130),
    (205, 150, 110),
    (184, 128, 90),
    (160, 108, 76),
    (138, 92, 66),
    (118, 80, 60),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    (38, 32, 34),
    (58, 42, 36),
    (84, 58, 42),
    (112, 74, 46),
    (146, 98, 56),
    (188, 140, 78),
    (222, 184, 112),
    (168, 84, 44),
    (196, 108, 58),
    (150, 150, 156),
    (206, 206, 210),
    (64, 62, 88),
)
HAIR_STYLES: tuple[str, ...] = (
    "short",
    "side_part",
    "curly",
    "long",
    "bob",
    "bun",
    "bald",
    "quiff",
    "ponytail",
    "afro",
)
EYE_COLOURS: tuple[Colour, ...] = (
    (74, 52, 38),
    (104, 72, 44),
    (66, 104, 72),
    (72, 112, 156),
    (96, 120, 134),
    (50, 40, 36),
)
GLASSES: tuple[str, ...] = ("none", "none", "none", "round", "square")
FACIAL_HAIR: tuple[str, ...] = ("none", "none", "none", "stubble", "beard", "moustache")
CLOTHES: tuple[str, ...] = ("tshirt", "shirt", "jacket", "hoodie", "sweater")
PATTERNS: tuple[str, ...] = ("plain", "plain", "stripes", "band", "dots")
BACKGROUNDS: tuple[str, ...] = (
    "gradient",
    "plain",
    "shelves",
    "window",
    "circle",
    "panels",
    "plant",
)

# Background wall, garment, second garment colour: chosen together so that they sit well side by
# side.
PALETTES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((206, 222, 232), (46, 84, 124), (236, 240, 244)),
    ((236, 222, 204), (86, 122, 98), (248, 244, 236)),
    ((214, 228, 214), (216, 120, 84), (250, 240, 228)),
    ((226, 214, 232), (88, 78, 138), (244, 240, 250)),
    ((246, 220, 190), (44, 110, 122), (250, 246, 238)),
    ((196, 216, 218), (232, 168, 72), (252, 248, 238)),
    ((238, 210, 206), (72, 86, 110), (250, 240, 238)),
    ((186, 204, 190), (62, 78, 72), (232, 236, 226)),
    ((218, 218, 224), (58, 62, 74), (212, 220, 232)),
    ((250, 230, 176), (62, 110, 160), (250, 250, 246)),
    ((176, 204, 226), (240, 236, 228), (82, 110, 140)),
    ((230, 226, 214), (150, 122, 94), (246, 240, 230)),
    ((92, 116, 138), (226, 216, 200), (92, 132, 150)),
    ((76, 100, 96), (232, 190, 116), (246, 238, 222)),
    ((112, 98, 128), (206, 214, 234), (128, 112, 160)),
    ((200, 224, 208), (124, 88, 140), (242, 236, 246)),
)


@dataclass(frozen=True)
class Identity:
    """One person and their room. Sizes in pixels of the 256x256 picture; colours RGB."""

    seed: int
    skin: Colour
    lips: Colour
    hair: Colour
    hair_style: str
    eyes: Colour
    brow_weight: float
    brow_tilt: float
    glasses: str
    glasses_colour: Colour
    facial_hair: str
    clothes: str
    pattern: str
    wall: Colour
    garment: Colour
    accent: Colour
    background: str
    background_seed: int
    head_width: float
    head_height: float
    jaw: float
    eye_gap: float
    eye_size: float
    nose: float
    mouth_width: float
    shoulder: float

    @staticmethod
    def sample(seed: int) -> Identity:
        """The person of this seed; the same seed is the same person for ever."""
        rng = np.random.default_rng([seed, 0x1D])
        skin = SKINS[rng.integers(len(SKINS))]
        hair_style = str(rng.choice(HAIR_STYLES))
        feminine = hair_style in ("long", "bob", "bun", "ponytail")
        facial_hair = "none" if feminine else str(rng.choice(FACIAL_HAIR))
        dark = sum(skin) < 400
        hair = HAIR_COLOURS[rng.integers(4 if dark else len(HAIR_COLOURS))]
        wall, garment, accent = PALETTES[rng.integers(len(PALETTES))]
        frames = ((40, 40, 48), (92, 64, 48), (60, 74, 108), (44, 92, 92))
        return Identity(
            seed=seed,
            skin=skin,
            lips=_lips(skin, feminine, rng),
            hair=hair,
            hair_style=hair_style,
            eyes=EYE_COLOURS[rng.integers(2 if dark else len(EYE_COLOURS))],
            brow_weight=float(rng.uniform(2.6, 4.4)) - 0.5 * feminine,
            brow_tilt=float(rng.uniform(-1.8, 0.5)),
            glasses=str(rng.choice(GLASSES)),
            glasses_colour=frames[rng.integers(len(frames))],
            facial_hair=facial_hair,
            clothes=str(rng.choice(CLOTHES)),
            pattern=str(rng.choice(PATTERNS)),
            wall=_vary(wall, rng),
            garment=_vary(garment, rng),
            accent=accent,
            background=str(rng.choice(BACKGROUNDS)),
            background_seed=int(rng.integers(1 << 30)),
            head_width=float(rng.uniform(39.5, 44.5)),
            head_height=float(rng.uniform(51.5, 56.0)),
            jaw=float(rng.uniform(0.10, 0.30)),
            eye_gap=float(rng.uniform(16.0, 18.5)),
            eye_size=float(rng.uniform(0.92, 1.12)),
            nose=float(rng.uniform(0.85, 1.2)),
            mouth_width=float(rng.uniform(35.0, 39.0)),
            shoulder=float(rng.uniform(60.0, 70.0)),
        )


def _vary(colour: Colour, rng: np.random.Generator) -> Colour:
    values = np.clip(np.array(colour) + rng.integers(-8, 9, 3), 0, 255)
    return int(values[0]), int(values[1]), int(values[2])


def _lips(skin: Colour, strong: bool, rng: np.random.Generator) -> Colour:
    """Rosy, always light enough (red >= 165) to stay apart from the dark inside of the mouth."""
    rose = np.array((214, 92, 100) if strong and rng.random() < 0.6 else (208, 118, 108))
    mixed = 0.55 * rose + 0.45 * np.array(skin)
    red = max(165, int(mixed[0]))
    return red, int(min(mixed[1], red - 42)), int(min(mixed[2], red - 42))

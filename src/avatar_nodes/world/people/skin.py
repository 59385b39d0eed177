"""Paints the skin of a head: cheeks, lips, brows, stubble, freckles, as a texture."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from scipy.ndimage import gaussian_filter, zoom

from avatar_nodes.world.people.assets import ISLAND, TEXTURE_SIZE, Assets
from avatar_nodes.world.people.identity import Colour, Identity
from avatar_nodes.world.people.rotation import smooth_step

# The hairline: height by the angle from the front, in the template's coordinates.
_LINE_ANGLE = (0.0, 0.45, 0.75, 0.95, 1.12, 1.28, 1.38, 1.75, 1.86, 2.2, 3.15)
_LINE_HEIGHT = (0.803, 0.804, 0.797, 0.778, 0.738, 0.728, 0.744, 0.744, 0.70, 0.664, 0.655)


def above_hairline(points: np.ndarray, identity: Identity) -> np.ndarray:
    """Metres by which points [..., 3] of the template lie above where hair begins."""
    angle = np.arctan2(np.abs(points[..., 0]), -(points[..., 1] + 0.045))
    line = np.interp(angle, _LINE_ANGLE, _LINE_HEIGHT)
    line = line + identity.hairline * np.interp(angle, (0, 0.8, 1.1, 3.2), (1, 1, 0, 0))
    line = line + identity.temples * np.interp(
        angle, (0, 0.3, 0.65, 0.95, 3.2), (0.1, 0.3, 1, 0, 0)
    )
    return points[..., 2] - line


class SkinMap:
    """Where on the head each pixel of the texture lies, and what is the same for everybody."""

    def __init__(self, assets: Assets) -> None:
        width, height = TEXTURE_SIZE
        quads, corners = assets.quads("skin")
        uv = assets.uv[corners.ravel()]
        left, bottom, wide, high = ISLAND
        inside = (uv[:, 0] > left) & (uv[:, 1] > bottom) & (uv[:, 1] < bottom + high)
        place = (uv[inside] - (left, bottom)) / (wide, high)
        points = assets.template[quads.ravel()[inside]]
        on_head = points[:, 2] > 0.55
        place, index = np.unique(place[on_head].round(6), axis=0, return_index=True)
        points = points[on_head][index]
        u, v = np.meshgrid((np.arange(width // 2) + 0.5) / (width // 2),
                           (np.arange(height // 2) + 0.5) / (height // 2))  # fmt: skip
        found = LinearNDInterpolator(place, points)(u, v)
        empty = np.isnan(found[..., 0])
        found[empty] = NearestNDInterpolator(place, points)(u[empty], v[empty])
        self.points = np.stack(
            [
                zoom(found[..., axis], 2, order=1, grid_mode=True, mode="nearest")
                for axis in range(3)
            ],
            axis=2,
        ).astype(np.float32)
        self.lips = gaussian_filter(assets.masks["lips"], 1.6)
        self.ears = gaussian_filter(assets.masks["ears"], 5.0)
        self.lids = gaussian_filter(assets.masks["eyelids"], 3.0)
        rng = np.random.default_rng(0)
        self.mottle = [_cloud(rng, (height, width)) for _ in range(3)]
        self.grain = rng.standard_normal((height, width)).astype(np.float32)

    @staticmethod
    @lru_cache(maxsize=1)
    def load() -> SkinMap:
        return SkinMap(Assets.load())

    def pixel(self, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of texture coordinates [n, 2]."""
        left, bottom, wide, high = ISLAND
        width, height = TEXTURE_SIZE
        column = np.clip((uv[:, 0] - left) / wide * (width - 1), 0, width - 1)
        row = np.clip((uv[:, 1] - bottom) / high * (height - 1), 0, height - 1)
        return row.astype(int), column.astype(int)


def _cloud(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    total = np.zeros(shape, np.float32)
    for size, weight in ((4, 0.3), (10, 0.5), (28, 0.8)):
        coarse = rng.standard_normal((shape[0] // size + 2, shape[1] // size + 2))
        total += (weight * zoom(coarse, size, order=1)[: shape[0], : shape[1]]).astype(np.float32)
    return total


class _Paint:
    """Albedo (sRGB) and roughness while they are painted."""

    def __init__(self, skin_map: SkinMap, identity: Identity) -> None:
        self.map, self.identity = skin_map, identity
        self.skin = np.array(identity.skin, np.float32)
        self.light = float(self.skin.mean()) > 0.45
        self.x = np.abs(skin_map.points[..., 0])
        self.y, self.z = skin_map.points[..., 1], skin_map.points[..., 2]
        shape = self.x.shape
        self.albedo = np.ones((*shape, 3), np.float32) * self.skin
        self.rough = np.full(shape, 0.44, np.float32)

    def spot(self, x: float, y: float, z: float, radius: float) -> np.ndarray:
        """A soft ball on both sides."""
        distance = (self.x - x) ** 2 + (self.y - y) ** 2 + (self.z - z) ** 2
        return np.exp(-distance / (2.0 * radius * radius))

    def blend(self, share: np.ndarray, colour: Colour | np.ndarray) -> None:
        share = np.clip(share, 0.0, 1.0)[..., None]
        self.albedo += share * (np.asarray(colour, np.float32) - self.albedo)


def paint(identity: Identity, skin_map: SkinMap) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [1024, 536, 4]: albedo and roughness; and float32 [1024, 536]: where a beard grows."""
    p = _Paint(skin_map, identity)
    _complexion(p)
    _lips(p)
    _brows(p)
    _scalp(p)
    beard = _beard(p)
    levels = np.dstack([p.albedo.clip(0, 1), p.rough.clip(0.1, 0.9)]) * 255.0
    return levels.astype(np.uint8), beard


def _complexion(p: _Paint) -> None:
    identity, mottle, skin = p.identity, p.map.mottle, p.skin
    p.albedo *= (1.0 + 0.022 * mottle[0] + 0.014 * mottle[1] + 0.010 * p.map.grain)[..., None]
    red = skin * (1.0, 0.78, 0.755)
    strength = 0.5 if p.light else 0.28
    varied = np.clip(1.0 + 0.2 * mottle[2], 0.0, 2.0)
    p.blend(strength * 0.55 * p.spot(0.045, -0.128, 0.688, 0.017) * varied, red)
    p.blend(strength * 0.50 * p.spot(0.0, -0.166, 0.693, 0.010), red)
    p.blend(strength * 0.30 * p.spot(0.0, -0.150, 0.628, 0.012), red)
    p.blend(strength * 0.55 * p.map.ears, red)
    tired = 0.22 + 0.22 * identity.wrinkles
    p.blend(tired * p.spot(0.031, -0.137, 0.7135, 0.007), skin * (0.82, 0.70, 0.71))
    p.blend(0.35 * p.map.lids, skin * (0.88, 0.74, 0.70))
    if identity.eyeliner > 0.0:
        shade = 0.5 * identity.eyeliner
        p.blend(shade * p.spot(0.033, -0.136, 0.7395, 0.0075), skin * (0.62, 0.48, 0.46))
    if identity.freckles > 0.0:
        dots = smooth_step(1.5, 2.2, gaussian_filter(p.map.grain, 1.1) * 3.2)
        where = np.clip(p.spot(0.04, -0.135, 0.70, 0.02) + p.spot(0.0, -0.16, 0.70, 0.018), 0, 1)
        p.blend(0.45 * min(1.0, identity.freckles) * dots * where, skin * (0.72, 0.52, 0.40))
    if identity.wrinkles > 0.0:
        _wrinkles(p)
    shine = p.spot(0.0, -0.150, 0.790, 0.035) + p.spot(0.0, -0.165, 0.690, 0.012)
    p.rough = 0.45 + 0.05 * np.clip(mottle[2], -2, 2) - 0.09 * shine


def _wrinkles(p: _Paint) -> None:
    """Faint dark lines: forehead, corners of the eyes, from the nose to the mouth; spots."""
    strength = p.identity.wrinkles
    lines = np.zeros_like(p.x)
    for height, bend in ((0.771, 0.25), (0.779, 0.3), (0.788, 0.35)):
        line = height - bend * p.x**2 * 10 + 0.0007 * p.map.mottle[0]
        lines += smooth_step(0.0012, 0.0, np.abs(p.z - line)) * smooth_step(0.042, 0.02, p.x)
    fold = 0.022 + 0.40 * np.clip(0.687 - p.z, 0.0, 1.0) + 0.0005 * p.map.mottle[1]
    near = smooth_step(0.0022, 0.0, np.abs(p.x - fold))
    lines += near * smooth_step(0.640, 0.652, p.z) * smooth_step(0.690, 0.680, p.z)
    for angle in (-0.35, 0.0, 0.35):
        line = 0.728 + np.tan(angle) * (p.x - 0.050)
        crow = smooth_step(0.0009, 0.0, np.abs(p.z - line))
        lines += 0.8 * crow * smooth_step(0.052, 0.056, p.x) * smooth_step(0.070, 0.062, p.x)
    lines *= p.y < -0.05
    p.blend(0.27 * strength * gaussian_filter(lines, 1.0), p.skin * (0.62, 0.50, 0.46))
    spots = smooth_step(1.2, 2.2, gaussian_filter(p.map.grain[::-1], 2.2) * 6.0)
    p.blend(0.20 * strength * spots, p.skin * (0.78, 0.66, 0.60))


def _lips(p: _Paint) -> None:
    identity = p.identity
    bare = p.skin * (0.86, 0.62, 0.60) * (1.0 if p.light else 1.06)
    made_up = np.array((0.62, 0.24, 0.27)) * (1.0 if p.light else 0.75)
    share = 0.6 * identity.lipstick
    p.blend(0.85 * p.map.lips, (1.0 - share) * bare + share * made_up)
    p.rough = p.rough * (1.0 - p.map.lips) + p.map.lips * (0.26 - 0.10 * identity.lipstick)


def _brows(p: _Paint) -> None:
    identity = p.identity
    thick = 0.0038 * identity.brow_weight
    along = (p.x - 0.012) / 0.042
    arch = 0.7508 + 0.0020 * np.sin(np.clip(along, 0, 1) * 3.0)
    arch = arch - 0.0080 * np.clip(along - 0.6, 0.0, 1.0)
    width = thick * np.interp(along, (-0.1, 0.02, 0.2, 0.6, 1.0, 1.05), (0, 0.62, 1, 0.9, 0.35, 0))
    slant = p.x + p.z * np.interp(along, (0, 1), (0.7, -0.9))
    hairs = 0.5 + 0.5 * np.sin(slant * 2600.0 + 1.3 * p.map.mottle[0])
    inside = smooth_step(1.2, 0.35, np.abs(p.z - arch) / (width + 1e-6)) * (width > 1e-4)
    inside = inside * (p.y < -0.09) * (p.z > 0.70)
    p.blend(inside * (0.55 + 0.45 * hairs) * 0.72 * np.interp(along, (0, 0.3), (0.55, 1.0)),
            identity.brows)  # fmt: skip


def _scalp(p: _Paint) -> None:
    """The colour of hair shines through where it grows, so that no skin is seen between locks."""
    identity = p.identity
    share = {"bald": 0.0, "buzz": 0.74}.get(identity.style, 1.0)
    if identity.cover == "scarf":
        share = 0.0
    if share <= 0.0:
        return
    above = above_hairline(p.map.points, identity)
    soft = smooth_step(-0.003, 0.008, above + 0.0022 * p.map.mottle[0]) * share
    if identity.style == "buzz":
        soft = soft * (0.80 + 0.20 * smooth_step(-0.6, 0.6, p.map.grain))
    soft = soft * np.clip(1.0 - p.map.ears, 0.0, 1.0)
    hair = np.array(identity.hair)
    colour = 0.62 * hair if identity.style != "buzz" else 0.8 * hair + 0.06 * p.skin
    p.blend(soft, colour)
    p.rough = p.rough * (1.0 - soft) + 0.6 * soft


def _beard(p: _Paint) -> np.ndarray:
    """Paint the beard's ground; returns where its hairs grow, 0..1."""
    kind = p.identity.beard
    if kind == "none":
        return np.zeros_like(p.x)
    lip = np.abs(p.z - 0.6755 + 0.10 * np.clip(p.x - 0.012, 0.0, 1.0))
    moustache = smooth_step(0.0085, 0.0045, lip) * smooth_step(0.034, 0.024, p.x) * (p.y < -0.12)
    chin = smooth_step(0.650, 0.641, p.z) * smooth_step(0.036, 0.022, p.x)
    patch = smooth_step(0.006, 0.003, p.x) * smooth_step(0.656, 0.652, p.z) * (p.z > 0.63)
    corners = (
        0.8
        * smooth_step(0.0035, 0.001, np.abs(p.x - 0.0285 - 0.1 * np.abs(p.z - 0.655)))
        * smooth_step(0.676, 0.670, p.z)
    )
    corners = corners * smooth_step(0.630, 0.645, p.z) * (p.y < -0.11)
    line = np.minimum(0.648 + 0.85 * np.clip(p.x - 0.030, 0.0, 1.0), 0.70)
    aside = smooth_step(0.024, 0.032, p.x + 0.5 * np.clip(0.652 - p.z, 0.0, 1.0))
    cheek = smooth_step(-0.005, 0.010, line - p.z) * (p.y < -0.035) * aside
    full = np.maximum.reduce([moustache, chin, cheek, corners])
    where = {
        "stubble": full,
        "full": full,
        "goatee": np.maximum.reduce([moustache, chin * (p.x < 0.03), corners, patch]),
        "moustache": moustache,
    }[kind]
    where = where * (1.0 - np.clip(p.map.lips, 0, 1)) * smooth_step(0.60, 0.62, p.z)
    where = gaussian_filter(where, 4.0)
    amount = {"stubble": 0.30, "full": 0.82, "goatee": 0.80, "moustache": 0.82}[kind]
    speckle = 0.72 + 0.28 * smooth_step(-0.8, 0.8, p.map.grain)
    p.blend(where * amount * speckle, 0.8 * np.array(p.identity.hair) + 0.04 * p.skin)
    p.rough = p.rough * (1.0 - 0.6 * where) + 0.5 * where
    return where

"""Grows hair: overlapping locks that follow the head, fall over the shoulders, curl or stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from avatar_nodes.world.people.assets import Assets
from avatar_nodes.world.people.clothes import beanie
from avatar_nodes.world.people.identity import CURLED, LONG, TIED, Identity
from avatar_nodes.world.people.rotation import smooth_step, unit
from avatar_nodes.world.people.skin import above_hairline


@dataclass(frozen=True)
class Style:
    """How hair is cut. Lengths in metres.

    count: locks; joints: points along each; length, width (half, at the root); lift: how far roots
    stand off (0 flat .. 1 upright); layers: distance between the innermost and the outermost;
    fall: how fast locks turn down; under: thickness of the cushion beneath them.
    """

    count: int
    joints: int
    length: float
    width: float
    lift: float
    layers: float
    fall: float
    under: float


STYLES: dict[str, Style] = {
    "long": Style(430, 15, 0.36, 0.0085, 0.16, 0.015, 0.42, 0.007),
    "wavy": Style(430, 17, 0.30, 0.0085, 0.20, 0.019, 0.38, 0.008),
    "lob": Style(420, 13, 0.235, 0.0085, 0.18, 0.016, 0.46, 0.007),
    "bob": Style(420, 11, 0.17, 0.0085, 0.20, 0.017, 0.46, 0.008),
    "fringe": Style(440, 11, 0.19, 0.0080, 0.20, 0.016, 0.42, 0.007),
    "bun": Style(380, 11, 0.20, 0.0070, 0.05, 0.005, 0.0, 0.005),
    "ponytail": Style(380, 11, 0.20, 0.0070, 0.05, 0.005, 0.0, 0.005),
    "pixie": Style(560, 7, 0.058, 0.0060, 0.18, 0.011, 0.16, 0.008),
    "short": Style(680, 6, 0.036, 0.0058, 0.13, 0.009, 0.12, 0.008),
    "swept": Style(620, 8, 0.064, 0.0066, 0.16, 0.013, 0.10, 0.010),
    "side": Style(560, 7, 0.056, 0.0062, 0.16, 0.011, 0.14, 0.009),
    "crop": Style(700, 5, 0.022, 0.0044, 0.26, 0.006, 0.06, 0.005),
    "curly": Style(620, 19, 0.120, 0.0052, 0.45, 0.024, 0.22, 0.016),
    "coils": Style(1500, 9, 0.024, 0.0034, 0.0, 0.0, 0.0, 0.016),
    "afro": Style(1900, 9, 0.055, 0.0040, 0.0, 0.0, 0.0, 0.040),
    "beanie": Style(200, 4, 0.030, 0.0040, 0.10, 0.003, 0.10, 0.004),
}
PUFFED = ("afro", "coils")
"""Styles that stand off the head by themselves, as a cushion of small curls."""

_NAPE = 0.70  # height in the template below which hair lies close
_SEED = 0x4A


@dataclass(frozen=True)
class Hair:
    """A mesh of locks at rest.

    vertices, along (unit, towards the tip), normals: float32 [n, 3]. across -1..1, share 0 root ..
    1 tip, tone 0..1 of the lock, light 0..1 (how open it lies), chest 0..1 (how far it moves with
    the chest rather than the head), free 0..1 (how far it swings): float32 [n] each. triangles:
    int32 [m, 3].
    """

    vertices: np.ndarray
    along: np.ndarray
    normals: np.ndarray
    across: np.ndarray
    share: np.ndarray
    tone: np.ndarray
    light: np.ndarray
    chest: np.ndarray
    free: np.ndarray
    triangles: np.ndarray


def style_of(identity: Identity) -> str | None:
    """The style that is seen: none under a scarf, or without hair."""
    if identity.cover == "scarf" or identity.style in ("bald", "buzz"):
        return None
    if identity.cover == "beanie":
        return identity.style if identity.style in LONG else "beanie"
    return identity.style


class _Head:
    """What hair grows on and must not pass through."""

    def __init__(
        self, assets: Assets, skin: np.ndarray, quads: np.ndarray, rest: np.ndarray,
        normals: np.ndarray, neck: np.ndarray,
    ) -> None:  # fmt: skip
        template = assets.template
        self.template, self.rest, self.normals, self.neck = template, rest, normals, neck
        self.faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        crown = rest[skin[(template[skin, 2] > 0.70) & (template[skin, 2] < 0.85)]]
        self.centre = (crown.min(axis=0) + crown.max(axis=0)) / 2.0
        self.centre[0] = 0.0
        self.scale = float(np.ptp(crown[:, 0])) / 0.176
        body = skin[(template[skin, 2] > 0.25) & (assets.sleeve[skin] < 0.9)]
        self.points, self.point_normals = rest[body], normals[body]
        self.dressed = np.where(template[body, 2] < 0.60, 0.014, 0.0)
        self.tree = cKDTree(self.points)


def grow(
    identity: Identity, assets: Assets, rest: np.ndarray, normals: np.ndarray, neck: np.ndarray
) -> Hair | None:
    """The hair of a person whose body at rest is `rest` [V, 3]; neck: where it begins [3]."""
    name = style_of(identity)
    if name is None:
        return None
    rng = np.random.default_rng([identity.seed, _SEED])
    quads, _ = assets.quads("skin")
    head = _Head(assets, np.unique(quads), quads, rest, normals, neck)
    style = STYLES[name]
    roots = _Roots(identity, name, style, head, rng)
    if name in PUFFED:
        strips = [_puffed(identity, style, head, roots, rng)]
    else:
        strips = [_fallen(identity, name, style, head, roots, rng)]
    if name == "bun":
        strips.append(_knot(head, roots.knot, rng))
    if name == "ponytail":
        strips.append(_tail(head, roots.knot, rng))
    return _joined(strips)


class _Roots:
    """Where locks begin, and which way they first go."""

    def __init__(
        self, identity: Identity, name: str, style: Style, head: _Head, rng: np.random.Generator
    ) -> None:
        corners = head.template[head.faces]
        middle = corners.mean(axis=1)
        above = above_hairline(middle, identity)
        x, y, z = middle.T
        grows = (above > 0.001) & (z > 0.6) & (np.abs(x) < 0.1)
        grows &= ~((np.abs(x) > 0.073) & (z < 0.744) & (y < -0.02))  # not on the ears
        if name in LONG:
            grows &= ~((z < 0.735) & (y < -0.040))  # what would fall before the neck
        if identity.cover == "beanie":
            points = np.concatenate([middle, np.zeros((len(middle), 1))], axis=1)
            grows &= beanie(points) < -0.004
        faces = head.faces[grows]
        first, second, third = (head.rest[faces[:, k]] for k in range(3))
        area = np.linalg.norm(np.cross(second - first, third - first), axis=1)
        dense = 1.0 + 2.0 * (np.abs(above[grows]) < 0.012)
        if name in LONG:
            dense = dense + 2.5 * (np.abs(middle[grows, 0] - identity.parting) < 0.025)
        chosen = _spread_out(faces, head.rest, area * dense, style.count, rng)
        face, inside = chosen
        self.count = len(face)

        def mixed(values: np.ndarray) -> np.ndarray:
            return (values[faces[face]] * inside[..., None]).sum(axis=1)

        self.root, self.normal, self.place = (
            mixed(head.rest), unit(mixed(head.normals)), mixed(head.template),
        )  # fmt: skip
        raised = 0.055 if name == "bun" else 0.03
        self.knot = head.centre + np.array([0.0, 0.105, raised]) * head.scale
        self.side = np.sign(self.root[:, 0] - identity.parting * head.scale + 1e-4)
        self.direction = self._flow(identity, name, rng)

    def _flow(self, identity: Identity, name: str, rng: np.random.Generator) -> np.ndarray:
        n, place = self.count, self.place
        low = smooth_step(0.745, _NAPE, place[:, 2])
        part = np.sign(identity.parting + 0.001)
        ones = np.ones(n)
        if name == "fringe":
            front = (place[:, 1] < -0.075)[:, None]
            over = np.stack([self.root[:, 0] * 6.0, -0.9 * ones, -0.4 * ones], axis=1)
            rest = np.stack([self.side, 0.45 * ones, -0.05 * ones], axis=1)
            flow = np.where(front, over, rest)
        elif name in LONG:
            flow = np.stack([self.side, 0.28 * ones, -0.25 * ones], axis=1)
            down = np.stack([0.10 * self.side, 0.45 * ones, -ones], axis=1)
            flow = flow + smooth_step(0.80, 0.73, place[:, 2])[:, None] * (down - flow)
        elif name in TIED:
            flow = self.knot - self.root
        elif name == "short":
            forward = np.where(place[:, 1] < -0.03, -0.55, 0.2)
            flow = np.stack([0.5 * part * ones, forward, -0.6 * low - 0.1], axis=1)
            flow += rng.normal(0.0, 0.14, (n, 3))
        elif name == "swept":
            flow = np.stack([-0.6 * part * ones, 0.85 * ones, -0.9 * low], axis=1)
            flow += rng.normal(0.0, 0.07, (n, 3))
        elif name == "side":
            flow = np.stack([self.side * 0.9, 0.30 * ones, -0.9 * low - 0.12], axis=1)
            flow += rng.normal(0.0, 0.07, (n, 3))
        elif name == "pixie":
            forward = np.where(place[:, 1] < -0.02, -0.55, 0.35)
            flow = np.stack([self.side * 0.75, forward, -0.8 * low - 0.2], axis=1)
            flow += rng.normal(0.0, 0.10, (n, 3))
        elif name in ("crop", "beanie"):
            forward = np.where(place[:, 1] < 0.0, -0.7, 0.2)
            flow = np.stack([0.2 * ones, forward, -0.7 * low], axis=1)
            flow += rng.normal(0.0, 0.25, (n, 3))
        else:
            flow = rng.normal(0.0, 0.5, (n, 3)) + (0.0, 0.1, -0.25)
        flow = unit(flow)
        return unit(flow - self.normal * (flow * self.normal).sum(axis=1, keepdims=True))


def _spread_out(
    faces: np.ndarray, rest: np.ndarray, weights: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Faces and places in them of `count` roots that keep away from each other."""
    tried = 5 * count
    face = rng.choice(len(faces), tried, p=weights / weights.sum())
    inside = rng.dirichlet((1.0, 1.0, 1.0), tried)
    points = (rest[faces[face]] * inside[..., None]).sum(axis=1)
    pairs = cKDTree(points).query(points, k=2)[0][:, 1]
    # Of points that are scattered, the nearest is half as far as if they were spread out evenly.
    radius = float(1.4 * np.median(pairs) * np.sqrt(tried / count))
    tree, free = cKDTree(points), np.ones(tried, bool)
    kept: list[int] = []
    for place in rng.permutation(tried):
        if free[place] and len(kept) < count:
            kept.append(place)
            free[tree.query_ball_point(points[place], radius)] = False
    chosen = np.array(kept)
    return face[chosen], inside[chosen]


_Strip = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _fallen(
    identity: Identity, name: str, style: Style, head: _Head, roots: _Roots,
    rng: np.random.Generator,
) -> _Strip:  # fmt: skip
    """Let the locks follow head, neck and shoulders."""
    n, scale = roots.count, head.scale
    layer = rng.random(n)
    lengths, lift = _lengths(identity, name, style, roots, scale, rng)
    direction = unit(roots.direction + roots.normal * lift[:, None])
    step = lengths / (style.joints - 1)
    off = 0.0035 + layer * style.layers * scale
    point = roots.root + roots.normal * 0.0005
    path = [point.copy()]
    for joint in range(1, style.joints):
        point = point + direction * step[:, None]
        distance, near = head.tree.query(point)
        outwards = head.point_normals[near]
        depth = ((point - head.points[near]) * outwards).sum(axis=1)
        wanted = off * min(1.0, joint / (0.45 * style.joints)) + head.dressed[near]
        push = np.clip(wanted - depth, 0.0, 0.03) * (distance < 0.06)
        point = point + outwards * push[:, None]
        if name in TIED:
            line = roots.knot - point
            far = np.linalg.norm(line, axis=1)
            there = (far < 0.02 * scale)[:, None]
            point = np.where(there, path[-1] + line * 0.3, point)
            line = line / (far[:, None] + 1e-6)
            line = line - outwards * np.minimum(0.0, (line * outwards).sum(1, keepdims=True)) * 0.9
            direction = unit(line + 0.3 * direction)
            step = np.maximum(step, far / (style.joints - joint + 1.5))
        else:
            heading = unit(point - path[-1])
            pull = _pull(name, style, head, roots, point, joint)
            direction = unit(heading + pull)
        path.append(point.copy())
    combed = _outside(head, off, _combed(name, roots, np.stack(path, axis=1)))
    for _ in range(2 if name in LONG else 0):  # no kink where they meet the shoulders
        combed[:, 1:-1] += 0.25 * (combed[:, 2:] + combed[:, :-2] - 2.0 * combed[:, 1:-1])
    if name == "curly":
        combed = _curled(head, combed, lengths, rng)
    return _lit(style, name, head, combed, layer, lengths, rng)


def _combed(name: str, roots: _Roots, path: np.ndarray) -> np.ndarray:
    """Locks lie along their neighbours: no single one stands off."""
    if name in TIED:
        return path
    share = 0.4 if name == "curly" else 0.75
    sides = np.concatenate([roots.place, 0.2 * roots.side[:, None]], axis=1)
    _, near = cKDTree(sides).query(sides, k=8)
    steps = path - path[:, :1]
    together = np.median(steps[near], axis=1)
    grown = share * np.clip(np.linspace(0.0, 2.0, path.shape[1]), 0.0, 1.0)[None, :, None]
    return path[:, :1] + steps + grown * (together - steps)


def _curled(
    head: _Head, path: np.ndarray, lengths: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Ringlets: every lock winds around the line that it would follow."""
    n, joints = path.shape[:2]
    along = unit(np.gradient(path, axis=1))
    first = unit(np.cross(along, path - head.centre))
    second = np.cross(along, first)
    share = np.linspace(0.0, 1.0, joints)[None]
    turns = rng.uniform(0.85, 1.15, (n, 1)) * lengths[:, None] / 0.030
    angle = rng.uniform(0.0, 2.0 * np.pi, (n, 1)) + 2.0 * np.pi * turns * share
    wide = 0.0065 * head.scale * np.clip(4.0 * share, 0.0, 1.0)
    curl = np.cos(angle)[..., None] * first + np.sin(angle)[..., None] * second
    return path + wide[..., None] * curl


def _puffed(
    identity: Identity, style: Style, head: _Head, roots: _Roots, rng: np.random.Generator
) -> _Strip:
    """Small loops that fill a cushion around the head, thicker above than at temples and nape."""
    n, joints = roots.count, style.joints
    thick = style.length * identity.length * head.scale * np.ones(n)
    thick *= 1.0 - 0.55 * smooth_step(0.75, 0.69, roots.place[:, 2])
    thick *= 0.35 + 0.65 * smooth_step(0.0, 0.030, above_hairline(roots.place, identity))
    layer = np.sqrt(rng.random(n))
    share = np.linspace(0.0, 1.0, joints)[None]
    first = unit(np.cross(roots.normal, rng.normal(0.0, 1.0, (n, 3))))
    second = np.cross(roots.normal, first)
    angle = rng.uniform(0.0, 2.0 * np.pi, (n, 1)) + 2.0 * np.pi * 1.15 * share
    loop = np.cos(angle)[..., None] * first[:, None] + np.sin(angle)[..., None] * second[:, None]
    wide = (0.0035 + 0.10 * thick)[:, None, None] * rng.uniform(0.7, 1.2, (n, 1, 1))
    up = thick[:, None] * (0.25 + 0.75 * layer[:, None]) * (0.80 + 0.20 * share)
    path = roots.root[:, None] + up[..., None] * roots.normal[:, None] + wide * loop
    ones = np.ones((n, joints))
    normal = unit(0.75 * roots.normal[:, None] + 0.6 * loop)
    light = (0.30 + 0.70 * layer**2)[:, None] * (0.85 + 0.15 * share)
    low = smooth_step(-0.16, -0.02, path[:, :, 2] - head.centre[2])
    tone: np.ndarray = rng.random((n,))
    width = style.width * head.scale * ones
    order = np.argsort(-layer)
    rows = (path, normal, width, tone, light * (0.6 + 0.4 * low), 0.0 * ones, 0.0 * ones)
    a, b, c, d, e, f, g = (row[order] for row in rows)
    return a, b, c, d, e, f, g


def _outside(head: _Head, off: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Joints that came to lie within the body are brought out of it again."""
    n, joints = path.shape[:2]
    flat = path[:, 1:].reshape(-1, 3)
    distance, near = head.tree.query(flat)
    outwards = head.point_normals[near]
    depth = ((flat - head.points[near]) * outwards).sum(axis=1)
    wanted = np.repeat(off, joints - 1) * 0.8 + head.dressed[near]
    push = np.clip(wanted - depth, 0.0, 0.03) * (distance < 0.06)
    grown = np.tile(np.clip(np.linspace(0.0, 2.2, joints)[1:], 0.0, 1.0), n)
    moved = flat + outwards * (push * grown)[:, None]
    return np.concatenate([path[:, :1], moved.reshape(n, joints - 1, 3)], axis=1)


def _lengths(
    identity: Identity, name: str, style: Style, roots: _Roots, scale: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    place = roots.place
    lengths = style.length * scale * identity.length * rng.uniform(0.88, 1.06, roots.count)
    if name in LONG:
        # Cut at one height: locks from the crown are longer than those of the nape.
        drop = roots.root[:, 2] - (roots.root[:, 2].max() - style.length * identity.length)
        over = 0.05 * smooth_step(0.76, 0.83, place[:, 2])
        lengths = np.maximum(0.05, (drop + over) * rng.uniform(0.94, 1.04, roots.count))
    low = smooth_step(0.745, _NAPE, place[:, 2])
    lift = style.lift * rng.uniform(0.8, 1.15, roots.count)
    if name in ("short", "swept", "side", "crop", "beanie", "pixie"):
        sides = smooth_step(0.80, 0.75, place[:, 2])
        lengths *= 1.0 - (0.72 if name != "pixie" else 0.45) * sides
    if name not in CURLED:
        lift = lift * (1.0 - 0.75 * low)
    if name == "swept":
        lift = lift * (1.0 + 0.8 * (place[:, 1] < -0.08))
    if name in CURLED:
        lengths *= 1.0 - 0.5 * smooth_step(-0.055, -0.10, place[:, 1])
        lengths *= 1.0 - 0.35 * low if not identity.feminine else 1.0
    if name == "fringe":
        front = place[:, 1] < -0.075
        lengths = np.where(front, rng.uniform(0.060, 0.070, roots.count) * scale, lengths)
        lift = np.where(front, 0.25, lift)
    return lengths, lift


def _pull(
    name: str, style: Style, head: _Head, roots: _Roots, point: np.ndarray, joint: int,
) -> np.ndarray:  # fmt: skip
    """What turns the locks at this joint: weight, a free face, shoulders, curls."""
    scale, centre = head.scale, head.centre
    pull = np.zeros_like(point)
    pull[:, 2] -= style.fall * (1.0 + 0.4 * joint)
    if name in LONG:
        face = centre[1] - 0.045 * scale
        before = (point[:, 1] < face - 0.012 * scale) & (np.abs(point[:, 0]) < 0.070 * scale)
        before &= (point[:, 2] < centre[2] + 0.05 * scale) & (
            point[:, 2] > centre[2] - 0.19 * scale
        )
        if name == "fringe":
            before &= ~(roots.place[:, 1] < -0.075)
        pull[:, 0] += before * np.sign(point[:, 0] + roots.side * 1e-3) * 1.2
        pull[:, 1] += before * 0.7
        beside = (point[:, 2] < head.neck[2] + 0.02) & (np.abs(point[:, 0]) > 0.05 * scale)
        pull[:, 1] += beside * np.sign(point[:, 1] - (centre[1] + 0.01)) * 1.1
        pull[:, 0] -= beside * np.sign(point[:, 0]) * 0.9
    if name == "wavy":
        # Neighbours wave together, so that waves run over the whole head.
        turn = 1.05 * joint + 9.0 * roots.place[:, 0] + 5.0 * roots.place[:, 1]
        grown = min(1.0, joint / 5.0)
        pull[:, 0] += np.cos(turn) * 0.50 * grown
        pull[:, 1] += np.sin(turn) * 0.38 * grown
    return pull


def _lit(
    style: Style, name: str, head: _Head, path: np.ndarray, layer: np.ndarray,
    lengths: np.ndarray, rng: np.random.Generator,
) -> _Strip:  # fmt: skip
    """Normals, widths and how open each joint lies; inner layers are darker and drawn last."""
    order = np.argsort(-layer)
    path, layer = path[order], layer[order]
    n, joints = path.shape[:2]
    scale, centre = head.scale, head.centre
    tone = rng.random((n,))
    normal = path - centre
    normal[:, :, 2] = np.where(path[:, :, 2] < centre[2], 0.15 * normal[:, :, 2], normal[:, :, 2])
    share = np.linspace(0.0, 1.0, joints)[None]
    width = style.width * scale * (1.0 - 0.35 * share**3) * np.ones((n, joints))
    width = width * (0.35 + 0.65 * smooth_step(-0.02, 0.16, share))
    if name in CURLED:
        light = (0.35 + 0.65 * smooth_step(0.0, 0.8, share)) * (0.75 + 0.25 * layer[:, None])
        light = light * np.ones((n, joints))
    else:
        light = (0.52 + 0.48 * layer)[:, None] * (0.66 + 0.34 * smooth_step(0.0, 0.35, share))
    light = light * (0.60 + 0.40 * smooth_step(-0.16, -0.02, path[:, :, 2] - centre[2]))
    hidden = smooth_step(0.10, 0.03, np.abs(path[:, :, 0]) / scale)
    hidden = hidden * smooth_step(centre[2] - 0.05 * scale, centre[2] - 0.11 * scale, path[:, :, 2])
    light = light * (1.0 - 0.6 * hidden * (path[:, :, 1] > centre[1] - 0.02))
    chest = smooth_step(head.neck[2] + 0.06, head.neck[2] - 0.05, path[:, :, 2])
    free = smooth_step(0.25, 1.0, share) * smooth_step(0.04, 0.25, lengths[order][:, None])
    return path, unit(normal), width, tone, light, chest, free * np.ones((n, joints))


def _knot(head: _Head, knot: np.ndarray, rng: np.random.Generator) -> _Strip:
    """A bun: locks wound around a ball."""
    count, joints, scale = 130, 9, head.scale
    centre = knot + np.array([0.0, 0.012, 0.012]) * scale
    turn = rng.uniform(0.0, 2.0 * np.pi, count)[:, None] + np.linspace(0.0, 2.6, joints)[None]
    tilt = rng.uniform(-1.2, 1.2, count)[:, None] * np.cos(
        0.6 * np.linspace(0.0, 2.6, joints)[None]
    )
    out = np.stack([np.cos(turn) * np.cos(tilt), np.sin(tilt), np.sin(turn) * np.cos(tilt)], axis=2)
    path = centre + out * 0.036 * scale * rng.uniform(0.88, 1.05, (count, 1, 1))
    flat = np.zeros((count, joints))
    light = 0.55 + 0.45 * smooth_step(-1.0, 0.6, out[:, :, 2])
    return path, out, flat + 0.006 * scale, rng.random(count), light, flat, flat


def _tail(head: _Head, knot: np.ndarray, rng: np.random.Generator) -> _Strip:
    """A pony tail: a bunch that falls from the knot."""
    count, joints = 120, 12
    share = np.linspace(0.0, 1.0, joints)[None]
    aside = rng.normal(0.0, 0.009, (count, 2))
    length = float(rng.uniform(0.18, 0.24))
    x = aside[:, :1] * (1.0 + 1.4 * share) + 0.012 * np.sin(4.0 * share)
    y = (
        knot[1]
        + 0.02
        + 0.045 * np.sin(np.clip(2.2 * share, 0.0, 1.57))
        + aside[:, 1:] * (1 + share)
    )
    z = knot[2] + 0.015 * np.sin(3.0 * share) - length * share**1.25 + 0.4 * aside[:, 1:]
    path = np.stack([x, y - 0.02 * share, z], axis=2)
    out = path - np.array([0.0, knot[1] - 0.03, 0.0])
    out[:, :, 2] *= 0.1
    ones = np.ones((count, joints))
    light = 0.5 + 0.5 * rng.random((count, 1)) * ones
    chest = 0.5 * smooth_step(0.2, 1.0, share) * ones
    return path, unit(out), 0.0065 * ones, rng.random(count), light, chest, share * ones


def _joined(strips: list[_Strip]) -> Hair:
    """Three vertices across each joint, whose normals fan out, so that locks look round."""
    columns = np.array([-1.0, 0.0, 1.0])
    parts: dict[str, list[np.ndarray]] = {}
    first = 0
    for path, normal, width, tone, light, chest, free in strips:
        n, joints, _ = path.shape
        along = unit(np.gradient(path, axis=1))
        aside = unit(np.cross(along, normal))
        bulge = 0.35 * (1.0 - np.abs(columns))
        shape = (n, joints, 3)
        vertices = (
            path[:, :, None]
            + (aside * width[..., None])[:, :, None] * columns[None, None, :, None]
            + (normal * width[..., None])[:, :, None] * bulge[None, None, :, None]
        )
        normals = unit(normal[:, :, None] + 0.55 * aside[:, :, None] * columns[None, None, :, None])
        share = np.broadcast_to(np.linspace(0.0, 1.0, joints)[None, :, None], shape)
        row = (np.arange(n)[:, None] * joints + np.arange(joints - 1)[None]).ravel() * 3 + first
        quads = np.concatenate([np.stack([row + k, row + k + 1, row + k + 4, row + k + 3], axis=1)
                                for k in (0, 1)])  # fmt: skip
        order = np.argsort(quads[:, 0] // 3, kind="stable")
        quads = quads[order]
        triangles = np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
        for name, values in (
            ("vertices", vertices),
            ("along", np.broadcast_to(along[:, :, None], (*shape, 3))),
            ("normals", normals),
            ("across", np.broadcast_to(columns, shape)),
            ("share", share),
            ("tone", np.broadcast_to(tone[:, None, None], shape)),
            ("light", np.broadcast_to(light[:, :, None], shape)),
            ("chest", np.broadcast_to(chest[:, :, None], shape)),
            ("free", np.broadcast_to(free[:, :, None], shape)),
        ):
            parts.setdefault(name, []).append(values.reshape(n * joints * 3, -1))
        parts.setdefault("triangles", []).append(triangles)
        first += n * joints * 3
    flat = {name: np.concatenate(values).astype(np.float32) for name, values in parts.items()}
    return Hair(
        vertices=flat["vertices"],
        along=flat["along"],
        normals=flat["normals"],
        across=flat["across"][:, 0],
        share=flat["share"][:, 0],
        tone=flat["tone"][:, 0],
        light=flat["light"][:, 0],
        chest=flat["chest"][:, 0],
        free=flat["free"][:, 0],
        triangles=flat["triangles"].astype(np.int32),
    )

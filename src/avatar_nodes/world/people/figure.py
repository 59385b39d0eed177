"""Builds one person's geometry: skin, teeth, lashes, beard and clothes, ready to be posed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from avatar_nodes.world.people import clothes
from avatar_nodes.world.people.assets import Assets
from avatar_nodes.world.people.camera import Camera
from avatar_nodes.world.people.face import Face
from avatar_nodes.world.people.hair import STYLES, Hair, grow, style_of
from avatar_nodes.world.people.identity import Identity
from avatar_nodes.world.people.mesh import (
    averaging,
    compacted,
    grid_quads,
    normals,
    selecting,
    subdivided,
)
from avatar_nodes.world.people.rotation import smooth_step, unit
from avatar_nodes.world.people.skeleton import Skeleton
from avatar_nodes.world.people.skin import SkinMap, above_hairline, paint

DISTANCE = 1.35
"""Metres from the camera to the face."""

_HEADROOM = 0.86  # where the crown is in the picture, -1 .. 1
HEAD, MOUTH = 1.0, 2.0
"""Islands of the skin, in its detail's last column; 0 is the body."""


LANDMARKS: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("left_brow_inner", (0.012, -0.150, 0.752)),
    ("left_brow_outer", (0.050, -0.120, 0.748)),
    ("right_brow_inner", (-0.012, -0.150, 0.752)),
    ("right_brow_outer", (-0.050, -0.120, 0.748)),
    ("left_eye_inner", (0.0165, -0.136, 0.7275)),
    ("left_eye_outer", (0.0470, -0.120, 0.7285)),
    ("left_eye_top", (0.0320, -0.138, 0.7345)),
    ("left_eye_bottom", (0.0320, -0.136, 0.7215)),
    ("right_eye_inner", (-0.0165, -0.136, 0.7275)),
    ("right_eye_outer", (-0.0470, -0.120, 0.7285)),
    ("right_eye_top", (-0.0320, -0.138, 0.7345)),
    ("right_eye_bottom", (-0.0320, -0.136, 0.7215)),
    ("nose_bridge", (0.0, -0.148, 0.730)),
    ("nose_tip", (0.0, -0.168, 0.693)),
    ("left_nostril", (0.014, -0.150, 0.686)),
    ("right_nostril", (-0.014, -0.150, 0.686)),
    ("left_mouth_corner", (0.0240, -0.143, 0.6610)),
    ("right_mouth_corner", (-0.0240, -0.143, 0.6610)),
    ("upper_lip_top", (0.0, -0.1597, 0.6696)),
    ("upper_lip_edge", (0.0, -0.1553, 0.6608)),
    ("lower_lip_edge", (0.0, -0.1540, 0.6601)),
    ("lower_lip_bottom", (0.0, -0.1556, 0.6488)),
    ("chin", (0.0, -0.1455, 0.6227)),
    ("left_jaw", (0.060, -0.060, 0.650)),
    ("right_jaw", (-0.060, -0.060, 0.650)),
)
"""Names of landmarks, and where each is on the average body [m]; left is the person's left."""


@dataclass(frozen=True)
class Part:
    """A piece of a person.

    source: sparse [n, V] from the body's vertices; offset: [n, 3] added at rest; quads: [m, 4];
    detail: [n, 4] for its shader; expressive: the face's shapes move it.
    """

    source: sp.csr_matrix
    offset: np.ndarray
    quads: np.ndarray
    detail: np.ndarray
    expressive: bool


class Template:
    """What all people share: pieces of the average body, subdivided and taken apart."""

    def __init__(self, assets: Assets) -> None:
        self.assets = assets
        count = len(assets.template)
        self.points = np.concatenate([assets.template, assets.sleeve[:, None]], axis=1)
        quads, corners = assets.quads("skin")
        self.body_quads = quads
        pairs = quads.astype(np.int64) * (1 << 20) + corners
        unique, places = np.unique(pairs, return_inverse=True)
        self.skin_vertices = (unique >> 20).astype(int)
        self.skin_uv = assets.uv[unique & ((1 << 20) - 1)]
        self.skin_quads = places.reshape(quads.shape)
        self.skin_island = self._islands()
        shell, _ = assets.quads("shell")
        shell = shell[assets.template[shell][:, :, 2].mean(axis=1) > -0.12]
        self.shell, self.shell_quads = subdivided(shell, count)
        middle = assets.template[quads].mean(axis=1)
        on_head = (middle[:, 2] > 0.565) & (np.abs(middle[:, 0]) < 0.13)
        self.head_vertices, self.head_quads = compacted(quads[on_head])
        self.head_average = averaging(self.head_quads, len(self.head_vertices))

    @staticmethod
    @lru_cache(maxsize=1)
    def load() -> Template:
        return Template(Assets.load())

    def _islands(self) -> np.ndarray:
        """Which island of the texture each vertex of the skin lies on."""
        count, quads = len(self.skin_vertices), self.skin_quads
        edges = np.concatenate([quads[:, [k, k + 1]] for k in range(3)])
        links = sp.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
        _, label = connected_components(links, directed=False)
        place = self.assets.template[self.skin_vertices]
        nose = int(np.argmin(np.linalg.norm(place - (0.0, -0.168, 0.691), axis=1)))
        island = np.where(label == label[nose], HEAD, 0.0)
        u, v = self.skin_uv.T
        inside = (u > 0.745) & (u < 0.935) & (v < 0.145)
        island[inside & (place[:, 2] > 0.6) & (np.abs(place[:, 0]) < 0.05)] = MOUTH
        return island


class Figure:
    """One person at rest, and how shapes and bones move them.

    Attributes:
        quads: [Q, 4] of each part by name; vertices of all parts are numbered together.
        places: float32 [N, 4]: where in the template each vertex is, and how far along the arm.
        detail: float32 [N, 4]: what shaders know of a vertex.
        eyes: centre and radius of the left and the right eyeball, at rest.
        landmarks: the vertex of each of LANDMARKS; lips: all vertices of the lips.
    """

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.template = Template.load()
        assets = self.template.assets
        body = assets.body(identity.physique)
        self.rest = body.vertices
        self.skeleton = Skeleton(assets, body)
        self.face = Face(assets, body)
        self._bones = assets.bone
        self._rest_normals = normals(body.vertices, self.template.body_quads)
        self.eyes = tuple(
            _eyeball(body.vertices[np.unique(assets.quads(name)[0])])
            for name in ("left_eye", "right_eye")
        )
        self.texture, self._beard = paint(identity, SkinMap.load())
        self.hair: Hair | None = grow(
            identity, assets, body.vertices, self._rest_normals, self.skeleton.head("neck01")
        )
        self._assemble(self._parts())
        self.landmarks, self.lips = self._marks()

    def bone(self, name: str) -> int:
        return self._bones[name]

    @property
    def crown(self) -> float:
        """Height of the head's top, at most 5 cm of it hair [m]."""
        bare = float(self.rest[self.template.skin_vertices, 2].max())
        if self.hair is None:
            return bare
        return float(np.clip(self.hair.vertices[:, 2].max(), bare, bare + 0.05))

    @property
    def mouth(self) -> np.ndarray:
        """Where the mouth is at rest [3]."""
        return self.rest[self.face.upper].astype(float)

    @property
    def camera(self) -> Camera:
        """The camera that frames them."""
        framing = self.identity.framing
        field = 2.0 * float(np.arctan(framing.height / 2.0 / DISTANCE))
        centre = np.array((0.0, -0.05, self.crown + 0.02 - _HEADROOM * framing.height / 2.0))
        centre[0] -= framing.offset * framing.height / 2.0
        back = np.array((np.sin(framing.turn), -np.cos(framing.turn), np.tan(framing.above)))
        return Camera(centre + DISTANCE * back, centre, field)

    def posed(self, weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
        """float32 [N, 3]: the vertices for shapes [52] and bones [163, 3, 4]."""
        out = self._base.copy()
        used = np.flatnonzero(weights)
        if len(used):
            out[self._moved] += (weights[used] @ self._moves[used]).reshape(-1, 3)
        flat = transforms[self._used_bones].reshape(-1, 12).astype(np.float32)
        each = (self._bone_weights @ flat).reshape(-1, 3, 4)
        return np.einsum("nij,nj->ni", each[:, :, :3], out) + each[:, :, 3]

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """float32 [N, 3], joined over seams."""
        quads = self._all_quads
        a = vertices[quads[:, 2]] - vertices[quads[:, 0]]
        b = vertices[quads[:, 3]] - vertices[quads[:, 1]]
        across = np.empty_like(a)
        across[:, 0] = a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1]
        across[:, 1] = a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]
        across[:, 2] = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        out = self._to_vertices @ across
        out /= np.sqrt((out * out).sum(axis=1, keepdims=True)) + 1e-12
        return out

    def smoothed(self, values: np.ndarray, rounds: int) -> np.ndarray:
        """Values [N] averaged over neighbours."""
        share = np.asarray(self._to_vertices.sum(axis=1)).ravel()
        for _ in range(rounds):
            over = self._to_vertices @ values[self._all_quads].mean(axis=1)
            values = np.where(share > 0, 0.4 * values + 0.6 * over / np.maximum(share, 1), values)
        return values

    def range_of(self, part: str) -> slice:
        return self._ranges[part]

    def _parts(self) -> dict[str, Part]:
        parts = {"skin": self._skin()}
        parts.update(self._mouth())
        parts["lashes"] = self._lashes()
        parts.update(self._clothes())
        parts.update(self._covers())
        if self.identity.beard in ("full", "goatee", "moustache"):
            parts["beard"] = self._beard_hairs()
        if style_of(self.identity) is not None and self.identity.cover == "none":
            parts["scalp"] = self._scalp()
        return parts

    def _skin(self) -> Part:
        """Skin that no cloth hides."""
        t, identity = self.template, self.identity
        points = t.points[t.skin_vertices]
        hidden = clothes.covered(identity.garment, identity.neck, points) > 0.02
        quads = t.skin_quads[~hidden[t.skin_quads].all(axis=1)]
        if identity.cover == "scarf":
            x, y, z, along = points.T
            around = ((np.abs(x) > 0.068) | (z > 0.82) | (y > -0.03)) & (z > 0.50)
            under = ((z < 0.60) & (z > 0.3)) | around
            quads = quads[~(under & (along < 0.4))[quads].all(axis=1)]
        used, quads = compacted(quads)
        detail = np.zeros((len(used), 4))
        detail[:, :2] = t.skin_uv[used]
        detail[:, 3] = t.skin_island[used]
        source = selecting(t.skin_vertices[used], len(self.rest))
        self._skin_used, self._skin_sources = used, t.skin_vertices[used]
        return Part(source, np.zeros((len(used), 3)), quads, detail, True)

    def _mouth(self) -> dict[str, Part]:
        assets = self.template.assets
        parts = {}
        for name, helper, front, edge, gum in (
            ("upper_teeth", "upper_teeth", -0.1478, 0.6562, 0.6690),
            ("lower_teeth", "lower_teeth", -0.1442, 0.6548, 0.6440),
        ):
            ids = np.unique(assets.quads(helper)[0])
            points, detail, quads = _arch(front, edge, gum)
            parts[name] = Part(
                _bound(points, assets.template, ids),
                np.zeros((len(points), 3)),
                quads,
                detail,
                True,
            )
        quads, _ = assets.quads("tongue")
        ids, quads = compacted(quads)
        detail = np.zeros((len(ids), 4))
        detail[:, 1] = np.clip((-assets.template[ids, 1] - 0.10) / 0.04, 0.0, 1.0)
        detail[:, 3] = 1.0
        lower = np.tile((0.0, 0.003, -0.0075), (len(ids), 1))
        parts["tongue"] = Part(selecting(ids, len(self.rest)), lower, quads, detail, True)
        return parts

    def _lashes(self) -> Part:
        assets = self.template.assets
        ids, quads = compacted(assets.quads("lashes")[0])
        points = assets.template[ids]
        skin = assets.template[np.unique(self.template.body_quads)]
        detail = np.zeros((len(ids), 4))
        detail[:, 0] = (np.abs(points[:, 0]) - 0.017) / 0.03
        detail[:, 1] = np.clip(cKDTree(skin).query(points)[0] / 0.0058, 0.0, 1.0)
        detail[:, 2] = np.where(points[:, 2] > 0.7278, 1.0, 0.25)
        return Part(selecting(ids, len(self.rest)), np.zeros((len(ids), 3)), quads, detail, True)

    def _clothes(self) -> dict[str, Part]:
        t, identity = self.template, self.identity
        rest = t.shell @ self.rest
        outwards = normals(rest, t.shell_quads)
        points = t.shell @ t.points
        garment = identity.garment

        def layer(off: np.ndarray | float, where: np.ndarray, distance: np.ndarray) -> Part:
            used, quads = compacted(t.shell_quads[where[t.shell_quads].any(axis=1)])
            detail = np.zeros((len(used), 4))
            detail[:, 0] = distance[used]
            offset = outwards[used] * np.broadcast_to(off, len(points))[used, None]
            return Part(t.shell[used], offset, quads, detail, False)

        cover = clothes.covered(garment, identity.neck, points)
        parts = {"cloth": layer(clothes.looseness(garment, points), cover > -0.03, cover)}
        _, y, z, along = points.T
        if garment == "blazer":
            inside = ((z > 0.27) & (along < 0.15) & (y < 0.02)) | ((z > 0.5) & (along < 0.05))
            inside &= cover < 0.03  # the jacket hides the rest
            parts["inner"] = layer(0.006, inside, 0.57 - z)
        if garment in ("shirt", "blazer"):
            near = (np.abs(clothes.collar_height(points) - 0.03 - z) < 0.075) & (along < 0.2)
            parts["collar"] = layer(clothes.collar_offset(garment, points), near, np.ones(len(z)))
        if identity.cover == "scarf":
            off = 0.009 + 0.019 * smooth_step(0.59, 0.51, z)
            parts["drape"] = layer(off, (z > 0.38) & (along < 0.6), clothes.drape(points))
        return parts

    def _covers(self) -> dict[str, Part]:
        """Beanie or scarf: the head's skin, smoothed until no ear is left."""
        cover = self.identity.cover
        if cover == "none":
            return {}
        t = self.template
        ids = t.head_vertices
        start = self.rest[ids].astype(float)
        thick = 0.008 if cover == "scarf" else 0.009
        shape = start + self._rest_normals[ids] * (thick + 0.002)
        points = t.points[ids]
        x, y, z, _ = points.T
        ear = (np.abs(x) > 0.070) & (z > 0.66) & (z < 0.755) & (y > -0.075) & (y < 0.03)
        for _ in range(60 if cover == "scarf" else 10):
            smooth = 0.5 * shape + 0.5 * (t.head_average @ shape)
            # A scarf flattens the ears, which are not drawn under it.
            shape = np.where(ear[:, None], smooth, shape) if cover == "scarf" else smooth
        for _ in range(14 if cover == "scarf" else 0):
            shape = 0.5 * shape + 0.5 * (t.head_average @ shape)
        outwards = normals(shape, t.head_quads)
        depth = ((shape - start) * outwards).sum(axis=1)
        if cover == "scarf":
            depth[ear] = thick
        shape = shape + outwards * np.clip(thick - depth, 0.0, 0.05)[:, None]
        for _ in range(3):
            shape = 0.5 * shape + 0.5 * (t.head_average @ shape)
        edge = (clothes.scarf if cover == "scarf" else clothes.beanie)(points)
        detail = np.zeros((len(ids), 4))
        detail[:, 0] = edge
        return {
            "cover": Part(
                selecting(ids, len(self.rest)), shape - start, t.head_quads, detail, False
            )
        }

    def _scalp(self) -> Part:
        """A cushion of hair under the locks."""
        t, identity = self.template, self.identity
        ids = t.head_vertices
        points = t.points[ids]
        above = above_hairline(points[:, :3], identity)
        ear = (np.abs(points[:, 0]) > 0.0735) & (points[:, 2] < 0.742) & (points[:, 1] < -0.025)
        name = style_of(identity)
        assert name is not None
        thick = STYLES[name].under * smooth_step(0.0, 0.03, above)
        if name not in ("afro", "coils", "curly"):
            thick = thick * (1.0 - 0.6 * smooth_step(0.80, 0.75, points[:, 2]))
        quads = t.head_quads[((above > -0.012) & ~ear)[t.head_quads].all(axis=1)]
        used, quads = compacted(quads)
        detail = np.zeros((len(used), 4))
        detail[:, 0] = above[used]
        offset = self._rest_normals[ids[used]] * thick[used, None]
        return Part(selecting(ids[used], len(self.rest)), offset, quads, detail, True)

    def _beard_hairs(self) -> Part:
        """Short hairs on the skin where the beard grows."""
        t, identity = self.template, self.identity
        rng = np.random.default_rng([identity.seed, 0xBE])
        row, column = SkinMap.load().pixel(t.skin_uv)
        grows = self._beard[row, column] * (t.skin_island == HEAD)
        quads = t.skin_vertices[t.skin_quads[(grows[t.skin_quads] > 0.35).all(axis=1)]]
        if not len(quads):
            quads = t.skin_vertices[t.skin_quads[:1]]
        corners = self.rest[quads]
        across = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        area = np.linalg.norm(across, axis=1)
        count = {"full": 2600, "goatee": 1300, "moustache": 800}[identity.beard]
        face = rng.choice(len(quads), count, p=area / area.sum())
        inside = rng.dirichlet((1.0,) * 4, count)
        ids = quads[face]
        root = (self.rest[ids] * inside[..., None]).sum(axis=1)
        out = unit((self._rest_normals[ids] * inside[..., None]).sum(axis=1))
        place = (t.points[ids, :3] * inside[..., None]).sum(axis=1)
        above_lip = place[:, 2] > 0.664
        long = {"full": 0.011, "goatee": 0.009, "moustache": 0.008}[identity.beard]
        length = long * rng.uniform(0.6, 1.1, count) * np.where(above_lip, 0.62, 1.0)
        aside = np.sign(place[:, 0] + 1e-5) * np.where(above_lip, 1.1, 0.15)
        flow = out * 0.22 + np.stack([aside, np.full(count, -0.05), -np.ones(count)], axis=1)
        flow = unit(unit(flow) + rng.normal(0.0, 0.13, (count, 3)))
        flow = unit(flow - out * np.minimum(0.05, (flow * out).sum(axis=1, keepdims=True) - 0.18))
        side = unit(np.cross(flow, out))
        share = np.linspace(0.0, 1.0, 3)
        path = root[:, None] + flow[:, None] * length[:, None, None] * share[None, :, None]
        path = path + out[:, None] * (0.0006 + 0.0018 * np.sin(2.6 * share))[None, :, None]
        wide = side[:, None] * 0.00095
        vertices = np.stack([path - wide, path + wide], axis=2).reshape(-1, 3)
        rows = np.repeat(np.arange(count * 6), 4)
        source = sp.csr_matrix(
            (np.repeat(inside, 6, axis=0).ravel(), (rows, np.repeat(ids, 6, axis=0).ravel())),
            shape=(count * 6, len(self.rest)),
        )
        detail = np.zeros((count * 6, 4))
        detail[:, 0] = np.tile((-1.0, 1.0), count * 3)
        detail[:, 1] = np.tile(np.repeat(share, 2), count)
        detail[:, 2] = np.repeat(rng.random(count), 6)
        first = (np.arange(count)[:, None] * 6 + np.arange(0, 4, 2)[None]).ravel()
        quads = np.stack([first, first + 1, first + 3, first + 2], axis=1)
        return Part(source, vertices - source @ self.rest, quads, detail, True)

    def _assemble(self, parts: dict[str, Part]) -> None:
        assets = self.template.assets
        source = sp.vstack([part.source for part in parts.values()]).tocsr()
        sizes = [part.source.shape[0] for part in parts.values()]
        starts = np.cumsum([0, *sizes])
        self._ranges = {
            name: slice(int(a), int(b))
            for name, a, b in zip(parts, starts[:-1], starts[1:], strict=True)
        }
        self.quads = {name: part.quads + self._ranges[name].start for name, part in parts.items()}
        offset = np.concatenate([part.offset for part in parts.values()])
        self.count = len(offset)
        self._base = (source @ self.rest + offset).astype(np.float32)
        self.places = (source @ self.template.points).astype(np.float32)
        self.detail = np.concatenate([part.detail for part in parts.values()]).astype(np.float32)
        expressive = np.repeat([part.expressive for part in parts.values()], sizes)
        weights = sp.csr_matrix(source @ assets.weights)
        weights = (
            sp.diags(1.0 / np.maximum(np.asarray(weights.sum(axis=1)).ravel(), 1e-6)) @ weights
        )
        weights.data[np.abs(weights.data) < 1e-4] = 0.0
        weights.eliminate_zeros()
        self._used_bones = np.flatnonzero(np.asarray(abs(weights).sum(axis=0)).ravel())
        self._bone_weights = weights[:, self._used_bones].astype(np.float32).tocsr()
        moves = np.stack([source @ shape for shape in assets.shapes]).astype(np.float32)
        moves[:, ~expressive] = 0.0
        self._moved = np.flatnonzero(np.abs(moves).max(axis=(0, 2)) > 2e-5)
        self._moves = np.ascontiguousarray(moves[:, self._moved].reshape(len(moves), -1))
        self._weld(np.concatenate(list(self.quads.values())))

    def _marks(self) -> tuple[np.ndarray, np.ndarray]:
        template = self.template.assets.template
        skin = self._ranges["skin"]
        places = template[self._skin_sources]
        tree = cKDTree(places)
        near = np.array([tree.query(place)[1] for _, place in LANDMARKS])
        upper, lower = self.face.upper, self.face.lower
        for place, (name, _) in enumerate(LANDMARKS):
            if name in ("upper_lip_edge", "lower_lip_edge"):
                vertex = upper if name.startswith("upper") else lower
                near[place] = int(np.flatnonzero(self._skin_sources == vertex)[0])
        row, column = SkinMap.load().pixel(self.template.skin_uv[self._skin_used])
        on_lips = SkinMap.load().lips[row, column] > 0.4
        on_lips &= self.template.skin_island[self._skin_used] == HEAD
        return near + skin.start, np.flatnonzero(on_lips) + skin.start

    def _weld(self, quads: np.ndarray) -> None:
        """The operator from normals of faces to those of vertices, joined over the skin's seams."""
        key = np.arange(self.count)
        start = self._ranges["skin"].start
        _, first, places = np.unique(self._skin_sources, return_index=True, return_inverse=True)
        key[self._ranges["skin"]] = start + first[places]
        self._all_quads = quads
        count = len(quads)
        onto = sp.csr_matrix(
            (np.ones(4 * count, np.float32), (key[quads].ravel(), np.repeat(np.arange(count), 4))),
            shape=(self.count, count),
        )
        self._to_vertices = onto[key].tocsr().astype(np.float32)


def _eyeball(vertices: np.ndarray) -> tuple[np.ndarray, float]:
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    radius = float(high[0] - low[0]) / 2.0
    middle = (low + high) / 2.0
    return np.array([middle[0], low[1] + 1.02 * radius, middle[2]]), 0.995 * radius


def _arch(front: float, edge: float, gum: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A row of teeth in the template: points [n, 3], detail [n, 4] and quads."""
    columns, rows = 41, 5
    share = np.linspace(-1.0, 1.0, columns)
    x, y = 0.0225 * share, front + 0.027 * np.abs(share) ** 2.2
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    along -= along[columns // 2]
    down = np.linspace(0.0, 1.0, rows)
    points = np.zeros((rows, columns, 3))
    points[..., 0], points[..., 1] = x, y
    points[..., 2] = gum + (edge - gum) * down[:, None]
    # Teeth are rounded from gum to edge, and shorter towards the back.
    points[..., 1] += 0.0022 * (down[:, None] - 0.35) ** 2
    points[..., 2] += (gum - edge) * 0.18 * np.abs(share) ** 2 * down[:, None]
    tooth = np.abs((along / 0.0072) % 1.0 - 0.5)
    points[-1, :, 2] += (gum - edge) * 0.10 * smooth_step(0.38, 0.5, tooth)
    detail = np.zeros((rows, columns, 4))
    detail[..., 0] = along / 0.0072
    detail[..., 1] = down[:, None]
    return points.reshape(-1, 3), detail.reshape(-1, 4), grid_quads(rows, columns)


def _bound(points: np.ndarray, template: np.ndarray, ids: np.ndarray) -> sp.csr_matrix:
    """[n, V]: points as affine combinations of the vertices `ids`, with which they then move."""
    held = np.concatenate([template[ids], np.ones((len(ids), 1))], axis=1)
    wanted = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    weights = wanted @ np.linalg.pinv(held)
    rows = np.repeat(np.arange(len(points)), len(ids))
    return sp.csr_matrix(
        (weights.ravel(), (rows, np.tile(ids, len(points)))), shape=(len(points), len(template))
    )

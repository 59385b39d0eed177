"""Holds one figure on the GPU, bakes its light, and draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from avatar_nodes.world.people import clothes
from avatar_nodes.world.people.accessories import earrings, glasses
from avatar_nodes.world.people.assets import ISLAND, TEXTURE_SIZE
from avatar_nodes.world.people.camera import Camera, looking, parallel
from avatar_nodes.world.people.figure import Figure
from avatar_nodes.world.people.hair import style_of
from avatar_nodes.world.people.identity import CURLED, LONG, PATTERNS
from avatar_nodes.world.people.lights import uniforms
from avatar_nodes.world.people.mesh import lathe, triangles
from avatar_nodes.world.people.room import SIDE, paint_room
from avatar_nodes.world.people.rotation import about, smooth_step, unit
from avatar_nodes.world.people.skeleton import Pose
from avatar_nodes.world.people.solid import Solid
from avatar_nodes.world.people.studio import SHADOW_SIZE, Studio, put
from avatar_nodes.world.people.visibility import arm_quads, ever_seen

_GARMENTS = {"tee": 0, "vneck": 1, "turtleneck": 2, "blazer": 3, "shirt": 4, "sweater": 5}
_FOLDED = {
    "tee": 0.5,
    "vneck": 0.45,
    "sweater": 0.4,
    "turtleneck": 0.3,
    "blazer": 0.3,
    "shirt": 0.6,
}
_SKY_DIRECTIONS, _KEY_DIRECTIONS = 48, 12
_ARM_GAP = 0.025  # how far before a surface an arm must be to shade it, as a share of 2.2 m
# Where a shadow is looked for around a point [pixels of the shadow's picture].
_SOFT = tuple((4.0 * np.cos(k * 2.4) * (k / 9) ** 0.5, 4.0 * np.sin(k * 2.4) * (k / 9) ** 0.5)
              for k in range(9))  # fmt: skip
_ROOM_SHARE = 0.80  # of the painted room is seen at once


@dataclass(frozen=True)
class Moment:
    """A frame's geometry: vertices and normals of all parts, and what else moves.

    transforms: of the bones. gaze: turns [3, 3] of both eyeballs against the rest. swing: of free
    hair [m]. things: solids with the 4x4 matrix that places them.
    """

    vertices: np.ndarray
    normals: np.ndarray
    transforms: np.ndarray
    weights: np.ndarray
    gaze: tuple[np.ndarray, np.ndarray]
    swing: np.ndarray
    raised: tuple[str, ...]
    things: tuple[tuple[Solid, np.ndarray], ...] = ()


@dataclass(frozen=True)
class _HairMeshes:
    """Vertex arrays of the hair: as it looks, only its depth, only its triangles' numbers."""

    drawn: Any
    shadow: Any
    numbered: Any


class Drawing:
    """A figure's buffers, textures and baked light."""

    def __init__(self, figure: Figure, studio: Studio) -> None:
        self.figure, self._studio = figure, studio
        identity = figure.identity
        self._lights = uniforms(identity.light)
        context = studio.context
        self._texture = context.texture(TEXTURE_SIZE, 4, figure.texture.tobytes())
        self._texture.build_mipmaps()
        self._texture.filter = studio.smooth
        self._room = context.texture((SIDE, SIDE), 3, paint_room(identity).tobytes(), alignment=1)
        self._room.filter = studio.smooth
        corners = np.array((-1, -1, 1, -1, -1, 1, 1, 1), np.float32)
        self._room_mesh = context.vertex_array(
            studio.program("room.vert", "room.frag"),
            [(context.buffer(corners.tobytes()), "2f", "corner")],
        )
        self._moving = context.buffer(reserve=figure.count * 24, dynamic=True)
        self._baked = np.zeros((figure.count, 4), np.float32)
        self._baked[:, 0] = 1.0
        self._fold()
        self._fixed = context.buffer(reserve=figure.count * 48)
        self._shade = context.buffer(np.ones(figure.count, np.float32).tobytes(), dynamic=True)
        self._is_shaded = False
        self._below_arms = np.flatnonzero(figure.places[:, 3] < 0.9)
        self._hair = self._hair_mesh()
        self._eye = self._eyeball()
        self._worn = self._worn_solids()
        self._solids: dict[int, tuple[Solid, Any]] = {}
        self._occluders = self._depth_mesh(self._occluding())
        self._bake()
        seen, locks = ever_seen(
            figure, figure.camera, studio, self._upload_places, self._moving,
            self._hair and self._hair.numbered, self._hair_frames,
        )  # fmt: skip
        self._meshes = {name: self._mesh(name, quads) for name, quads in seen.items()}
        if self._hair is not None:
            self._hair = self._hair_mesh(locks)
        self._arms = {side: self._depth_mesh(self._arm(side)) for side in ("L", "R")}
        self._raised = {
            side: {
                name: self._mesh(name, quads)
                for name, quads in arm_quads(figure, side, ("skin", "cloth")).items()
            }
            for side in ("L", "R")
        }

    def release(self) -> None:
        """Give the GPU's memory back."""
        for thing in (self._texture, self._room, self._moving, self._fixed, self._shade):
            thing.release()

    # Set-up.

    def _fold(self) -> None:
        figure = self.figure
        rng = np.random.default_rng([figure.identity.seed, 0xF0])
        skin = figure.range_of("skin")
        place = figure.places[skin, :3]
        mottle = np.zeros(len(place))
        for _ in range(4):
            wave = rng.normal(0.0, 90.0, 3)
            mottle += np.sin(place @ wave + rng.uniform(0.0, 6.28)) / 2.0
        self._baked[skin, 1] = 1.0 + 0.03 * mottle
        for name in ("cloth", "inner", "collar", "drape", "cover"):
            if name in figure.quads:
                part = figure.range_of(name)
                self._baked[part, 1:] = clothes.folds(rng, figure.places[part])

    def _program(self, name: str) -> Any:
        if name == "skin":
            return self._surface("skin.frag")
        if name in ("upper_teeth", "lower_teeth", "tongue"):
            return self._surface("mouth.frag")
        if name in ("lashes", "beard"):
            return self._surface(f"{name}.frag")
        identity = self.figure.identity
        pattern = PATTERNS.index(identity.pattern)
        garment = _GARMENTS[identity.garment]
        cover = 4 if identity.cover == "scarf" else 3
        tie = 11 if identity.seed % 2 and not identity.feminine else 10
        layer, pattern = {
            "cloth": (0, pattern),
            "collar": (1, pattern if identity.garment == "shirt" else 0),
            "inner": (2, tie),
            "cover": (cover, 0),
            "drape": (5, 0),
            "scalp": (6, 0),
        }[name]
        return self._surface("cloth.frag", LAYER=layer, GARMENT=garment, PATTERN=pattern)

    def _surface(self, fragment: str, **defines: int) -> Any:
        return self._studio.program("surface.vert", fragment, **defines)

    def _mesh(self, name: str, quads: np.ndarray) -> Any:
        context = self._studio.context
        return context.vertex_array(
            self._program(name),
            [
                (self._moving, "3f 3f", "position", "normal"),
                (self._fixed, "4f 4f 4f", "place", "detail", "baked"),
                (self._shade, "1f", "shade"),
            ],
            context.buffer(triangles(quads).tobytes()),
            skip_errors=True,
        )

    def _depth_mesh(self, quads: np.ndarray) -> Any:
        context = self._studio.context
        return context.vertex_array(
            self._studio.program("depth.vert", "depth.frag"),
            [(self._moving, "3f 12x", "position")],
            context.buffer(triangles(quads).tobytes()),
        )

    def _occluding(self) -> np.ndarray:
        """Quads that are really there: garments end within their meshes."""
        figure = self.figure
        kept = [figure.quads["skin"]]
        for name in ("cloth", "inner", "cover", "drape", "scalp"):
            if name in figure.quads:
                quads = figure.quads[name]
                kept.append(quads[(figure.detail[quads, 0] > 0.0).all(axis=1)])
        return np.concatenate(kept)

    def _arm(self, side: str) -> np.ndarray:
        figure = self.figure
        sign = 1.0 if side == "L" else -1.0
        kept = []
        for name in ("skin", "cloth"):
            quads = figure.quads[name]
            place = figure.places[quads]
            on_arm = (place[:, :, 3] > 0.9).all(axis=1) & (sign * place[:, :, 0] > 0).all(axis=1)
            if name == "cloth":
                on_arm &= (figure.detail[quads, 0] > 0.0).all(axis=1)
            kept.append(quads[on_arm])
        return np.concatenate(kept)

    def _hair_mesh(self, seen: np.ndarray | None = None) -> _HairMeshes | None:
        """The hair's meshes; `seen`: the triangles to draw, None: all."""
        hair = self.figure.hair
        if hair is None:
            return None
        context, program = self._studio.context, self._studio.program
        rows = np.concatenate(
            [hair.vertices, hair.along, hair.normals,
             np.stack([hair.across, hair.share, hair.tone, hair.light, hair.chest, hair.free], 1)],
            axis=1,
        )  # fmt: skip
        buffer = context.buffer(rows.astype(np.float32).tobytes())
        everything = context.buffer(hair.triangles.tobytes())
        chosen = hair.triangles if seen is None else hair.triangles[seen]
        places = [(buffer, "3f 40x 2f", "position", "hangs")]
        return _HairMeshes(
            context.vertex_array(
                program("hair.vert", "hair.frag"),
                [(buffer, "3f 3f 3f 4f 2f", "position", "along", "normal", "lock", "hangs")],
                context.buffer(chosen.tobytes()),
            ),
            context.vertex_array(program("depth_hair.vert", "depth.frag"), places, everything),
            context.vertex_array(program("depth_hair.vert", "number.frag"), places, everything),
        )

    def _eyeball(self) -> Any:
        context = self._studio.context
        height = np.linspace(-np.pi / 2, 0.12 * np.pi, 20)
        vertices, quads = lathe(np.stack([np.cos(height), np.sin(height)], axis=1), 28)
        front = vertices[:, [0, 2, 1]]  # the pole, the pupil, to -y
        return context.vertex_array(
            self._studio.program("eye.vert", "eye.frag"),
            [(context.buffer(front.astype(np.float32).tobytes()), "3f", "position")],
            context.buffer(triangles(quads).tobytes()),
        )

    def _worn_solids(self) -> list[tuple[Any, bool]]:
        figure = self.figure
        assets = figure.template.assets
        worn: list[tuple[Any, bool]] = []
        rings = earrings(figure.identity, assets, figure.rest)
        if rings is not None:
            worn.append((self._solid_mesh(rings), False))
        pair = glasses(figure.identity, assets, figure.rest, (figure.eyes[0], figure.eyes[1]))
        if pair is not None:
            worn.append((self._solid_mesh(pair[0]), False))
            worn.append((self._solid_mesh(pair[1], LENS=1), True))
        return worn

    def _solid_mesh(self, made: Solid, **defines: int) -> Any:
        context = self._studio.context
        rows = np.concatenate([made.vertices, made.normals, made.colours, made.gloss[:, None]], 1)
        return context.vertex_array(
            self._studio.program("solid.vert", "solid.frag", **defines),
            [(context.buffer(rows.astype(np.float32).tobytes()), "3f 3f 3f 1f",
              "position", "normal", "tint", "gloss")],
            context.buffer(made.triangles.tobytes()),
            skip_errors=True,
        )  # fmt: skip

    # Baked light.

    def _bake(self) -> None:
        figure = self.figure
        transforms = figure.skeleton.transforms(Pose())
        vertices = figure.posed(np.zeros(52, np.float32), transforms)
        normals = figure.normals(vertices)
        self._upload(vertices, normals)
        place = np.arange(_SKY_DIRECTIONS) + 0.5
        polar = np.arccos(1.0 - 2.0 * place / _SKY_DIRECTIONS)
        turn = np.pi * (1.0 + 5.0**0.5) * place
        sky = np.stack(
            [np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1
        )
        open_, weight = np.zeros(figure.count), np.zeros(figure.count)
        for direction in sky:
            facing = np.maximum(0.0, normals @ direction)
            open_ += facing * self._seen(vertices + 0.006 * normals, direction, 0.62, transforms)
            weight += facing
        openness = figure.smoothed(open_ / (weight + 1e-6), 2)
        openness = np.clip(1.12 * openness, 0.06, 1.0)
        hands = smooth_step(0.9, 1.6, figure.places[:, 3])
        openness = openness * (1.0 - hands) + hands * np.maximum(openness, 0.8)
        # Arms that were baked hanging are raised later: between them and the body it is not black.
        arms = smooth_step(0.0, 0.3, figure.places[:, 3])
        arms = np.maximum(arms, 0.8 * smooth_step(0.10, 0.13, np.abs(figure.places[:, 0])))
        openness = np.maximum(openness, 0.5 * arms)
        rng = np.random.default_rng(0)
        lit = np.zeros(figure.count)
        for _ in range(_KEY_DIRECTIONS):
            direction = unit(np.asarray(self._lights["key_from"]) + rng.normal(0.0, 0.07, 3))
            lit += self._seen(vertices + 0.004 * normals, direction, 0.45, transforms)
        lit = figure.smoothed(lit / _KEY_DIRECTIONS, 1)
        lit = lit * (1.0 - hands) + hands * np.maximum(lit, 0.9)
        lit = np.maximum(lit, 0.45 * arms)
        detail = figure.detail.copy()
        for name in figure.quads:
            part = figure.range_of(name)
            if name in ("upper_teeth", "lower_teeth", "tongue"):
                self._baked[part, 0] = self._inside_mouth(part)
            else:
                self._baked[part, 0] = lit[part]
                if name not in ("lashes", "beard"):
                    detail[part, 2] = openness[part]
        rows = np.concatenate([figure.places, detail, self._baked], axis=1)
        self._fixed.write(rows.astype(np.float32).tobytes())

    def _inside_mouth(self, part: slice) -> np.ndarray:
        """How much light reaches teeth and tongue: less towards the corners and the back."""
        place = self.figure.places[part]
        aside = smooth_step(0.027, 0.012, np.abs(place[:, 0]))
        deep = smooth_step(-0.112, -0.148, place[:, 1])
        return (0.12 + 0.88 * aside) * (0.22 + 0.78 * deep)

    def _seen(
        self, points: np.ndarray, direction: np.ndarray, half: float, transforms: np.ndarray
    ) -> np.ndarray:
        """Which points light from a direction reaches, 0..1 [N]."""
        figure, studio = self.figure, self._studio
        centre = np.array((0.0, 0.0, figure.crown - 0.30))
        view = parallel(half, half, 0.2, 2.4) @ looking(centre + 1.2 * direction, centre)
        studio.shadow_frame.use()
        studio.shadow_frame.clear(depth=1.0)
        studio.context.enable_only(studio.depth_test)
        put(self._occluders.program, view=view)
        self._occluders.render()
        if self._hair is not None:
            head, chest = self._hair_frames(transforms)
            put(self._hair.shadow.program, view=view, head=head, chest=chest)
            self._hair.shadow.render()
        depth = studio.shadow_values()
        at = points @ view[:3, :3].T + view[:3, 3]
        pixel = np.clip((at[:, :2] * 0.5 + 0.5) * SHADOW_SIZE - 0.5, 0.0, SHADOW_SIZE - 1.1)
        low = pixel.astype(int)
        share = pixel - low
        near = at[:, 2] * 0.5 + 0.5 - 0.0022
        seen = np.zeros(len(points))
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            weight = np.abs(1 - dx - share[:, 0]) * np.abs(1 - dy - share[:, 1])
            seen += weight * (near < depth[low[:, 1] + dy, low[:, 0] + dx])
        return seen

    def _hair_frames(self, transforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        frames = []
        for name in ("head", "spine01"):
            full = np.eye(4)
            full[:3] = transforms[self.figure.bone(name)]
            frames.append(full)
        return frames[0], frames[1]

    def _upload(self, vertices: np.ndarray, normals: np.ndarray) -> None:
        rows = np.concatenate([vertices, normals], axis=1)
        self._moving.write(np.ascontiguousarray(rows, np.float32).tobytes())

    def _upload_places(self, vertices: np.ndarray) -> None:
        self._upload(vertices, vertices)

    # Every frame.

    def draw(self, moment: Moment, camera: Camera, size: int) -> np.ndarray:
        """uint8 [size, size, 4], row 0 at the bottom."""
        studio = self._studio
        self._upload(moment.vertices, moment.normals)
        common = {**self._lights, "view": camera.matrix, "eye": camera.eye}
        self._cast_shadow(moment)
        frame = studio.frame(size)
        frame.clear(0.0, 0.0, 0.0, 1.0, depth=1.0)
        studio.context.enable_only(studio.depth_test)
        self._texture.use(0)
        self._draw_skin(moment, common)
        self._draw_eyes(moment, common)
        self._draw_mouth(moment, common)
        self._draw_clothes(moment, common)
        self._draw_hair(moment, common)
        self._draw_solids(moment, common)
        self._draw_room(camera)
        self._draw_lenses(moment, common)
        return np.frombuffer(frame.read(components=4), np.uint8).reshape(size, size, 4)

    def room(self, camera: Camera, size: int) -> np.ndarray:
        """What is behind the figure, uint8 [size, size, 4], row 0 at the bottom."""
        frame = self._studio.frame(size)
        frame.clear(0.0, 0.0, 0.0, 1.0, depth=1.0)
        self._studio.context.enable_only(self._studio.depth_test)
        self._draw_room(camera)
        return np.frombuffer(frame.read(components=4), np.uint8).reshape(size, size, 4)

    def _cast_shadow(self, moment: Moment) -> None:
        """Let raised arms take the key's light from what they are before, softly."""
        if not moment.raised:
            if self._is_shaded:
                self._shade.write(np.ones(self.figure.count, np.float32).tobytes())
                self._is_shaded = False
            return
        studio = self._studio
        centre = np.array((0.0, -0.05, self.figure.crown - 0.32))
        direction = np.asarray(self._lights["key_from"])
        view = parallel(0.42, 0.42, 0.2, 2.4) @ looking(centre + 1.2 * direction, centre)
        studio.shadow_frame.use()
        studio.shadow_frame.clear(depth=1.0)
        studio.context.enable_only(studio.depth_test)
        for side in moment.raised:
            put(self._arms[side].program, view=view)
            self._arms[side].render()
        depth = studio.shadow_values()
        at = moment.vertices[self._below_arms] @ view[:3, :3].T.astype(np.float32)
        at += view[:3, 3].astype(np.float32)
        near = at[:, 2] * 0.5 + 0.5 - _ARM_GAP
        pixel = (at[:, :2] * 0.5 + 0.5) * SHADOW_SIZE
        lit = np.zeros(len(at), np.float32)
        for dx, dy in _SOFT:
            place = np.clip(pixel + (dx, dy), 0, SHADOW_SIZE - 1).astype(np.int32)
            lit += near < depth[place[:, 1], place[:, 0]]
        shade = np.ones(self.figure.count, np.float32)
        shade[self._below_arms] = 0.2 + 0.8 * lit / len(_SOFT)
        self._shade.write(shade.tobytes())
        self._is_shaded = True

    @staticmethod
    def _put(mesh: Any, common: dict[str, Any], **values: Any) -> None:
        put(mesh.program, **common, **values)
        mesh.render()

    def _with_arms(self, name: str, moment: Moment) -> list[Any]:
        """The part's meshes, and those of raised arms."""
        arms = [self._raised[side][name] for side in moment.raised if name in self._raised[side]]
        return [self._meshes[name], *arms]

    def _draw_skin(self, moment: Moment, common: dict[str, Any]) -> None:
        skin = np.array(self.figure.identity.skin)
        light = skin.mean() > 0.45
        self._studio.context.enable(self._studio.cull)
        for mesh in self._with_arms("skin", moment):
            self._put(
                mesh, common, albedo=0, skin=skin, island=ISLAND,
                scatter=np.full(3, 0.42 if light else 0.25), oil=1.0 if light else 1.4,
            )  # fmt: skip
        self._studio.context.disable(self._studio.cull)

    def _draw_eyes(self, moment: Moment, common: dict[str, Any]) -> None:
        figure = self.figure
        head = moment.transforms[figure.bone("head")]
        blink = float(moment.weights[figure.template.assets.shape["eyeBlinkLeft"]])
        for (centre, radius), turn in zip(figure.eyes, moment.gaze, strict=True):
            ball = np.eye(4)
            ball[:3, :3] = head[:, :3] @ turn * radius
            ball[:3, 3] = head[:, :3] @ centre + head[:, 3]
            self._put(
                self._eye, common, ball=ball, head=head[:, :3], iris=figure.identity.iris,
                iris_size=0.40, lid=-0.5 * blink,
            )  # fmt: skip

    def _draw_mouth(self, moment: Moment, common: dict[str, Any]) -> None:
        figure = self.figure
        opened = float(np.clip(figure.face.opening(moment.weights) / 0.012, 0.0, 1.0))
        for name in ("upper_teeth", "lower_teeth", "tongue"):
            self._put(self._meshes[name], common, mouth_open=opened)
        self._put(self._meshes["lashes"], common)
        if "beard" in self._meshes:
            self._put(self._meshes["beard"], common, hair=0.9 * np.array(figure.identity.hair))

    def _draw_clothes(self, moment: Moment, common: dict[str, Any]) -> None:
        identity = self.figure.identity
        first, second, third = (np.array(colour) for colour in identity.colours)
        blazer = identity.garment == "blazer"
        cover = np.array(identity.cover_colour)
        looks = {
            "cloth": (first, 0.5 * first if blazer else third, _FOLDED[identity.garment]),
            "collar": (second if blazer else first, third, 0.3),
            "inner": (first, third, 0.2),
            "cover": (cover, third, 0.2),
            "drape": (cover, third, 0.9),
            "scalp": (0.75 * np.array(identity.hair), third, 0.0),
        }
        for name, (colour, buttons, folded) in looks.items():
            if name not in self._meshes:
                continue
            for mesh in self._with_arms(name, moment):
                self._put(
                    mesh, common, first=colour, second=second, third=buttons,
                    neck=identity.neck, scale=60.0, folded=folded,
                )  # fmt: skip

    def _draw_hair(self, moment: Moment, common: dict[str, Any]) -> None:
        if self._hair is None:
            return
        identity = self.figure.identity
        head, chest = self._hair_frames(moment.transforms)
        colour = np.array(identity.hair)
        curled = style_of(identity) in CURLED
        self._put(
            self._hair.drawn, common, head=head, chest=chest, swing=moment.swing,
            dark=0.80 * colour, bright=np.clip(1.30 * colour + 0.02, 0.0, 1.0),
            gloss=0.4 if curled else 1.0, strands=4.0 if curled else 6.0,
            fray=0.3 if curled else 0.5 if style_of(identity) in LONG else 1.0,
        )  # fmt: skip

    def _draw_solids(self, moment: Moment, common: dict[str, Any]) -> None:
        head, _ = self._hair_frames(moment.transforms)
        for mesh, is_lens in self._worn:
            if not is_lens:
                self._put(mesh, common, model=head)
        for made, model in moment.things:
            known = self._solids.get(id(made))
            if known is None:
                known = (made, self._solid_mesh(made))
                self._solids[id(made)] = known
            self._put(known[1], common, model=model)

    def _draw_lenses(self, moment: Moment, common: dict[str, Any]) -> None:
        studio = self._studio
        head, _ = self._hair_frames(moment.transforms)
        for mesh, is_lens in self._worn:
            if is_lens:
                studio.context.enable(studio.blend)
                studio.context.blend_func = studio.over
                self._put(mesh, common, model=head)
                studio.context.disable(studio.blend)

    def _draw_room(self, camera: Camera) -> None:
        turn = float(np.arctan2(camera.eye[0] - camera.centre[0], camera.centre[1] - camera.eye[1]))
        left = 0.5 * (1.0 - _ROOM_SHARE) + 0.25 * turn
        self._room.use(0)
        put(
            self._room_mesh.program, picture=0,
            window=(left, 0.5 * (1.0 - _ROOM_SHARE), _ROOM_SHARE, _ROOM_SHARE),
        )  # fmt: skip
        self._room_mesh.render(self._studio.strip)


def gaze_turn(yaw: float, pitch: float) -> np.ndarray:
    """[3, 3]: turns an eyeball to the person's left, and down."""
    return about((0, 0, 1), yaw) @ about((1, 0, 0), pitch)

"""Opens OpenGL without a screen (EGL, on llvmpipe where there is no GPU) and compiles shaders."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError

_HEADER = "#version 330\n"
_LIT = {"skin.frag", "eye.frag", "mouth.frag", "lashes.frag", "beard.frag", "solid.frag",
        "hair.vert", "hair.frag", "cloth.frag"}  # fmt: skip
SHADOW_SIZE = 256
"""Side of the depth pictures that light is baked from [pixels]."""


class Studio:
    """One OpenGL context of this process, with its programs and frame buffers.

    Raises ConfigurationError when moderngl or EGL is missing.
    """

    def __init__(self) -> None:
        try:
            import moderngl
        except ImportError as error:
            raise ConfigurationError(
                "people are drawn with moderngl: pip install -r requirements/training.txt"
            ) from error
        os.environ.setdefault("LP_NUM_THREADS", "1")  # one clip a process: threads only wait
        try:
            how: dict[str, Any] = {"standalone": True, "backend": "egl"}
            self.context: Any = moderngl.create_context(**how)
        except Exception as error:
            raise ConfigurationError(
                f"no OpenGL without a screen ({error}): install EGL and Mesa, "
                "on Debian libegl1 and libgl1-mesa-dri"
            ) from error
        self.depth_test, self.blend = moderngl.DEPTH_TEST, moderngl.BLEND
        self.cull = moderngl.CULL_FACE
        self.strip = moderngl.TRIANGLE_STRIP
        self.over = (moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA)
        self.smooth = (moderngl.LINEAR, moderngl.LINEAR)
        self.mipmapped = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        self._programs: dict[tuple[Any, ...], Any] = {}
        self._frames: dict[int, Any] = {}
        self.shadow = self.context.depth_texture((SHADOW_SIZE, SHADOW_SIZE))
        self.shadow.compare_func = ""
        self.shadow.repeat_x = self.shadow.repeat_y = False
        self.shadow_frame = self.context.framebuffer(depth_attachment=self.shadow)

    def program(self, vertex: str, fragment: str, **defines: int) -> Any:
        """The program of two shader files, compiled once; `defines` become #define lines."""
        key = (vertex, fragment, *sorted(defines.items()))
        if key not in self._programs:
            head = "".join(f"#define {name} {value}\n" for name, value in sorted(defines.items()))
            self._programs[key] = self.context.program(
                vertex_shader=_HEADER + head + _source(vertex),
                fragment_shader=_HEADER + head + _source(fragment),
            )
        return self._programs[key]

    def frame(self, size: int) -> Any:
        """The frame buffer of size x size pixels, in use from now on."""
        if size not in self._frames:
            self._frames[size] = self.context.simple_framebuffer((size, size), components=4)
        self._frames[size].use()
        return self._frames[size]

    def shadow_values(self) -> np.ndarray:
        """float32 [SHADOW_SIZE, SHADOW_SIZE]: the depth that was drawn last, 0..1."""
        raw = np.frombuffer(self.shadow.read(), np.float32)
        return raw.reshape(SHADOW_SIZE, SHADOW_SIZE)


@lru_cache(maxsize=1)
def studio() -> Studio:
    """The process's own."""
    return Studio()


@cache
def _source(name: str) -> str:
    folder = resources.files("avatar_nodes.world.people") / "shaders"
    light = (folder / "light.glsl").read_text() if name in _LIT else ""
    return light + (folder / name).read_text()


def put(program: Any, **values: Any) -> None:
    """Set uniforms; those that a shader does not use are passed over. Matrices are [n, n]."""
    for name, value in values.items():
        if name not in program:
            continue
        if isinstance(value, np.ndarray) and value.ndim == 2:
            program[name].write(np.ascontiguousarray(value.T, dtype=np.float32).tobytes())
        elif isinstance(value, (np.ndarray, list, tuple)):
            program[name].value = tuple(float(part) for part in np.ravel(value))
        else:
            program[name].value = value

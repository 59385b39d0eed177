"""Heavy matrices in 8 bits (e4m3): half the memory of bfloat16, and on Hopper and later twice its
arithmetic.

Each row of a weight and each token have a scale of their own. A weight's is found once, from the
weight with its LoRA merged; a token's whenever it comes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from avatar_nodes.model.heavy_layers import is_heavy

FLOAT8 = torch.float8_e4m3fn
_LARGEST = torch.finfo(FLOAT8).max
_LEAST_SCALE = 1e-12


def quantised(rows: Tensor) -> tuple[Tensor, Tensor]:
    """rows [..., K] -> e4m3 [..., K], and what each row is to be multiplied by, float32 [...]."""
    rows = rows.float()
    scale = rows.abs().amax(dim=-1).div(_LARGEST).clamp_min(_LEAST_SCALE)
    return (rows / scale[..., None]).to(FLOAT8), scale


class Float8Linear(nn.Module):
    """A linear layer of an e4m3 weight [out, in], its rows' scales [out] and a bias [out]; for
    serving. Both widths must be multiples of 16.
    """

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        """dtype: of what comes out."""
        super().__init__()
        self.weight: Tensor
        self.scale: Tensor
        self.bias: Tensor
        self.dtype = dtype
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias.to(torch.bfloat16))

    def forward(self, x: Tensor) -> Tensor:
        """x [..., in] of any floating-point dtype -> [..., out]."""
        rows, scale = quantised(x.flatten(0, -2))
        out = torch._scaled_mm(
            rows, self.weight.t(), scale_a=scale[:, None], scale_b=self.scale[None],
            bias=self.bias, out_dtype=torch.bfloat16,
        )  # fmt: skip
        return out.to(self.dtype).unflatten(0, x.shape[:-1])


def use_float8(
    model: nn.Module, dtype: torch.dtype, scales: Mapping[str, Tensor] | None = None
) -> None:
    """Puts Float8Linear in the place of every heavy layer, in place.

    dtype: of what these give. scales: of the weights by their names, if they are e4m3 already.
    """
    for name, layer in list(model.named_modules()):
        if not isinstance(layer, nn.Linear) or not is_heavy(f"{name}.weight"):
            continue
        weight, scale = layer.weight.data, (scales or {}).get(f"{name}.weight")
        if scale is None:
            weight, scale = quantised(weight)
        owner = model.get_submodule(name.rpartition(".")[0])
        setattr(owner, name.rpartition(".")[2], Float8Linear(weight, scale, layer.bias.data, dtype))

"""The base of every section of the profile, and the types that several of them share."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PositiveSeconds = Annotated[float, Field(gt=0.0, le=3600.0)]
NodeSeconds = Annotated[float, Field(ge=0.1, le=3600.0)]

Mode = Literal["puppet", "render", "converse"]
Pace = Literal["realtime", "free"]
QosName = Literal["SYSTEM_DEFAULT", "DEFAULT", "RELIABLE", "SENSOR_DATA"]
DTypeName = Literal["bfloat16", "float16", "float32"]
KVCacheKind = Literal["same_noise", "clean"]
ReferenceLatent = Literal["first", "second"]
DecoderStart = Literal["reference", "still"]
Device = Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")]
Steps = list[Annotated[int, Field(ge=0)]]


def _fall_to_zero(sigmas: list[float]) -> list[float]:
    if sigmas[-1] != 0.0:
        raise ValueError("expected a list that ends in 0.0")
    if any(after >= before for before, after in pairwise(sigmas)):
        raise ValueError("expected a strictly falling list")
    return sigmas


Sigmas = Annotated[list[Annotated[float, Field(ge=0.0, le=1.0)]], AfterValidator(_fall_to_zero)]


class Section(BaseModel):
    """Strict: a string is never read as a number, an unknown key is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

"""What every section of the profile is."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PositiveSeconds = Annotated[float, Field(gt=0.0, le=3600.0)]
NodeSeconds = Annotated[float, Field(ge=0.1, le=3600.0)]


class Section(BaseModel):
    """Strict: a string is never read as a number, an unknown key is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

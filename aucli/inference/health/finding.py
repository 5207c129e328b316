"""One thing that `doctor` found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """ok: works. warn: something that `extract` does not need here. fail: `extract` cannot run.

    text: one line for a person. repair: what to type or do, None where nothing is wrong.
    details: plain JSON values for a program; complete, where the text is short.
    """

    section: str
    name: str
    state: State
    text: str
    repair: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

"""How a decoder of the GPU refuses a file: to a person who named it, or in a note of `auto`."""

from __future__ import annotations

from pathlib import Path

from aucli.errors import DecoderUnavailableError

_WAY_OUT = "; take --decoder auto"


def refused(path: Path, name: str, why: str) -> DecoderUnavailableError:
    """For `raise`: this backend cannot do this file."""
    return DecoderUnavailableError(f"{path}: not with {name}: {why}{_WAY_OUT}")


def in_short(path: Path, error: Exception) -> str:
    """The same without the file and the way out, which `auto` has taken."""
    return str(error).removeprefix(f"{path}: ").removesuffix(_WAY_OUT)

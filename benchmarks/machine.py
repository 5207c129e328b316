"""What a figure was measured on, and where results are kept."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, object]:
    import torch

    names = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {
            name: version(name) for name in ("aucli", "torch", "timm", "av", "numpy", "facenet-pytorch")
        },
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def write(name: str, result: dict[str, object]) -> dict[str, object]:
    """The result with the machine beside it, in its file."""
    result = {"benchmark": name, **result, "machine": machine()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    return result


def save(name: str, result: dict[str, object]) -> None:
    """Write the result, and print it as one JSON line."""
    print(json.dumps(write(name, result)))

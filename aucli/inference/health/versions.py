"""Which versions are installed. Asks the packages' metadata and imports none of them."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from aucli import __version__
from aucli.inference.health.finding import Finding

REQUIRED = (
    *("torch", "torchvision", "timm", "numpy", "scipy", "safetensors", "facenet-pytorch"),
    *("av", "pyarrow", "pandas", "rich", "typer", "insightface", "gdown", "requests", "pympi-ling", "fsspec"),
    *("platformdirs", "matplotlib"),
)
OPTIONAL = (
    # decord has no wheel for some systems; OpenCV has four names, of which one is enough.
    *("decord", "torchcodec", "onnxruntime", "onnxruntime-gpu"),
    *("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
)


def check_versions() -> list[Finding]:
    """aucli, Python and system; then the packages that it stands on."""
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    found = [
        Finding("versions", "aucli", "ok", __version__, details={"version": __version__}),
        Finding(
            "versions",
            "Python",
            "ok",
            f"{platform.python_version()} on {system}",
            details={"version": platform.python_version(), "system": platform.platform()},
        ),
    ]
    installed = {package: _installed(package) for package in (*REQUIRED, *OPTIONAL)}
    shown = ", ".join(f"{package} {number}" for package, number in installed.items() if number)
    missing = [package for package in REQUIRED if installed[package] is None]
    if missing:
        # Whether extract needs it shows in the trials; so this alone is no reason to fail.
        found.append(
            Finding(
                "versions",
                "packages",
                "warn",
                f"not installed: {', '.join(missing)}; installed: {shown}",
                f"pip install {' '.join(missing)}",
                installed,
            )
        )
    else:
        found.append(Finding("versions", "packages", "ok", shown, details=installed))
    return found


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

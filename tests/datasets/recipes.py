"""Small folders in the layouts that the owners of the datasets ship, written where a test needs them."""

from pathlib import Path

import numpy as np
from PIL import Image

BP4D_AUS = (1, 2, *range(4, 8), *range(9, 21), *range(22, 28), 32, 38, 39)
DISFA_AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
BP4D_PEOPLE = [*(f"F{n:03d}" for n in range(1, 24)), *(f"M{n:03d}" for n in range(1, 19))]
# In the order of the dataset's own file names; there are no SN014, SN015, SN019, SN020, SN022.
DISFA_PEOPLE = [f"SN{n:03d}" for n in range(1, 33) if n not in (14, 15, 19, 20, 22)]


def picture(path: Path, value=100, size=256) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(path)
    return path


def write_bp4d_csv(root: Path, subject: str, task: str, rows) -> Path:
    """rows: frame number -> {AU number: value}; what is not named is 0."""
    path = root / "AUCoding" / "AU_OCC" / f"{subject}_{task}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    # The owners' header: the frame's column is called 0; there is an AU that no set has.
    lines = [",".join(map(str, (0, *BP4D_AUS, 30)))]
    lines += [
        ",".join(map(str, (frame, *(values.get(au, 0) for au in BP4D_AUS), 9)))
        for frame, values in rows.items()
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_bp4d(root: Path, people=BP4D_PEOPLE, frames=(7, 8)) -> Path:
    """Everybody, 8 tasks, AU12 present in the first frame of each recording, AU10 not coded in the last."""
    for subject in people:
        for task in range(1, 9):
            rows = {frame: {} for frame in frames}
            rows[frames[0]][12] = 1
            rows[frames[-1]][10] = 9
            write_bp4d_csv(root, subject, f"T{task}", rows)
    return root


def write_disfa_person(root: Path, person: str, intensity: dict[int, list[int]], frames: int) -> Path:
    """intensity: by AU number, for each frame; AUs that are not named are 0 throughout."""
    folder = root / "ActionUnit_Labels" / person
    folder.mkdir(parents=True, exist_ok=True)
    for au in DISFA_AUS:
        values = intensity.get(au, [0] * frames)
        text = "".join(f"{frame},{value}\n" for frame, value in enumerate(values, start=1))
        (folder / f"{person}_au{au}.txt").write_text(text)
    return folder


def write_disfa(root: Path, people=DISFA_PEOPLE) -> Path:
    """Everybody, 3 frames; AU12 rises 0, 1, 2 and AU6 is 5 in the last."""
    for person in people:
        write_disfa_person(root, person, {12: [0, 1, 2], 6: [0, 0, 5]}, 3)
    return root


def write_lines(path: Path, lines) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path

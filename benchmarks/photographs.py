"""What does the tool say of the few photographs of people that ship in its dependencies?

Seven faces: six in `insightface.data.get_image("t1")`, one in `skimage.data.astronaut()`. Nobody has coded
them, so there is no figure but the table of all AUs; `--picture` draws each face over its AUs, to look at.
That picture stays out of the repository: nobody has said under which terms the first photograph is.

    python benchmarks/photographs.py [--model builtin] [--picture faces.png]
"""

import argparse
import tempfile
from pathlib import Path

import insightface.data
import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from machine import write
from PIL import Image

import aucli
from aucli.zoo.catalogue import find

AROUND = 0.35  # of the box, shown beside it


def faces_of(name, pixels, model):
    """Rows of the picture's faces from left to right, each with the face cut out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.png"
        Image.fromarray(pixels).save(path)
        rows = aucli.extract([path], model=model).table.to_pandas().sort_values("face_x")
    for _, row in rows[rows["track"].notna()].iterrows():
        around = AROUND * row["face_h"]
        left, top = max(row["face_x"] - around, 0), max(row["face_y"] - around, 0)
        right, bottom = row["face_x"] + row["face_w"] + around, row["face_y"] + row["face_h"] + around
        yield row, pixels[int(top) : int(bottom), int(left) : int(right)]


def draw(faces, card, path):
    """Each face over bars of its probabilities; full colour at the card's threshold and above."""
    figure, axes = plt.subplots(2, len(faces), figsize=(2.3 * len(faces), 8.5), height_ratios=[1, 3])
    names = list(card.au_names)
    for (label, row, picture), (above, below) in zip(faces, axes.T, strict=True):
        above.imshow(picture)
        above.set_title(label, fontsize=9)
        above.axis("off")
        values = np.array([row[column(au, "_prob")] for au in names])
        present = np.array([bool(row[column(au)]) for au in names])
        below.barh(names, values, color=np.where(present, "#0072b2", "#c8c8c8"))
        below.plot([card.thresholds[au] for au in names], names, "|", color="#d55e00", markersize=7)
        below.set_xlim(0, 1)
        below.invert_yaxis()
        below.tick_params(labelsize=7)
        if below is not axes[1, 0]:
            below.set_yticklabels([])
    figure.suptitle(f"{card.name}: probability, threshold (orange), present (blue)", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def column(au, ending=""):
    number = au.removeprefix("AU")
    side = number[-1] if number[-1] in "LR" else ""
    return f"AU{int(number.removesuffix(side)):02d}{side}{ending}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw faces and AUs into this file")
    args = parser.parse_args()
    pictures = {
        "t1": np.ascontiguousarray(insightface.data.get_image("t1")[..., ::-1]),
        "astronaut": skimage.data.astronaut(),
    }
    faces = [
        (f"{name} {number}", row, face)
        for name, pixels in pictures.items()
        for number, (row, face) in enumerate(faces_of(name, pixels, args.model), 1)
    ]
    card = find(args.model).card
    if args.picture is not None:
        draw(faces, card, args.picture)
    table = {
        label: {au: round(float(row[column(au, "_prob")]), 3) for au in card.au_names}
        for label, row, _ in faces
    }
    present = {label: [au for au in card.au_names if row[column(au)]] for label, row, _ in faces}
    result = {"model": card.name, "sha256": card.sha256, "present": present, "probabilities": table}
    write("photographs", result)
    for label, aus in present.items():
        print(f"{label}: {', '.join(aus) or 'none'}")


if __name__ == "__main__":
    main()

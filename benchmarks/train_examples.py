"""Train a small example of SCC (intensities as heatmaps) or of MDHR (motion) from the synthfaces folder.

    python benchmarks/train_examples.py ../shared/synthfaces --system scc --out runs/scc
    python benchmarks/train_examples.py ../shared/synthfaces --system mdhr --out runs/mdhr
    aucli annotate clip.mp4 --model runs/scc/scc_resnet10_small.synth.json --heatmaps

Their authors publish no weights, so these are there to try both systems with; they are no match for the
authors' and nothing for research. Each is what `aucli train` makes in 15 to 20 minutes on two quiet cores:
the commands are printed as they are run, and the same command goes on where it was stopped. `--precision
bf16` takes half the time where the processor has AVX512-BF16. `--install` puts the result into aucli/zoo: the
two that ship are from there.

- The backbone is the built-in model's (`--init builtin`), the rest begins at random.
- SCC learns from every third still of the training people, with the 68 landmarks that come with them.
- MDHR wants clips, and of these there are two: it learns from clips that are morphed between stills
  (`morphs.py` says what is right and wrong about that). Those two are what it is tested on.

Figures are those of `aucli evaluate`: on the people of val, on the people of mini, who were never looked at
in training, and on mini's two clips through `aucli extract`. They go into results/train_examples_*.json and
from there into the card. Means are over the AUs that are there in some of the faces and not in all.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from machine import save
from morphs import FRAMES_PER_SECOND, write_clips

from aucli.datatypes import counted
from aucli.sinks.atomic import write_json
from aucli.zoo import catalogue
from aucli.zoo.card import Card, read_card
from aucli_models.au import AU_SETS

CLIPS = {"smile": "mini_smile", "two_people": "mini_two"}
"""The two clips that ship with aucli, and what they are called in mini/."""
MORPHED_CLIPS_PER_PERSON = 2
ICT = "Li et al., Learning Formation of Physically-Based Face Attributes (ICT-FaceKit), CVPR 2020"


@dataclass(frozen=True)
class Example:
    """What one of both is trained with, and what its card says; figures come from measurements."""

    au_set: str
    words: tuple[str, ...]
    epochs: int
    title: str
    training_data: str
    description: str
    citation: str

    def arch(self, system: str) -> str:
        return f"{system}_resnet10_small"


EXAMPLES = {
    "scc": Example(
        au_set="disfa_intensity",
        # Heatmaps reach 1275 and begin near 0, so a short training needs a higher rate than the published
        # one; it falls to a tenth at epoch 5. The chin, where AU 26 is read, lies within this crop.
        words=("--batch-size", "16", "--lr", "2e-3", "--crop", "1.1,-0.16"),
        epochs=6,
        title="SCC",
        training_data="synthfaces: {pictures:,} rendered stills of {people} synthetic people with exact "
        "intensities and landmarks, made with ICT-FaceKit Light (MIT). No photograph of anybody was used.",
        description="Example of SCC on a small network, to try the system with: synthetic faces only, a "
        "training of minutes. Not for research. Intensities of 12 AUs and no probabilities; its authors' "
        "network is larger and their weights are not published.",
        citation="Fan, Lam and Li, Facial Action Unit Intensity Estimation via Semantic Correspondence "
        "Learning with Dynamic Graph Convolution, AAAI 2020",
    ),
    "mdhr": Example(
        au_set="disfa",
        words=("--batch-size", "8", "--lr", "5e-4"),
        epochs=9,
        title="MDHR",
        training_data="Clips morphed between rendered stills of {people} synthetic people (synthfaces, made "
        "with ICT-FaceKit Light, MIT), {pictures:,} frames. The motion in them is interpolated, not rendered "
        "and not recorded. No photograph of anybody was used.",
        description="Example of MDHR on a small network, to try the system with: synthetic faces only, a "
        "training of minutes on motion that is interpolated between stills. Not for research. 8 AUs; its "
        "authors' network is larger and their weights are not published.",
        citation="Wang et al., Multi-scale Dynamic and Hierarchical Relationship Modeling for Facial Action "
        "Units Recognition, CVPR 2024",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the synthfaces folder, with trainval/ and mini/")
    parser.add_argument("--system", choices=list(EXAMPLES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for data, run and model")
    parser.add_argument("--epochs", type=int, help="fewer, to see that it works; then no result is kept")
    parser.add_argument("--people", type=int, help="at most so many to train on, likewise")
    parser.add_argument("--precision", default="fp32", help="of training: fp32 or bf16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--install", action="store_true", help="put the result into the package")
    args = parser.parse_args()
    example = EXAMPLES[args.system]
    args.out.mkdir(parents=True, exist_ok=True)
    dataset, root = training_data(args.system, example, args)
    run, name = args.out / "run", f"{example.arch(args.system)}.synth"
    aucli(
        *("train", "--dataset", dataset, "--root", root, "--out", run, "--arch", example.arch(args.system)),
        *("--au-set", example.au_set, "--init", "builtin", *example.words),
        *("--epochs", args.epochs or example.epochs, "--precision", args.precision, "--device", args.device),
        *("--weights", "fp16"),
    )
    path = args.out / f"{name}.json"
    card = example_card(example, name, trained_card(run), run, root)
    write_model(card, run, path)
    figures = measured(args.system, example, path, root, args)
    write_json(path, replace(card, notes=(*card.notes, *in_words(figures))).to_json())
    result = {
        "system": args.system,
        "model": name,
        "sha256": card.sha256,
        "epochs": args.epochs or example.epochs,
        "precision": args.precision,
        "figures": figures,
    }
    if args.epochs is None and args.people is None:
        save(f"train_examples_{args.system}", result)
    else:
        print(json.dumps(result))
    print(f"Written: {path}")
    if args.install:
        zoo = Path(catalogue.__file__).parent
        shutil.copy(path, zoo / "cards")
        shutil.copy(path.with_name(card.weights), zoo / "weights")


def aucli(*words: object, quiet: bool = False) -> str:
    """Run the command as one would type it; returns what it prints on stdout."""
    arguments = [str(word) for word in words]
    print("$ aucli", *arguments, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "aucli.cli.main", *arguments],
        check=False,
        text=True,
        stdout=subprocess.PIPE if quiet else None,
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout or ""


def training_data(system: str, example: Example, args: argparse.Namespace) -> tuple[str, Path]:
    """Dataset and folder for `aucli train`."""
    source, folder = args.data / "trainval", args.out / "data"
    if system == "scc":
        return "synthfaces", some_stills(source, folder, args.people)
    labels = write_clips(
        source,
        folder,
        au_set=example.au_set,
        clips_per_person=MORPHED_CLIPS_PER_PERSON,
        people=args.people,
    )
    return "table", labels.parent


def some_stills(source: Path, folder: Path, people: int | None) -> Path:
    """A folder like synthfaces' trainval with every third picture of the training people, and every fourth of
    val for figures after each epoch.
    """
    stills = pd.read_parquet(source / "labels.parquet")
    place = stills.groupby("subject").cumcount()
    train, val = stills["split"] == "train", stills["split"] == "val"
    chosen = stills["subject"].isin(
        [
            subject
            for part in (train, val)
            for subject in sorted(stills.loc[part, "subject"].unique())[:people]
        ]
    )
    return part_of(source, folder, chosen & ((train & (place % 3 == 0)) | (val & (place % 4 == 0))))


def part_of(source: Path, folder: Path, keep: "pd.Series[bool]", split: str | None = None) -> Path:
    """Some rows of a folder of synthfaces as a folder of its own. split: what they are called there."""
    folder.mkdir(parents=True, exist_ok=True)
    stills = pd.read_parquet(source / "labels.parquet")
    (stills[keep] if split is None else stills[keep].assign(split=split)).to_parquet(
        folder / "labels.parquet"
    )
    landmarks = np.load(source / "landmarks68.npz")["lm64"]
    np.savez(folder / "landmarks68.npz", lm64=landmarks[keep.to_numpy()])
    if not (folder / "images").exists():
        (folder / "images").symlink_to((source / "images").resolve())
    return folder


def trained_card(run: Path) -> Card:
    results = json.loads((run / "run.json").read_text())["results"]
    return read_card(run / results["1"]["model"])


def example_card(example: Example, name: str, trained: Card, run: Path, root: Path) -> Card:
    """The card that `train` has written, with words of what this is."""
    table = pd.read_parquet(root / "labels.parquet", columns=["split", "subject"])
    learnt = table[table["split"] == "train"]
    return replace(
        trained,
        name=name,
        weights=f"{name}.safetensors",
        licence="MIT",
        training_data=example.training_data.format(pictures=len(learnt), people=learnt["subject"].nunique()),
        description=example.description,
        citations=(example.citation, ICT),
        frame_rate=FRAMES_PER_SECOND if trained.reads_clips else None,
    )


def write_model(card: Card, run: Path, path: Path) -> None:
    path.with_name(card.weights).write_bytes((run / trained_card(run).weights).read_bytes())
    write_json(path, card.to_json())


def measured(
    system: str, example: Example, path: Path, root: Path, args: argparse.Namespace
) -> dict[str, Any]:
    """Figures by test: mean and per AU."""
    test = ("evaluate", "--model", path, "--device", args.device, "--json")
    stills = args.data / "mini"
    table = pd.read_parquet(stills / "labels.parquet")
    others = part_of(stills, args.out / "mini", table["subject"].notna(), split="test")
    on = ("--dataset", "synthfaces", "--au-set", example.au_set)
    if system == "scc":
        whole = root if args.people else args.data / "trainval"
        val = aucli(*test, *on, "--root", whole, "--part", "val", quiet=True)
        found = {"stills of val": figures_of(val)}
    else:
        val = aucli(*test, "--dataset", "table", "--root", root, "--part", "val", quiet=True)
        found = {"morphed clips of val": figures_of(val)}
    of_mini = "stills of mini" if system == "scc" else "stills of mini, as clips of one frame"
    found[of_mini] = figures_of(aucli(*test, *on, "--root", others, quiet=True))
    clips = Path(__file__).parents[1] / "aucli" / "examples"
    output = args.out / "clips.parquet"
    aucli("extract", clips, "-o", output, "--model", path, "--device", args.device, "--jobs", 1, "--fresh")
    for clip, track, labels in coded_clips(args.data / "mini", output, args.out, example):
        words = ("evaluate", "--predictions", output, "--labels", labels, "--track", track, "--draws", 0)
        found[f"{clip}.mp4, person {track}"] = figures_of(aucli(*words, "--json", quiet=True))
    return found


def coded_clips(mini: Path, output: Path, folder: Path, example: Example) -> list[tuple[str, int, Path]]:
    """Clip, track and a table of labels for each person of both clips: whose box lies over whose points."""
    found = []
    rows = pq.read_table(output).to_pandas()
    for clip, name in CLIPS.items():
        coded = pd.read_csv(mini / f"{name}.csv")
        here = rows[(rows["video"] == f"{clip}.mp4") & rows["track"].notna()]
        for track, seen in here.groupby("track"):
            centre = (seen["face_x"] + seen["face_w"] / 2).median()
            people = coded.groupby("face")[["x0", "x1"]].median().mean(axis=1)
            face = (people - centre).abs().idxmin()
            mine = coded[coded["face"] == face]
            labels = pd.DataFrame(
                {"video": f"{clip}.mp4", "frame": mine["frame"], "subject": mine["subject"]}
            )
            for au in AU_SETS[example.au_set]:
                labels[f"{au}_occ"], labels[f"{au}_int"] = mine[f"{au}_occ"], mine[au]
            path = folder / f"{clip}_{int(track)}.csv"
            labels.to_csv(path, index=False)
            found.append((clip, int(track), path))
    return found


def figures_of(text: str) -> dict[str, Any]:
    """What `aucli evaluate --json` says, as far as it is kept."""
    (tested,) = json.loads(text)["tested"]
    aus = {}
    for au, one in tested["aus"].items():
        decided = one.get("card", one["protocol"])
        kept = {"positive": one["positive"], "auc": one["auc"], "f1": decided["f1"]}
        aus[au] = kept | {key: one[key] for key in ("icc", "mae") if key in one}
    return {"faces": tested["faces"], "subjects": tested["subjects"], "aus": aus} | means_of(aus)


def means_of(aus: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """Over the AUs that occur in some faces and not in all: of others there is nothing to tell apart."""
    return {
        f"mean_{key}": mean_of(one.get(key) for one in aus.values() if one["auc"] is not None)
        for key in ("auc", "f1", "icc")
    }


def mean_of(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 4) if known else None


def in_words(figures: dict[str, Any]) -> list[str]:
    """Sentences for the card, made of the figures."""
    notes = []
    for what, one in figures.items():
        means = [
            f"{title} {one[f'mean_{key}']:.2f}"
            for title, key in (("AUC", "auc"), ("ICC(3,1)", "icc"))
            if one[f"mean_{key}"] is not None
        ]
        if means:
            notes.append(
                f"aucli evaluate, {what} ({one['faces']} rendered faces, "
                f"{counted(one['subjects'], 'subject')}): mean {', mean '.join(means)}."
            )
    return notes


if __name__ == "__main__":
    main()

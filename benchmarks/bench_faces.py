"""What do detection, re-fit and alignment cost against the size of the picture and the number of faces?

Pictures from 360p to 4K with 0, 1, 4 and 16 faces (fewer where 16 would be too small to be found).
Milliseconds a picture: processor time of one thread on the CPU, wall time on a GPU. Beside it the limit of
the machine, measured in the same run: the operations of MTCNN's networks at the rate of a large matrix
product, or the bytes that must at least be moved (the picture read, its table of 12 bytes a pixel written and
read) at the speed of a copy, whichever takes longer. `detect_of_limit` is that over the measured time.

    python benchmarks/bench_faces.py [--device cpu] [--sizes 360p 720p 1080p 4K] [--faces 0 1 4 16]
"""

import argparse

import numpy as np
import torch
from limits import machine_limits, seconds_of
from machine import save
from people import GRIDS, SIZES, people
from torch.utils.flop_counter import FlopCounterMode

from aucli.datatypes import CropConvention
from aucli.faces.align import crop_faces
from aucli.faces.detect import make_detector

SMALLEST_SIDE = 130  # pixels of a head with its surroundings whose face MTCNN finds with --min-face 40


def measure(detector, size, faces, limits, *, device, rounds):
    width, height = SIZES[size]
    picture = torch.from_numpy(next(people(width, height, faces)).copy()).unsqueeze(0).to(device)
    found = detector.detect(picture)[0]
    with FlopCounterMode(display=False) as counter:
        detector.detect(picture)
    flops = counter.get_total_flops()
    moved = width * height * (3 + 2 * 12)
    limit = max(flops / limits["matrix_gflops"] / 1e9, moved / limits["bandwidth_gbytes_per_second"] / 1e9)
    convention = CropConvention()
    index = np.zeros(len(found), np.int64)
    seconds = {
        "detect": seconds_of(lambda: detector.detect(picture), device, rounds),
        "refit": seconds_of(lambda: detector.refit(picture, [found.boxes]), device, rounds),
        "align": seconds_of(lambda: crop_faces(picture, index, found.landmarks, convention), device, rounds),
    }
    return {
        "faces": faces,
        "faces_found": len(found),
        **{f"{stage}_ms": round(1000 * value, 3) for stage, value in seconds.items()},
        "detect_mflops": round(flops / 1e6, 1),
        "detect_limit_ms": round(1000 * limit, 3),
        "detect_of_limit": round(limit / seconds["detect"], 3),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--faces", nargs="+", type=int, default=list(GRIDS), choices=GRIDS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--result", help="name of the result file, default bench_faces_DEVICE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    limits = machine_limits(args.device, torch.float32)  # MTCNN computes in float32 everywhere
    detector = make_detector("mtcnn", device=args.device)
    rows = []
    for size in args.sizes:
        width, height = SIZES[size]
        for faces in args.faces:
            columns, lines = GRIDS[faces]
            if faces and 0.9 * min(width / columns, height / lines) < SMALLEST_SIDE:
                continue
            row = measure(detector, size, faces, limits, device=args.device, rounds=args.rounds)
            rows.append({"size": size, "width": width, "height": height, **row})
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    save(
        args.result or f"bench_faces_{args.device.replace(':', '')}",
        {"device": args.device, "rounds": args.rounds, "limits": limits, "rows": rows},
    )


if __name__ == "__main__":
    main()

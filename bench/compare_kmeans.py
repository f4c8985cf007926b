#!/usr/bin/python3
"""Compression held against scikit-learn's MiniBatchKMeans with RVC's arguments, on the same generated frames.

Usage: bench/compare_kmeans.py [--rows N] [--dimension D] [--centres C] [--bin build/release/bin]

Prints for each the seconds (by the clock, and of the processor: on a busy machine those count), the steps and the
inertia (the sum of the squared distances of all frames to their nearest centre, computed here for both), and Kith's in
relation to scikit-learn's. Exits with 1 where Kith's inertia is more than 2 % above, or where it took more of the
processor's time. Needs Debian's python3-numpy and python3-sklearn, and several GB of memory at the default size.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_info


def generate(kith: pathlib.Path, folder: pathlib.Path, rows: int, dimension: int) -> np.ndarray:
    made = folder / "frames"
    subprocess.run([kith, "generate", made, "--rows", str(rows), "--dimension", str(dimension)],
                   check=True, stdout=subprocess.DEVNULL)
    return np.concatenate([np.load(path) for path in sorted(made.iterdir())])


def inertia_of(frames: np.ndarray, centres: np.ndarray) -> float:
    norms = (centres.astype(np.float64) ** 2).sum(axis=1)
    total = 0.0
    for first in range(0, len(frames), 2048):
        block = frames[first:first + 2048]
        scores = norms - 2.0 * (block @ centres.T)
        total += float(scores.min(axis=1).sum() + (block.astype(np.float64) ** 2).sum())
    return total


def run_sklearn(frames: np.ndarray, centres: int, cores: int):
    # RVC's arguments, with its number of cores.
    kmeans = MiniBatchKMeans(n_clusters=centres, batch_size=256 * cores, compute_labels=False, init="random", n_init=3,
                             random_state=1234)  # n_init 3 is the default of this version; naming it avoids a warning
    start, cpu_start = time.perf_counter(), time.process_time()
    kmeans.fit(frames)
    return time.perf_counter() - start, time.process_time() - cpu_start, kmeans.n_steps_, kmeans.cluster_centers_


def run_kith(bench: pathlib.Path, folder: pathlib.Path, frames: np.ndarray, centres: int):
    source, result = folder / "frames.npy", folder / "centres.npy"
    np.save(source, frames)
    answer = subprocess.run([bench, source, str(centres), result], check=True, capture_output=True, text=True).stdout
    seconds, _, cpu_seconds, _, _, _, steps, _ = answer.split()
    return float(seconds), float(cpu_seconds), int(steps), np.load(result)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_001)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--centres", type=int, default=10_000)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        frames = generate(arguments.bin / "kith", folder, arguments.rows, arguments.dimension)
        blas = [f"{pool['internal_api']} {pool['num_threads']} threads" for pool in threadpool_info()]
        print(f"{arguments.rows} x {arguments.dimension} to {arguments.centres} centres, {cores} cores; numpy: {blas}",
              flush=True)
        results = {}
        for who, run in (("kith", lambda: run_kith(arguments.bin / "compression_bench", folder, frames,
                                                   arguments.centres)),
                         ("scikit-learn", lambda: run_sklearn(frames, arguments.centres, cores))):
            seconds, cpu_seconds, steps, centres = run()
            results[who] = seconds, cpu_seconds, inertia_of(frames, centres)
            print(f"{who:12}  {seconds:8.1f} s  {cpu_seconds:8.1f} s of the processor  {steps:6} steps  "
                  f"inertia {results[who][-1]:.6g}", flush=True)
    clock, cpu, inertia_ratio = (ours / theirs for ours, theirs in zip(results["kith"], results["scikit-learn"]))
    print(f"kith / scikit-learn: time {clock:.2f}, of the processor {cpu:.2f}, inertia {inertia_ratio:.4f}")
    return 0 if inertia_ratio <= 1.02 and cpu <= 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())

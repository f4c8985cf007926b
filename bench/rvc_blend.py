#!/usr/bin/env python3
"""Time to blend a block of 16 frames as RVC does: by faiss in this process, and through a Kith server.

Usage: KITH_SERVER=HOST:PORT bench/rvc_blend.py INDEX QUERIES.npy

INDEX is an index file of RVC's; the server imports it where it does not have it. Needs the package kith, and faiss.
"""

import sys
import time

import faiss
import numpy as np

import kith.faiss
import kith.rvc

ROWS, BLOCKS, INDEX_RATE = 16, 300, 0.75


def rvc_blend(index, big_npy):
    def blend(npy):
        score, ix = index.search(npy, k=8)
        weight = np.square(1 / score)
        weight /= weight.sum(axis=1, keepdims=True)
        blended = np.sum(big_npy[ix] * np.expand_dims(weight, axis=2), axis=1)
        return blended * INDEX_RATE + (1 - INDEX_RATE) * npy

    return blend


def report(what, blend, queries):
    times = []
    for number in range(BLOCKS):
        first = number * ROWS % (len(queries) - ROWS + 1)
        start = time.perf_counter()
        blend(queries[first : first + ROWS])
        times.append(time.perf_counter() - start)
    print(f"{what:36} p50 {np.percentile(times, 50) * 1e3:6.2f} ms   p95 {np.percentile(times, 95) * 1e3:6.2f} ms")


def main():
    path, queries = sys.argv[1], np.load(sys.argv[2]).astype(np.float32)
    queries = queries.reshape(-1, queries.shape[-1])
    local, remote = faiss.read_index(path), kith.faiss.read_index(path)
    print(f"{remote}, blocks of {ROWS}")
    faiss.omp_set_num_threads(1)  # more cost time where anything else runs
    report("faiss and numpy", rvc_blend(local, local.reconstruct_n(0, local.ntotal)), queries)
    report("kith.faiss and numpy", rvc_blend(remote, remote.reconstruct_n(0, remote.ntotal)), queries)
    retriever = kith.rvc.Retriever(path, budget=1)
    retriever.ready()
    report("kith.rvc.Retriever", lambda block: retriever.blend(block, INDEX_RATE), queries)
    print(f"bypassed: {retriever.bypassed}")


if __name__ == "__main__":
    main()

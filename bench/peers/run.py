#!/usr/bin/python3
"""kithd beside what people have without it: faiss in a Python process, and a plain Python gRPC server with faiss.

Usage: bench/peers/run.py [--rows N] [--clients N] [--quick] [--json] [--bin build/release/bin]

All have the same voice: generated frames, the index that kithd trained by RVC's recipe, blocks of 16 rows, k 8, RVC's
blend. Both servers get the same load over loopback TCP from `kith bench`; all are measured in turns, several rounds, and
the medians of the rounds are told. Python, faiss, numpy and grpcio are Debian's (scripts/setup.sh installs them), as is
protoc, which makes the messages of the Python server. With --json the last line is one object,
{"rows": [{"name", "clients", "p50_ms", "p99_ms", "rows_per_second", "p50_ratio"}]}: p50_ratio is kithd's p50, asked
the same way, by this one's.
"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import faiss
    import grpc
    import numpy as np
except ImportError as error:
    sys.exit(f"{error}: run scripts/setup.sh, and this by Debian's python3, /usr/bin/python3")

from blend import Voice

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
BLOCK, NAME = 16, "voice"


class Process:
    """A server that says where it listens; ended with the block."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.kill()
            sys.exit(f"{command[0]} does not serve")
        self.address = line.split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Contender:
    """`measure` gives the figures of one turn."""

    def __init__(self, name, clients, beside, measure):
        self.name, self.clients, self.beside, self.measure = name, clients, beside, measure
        self.turns = []

    def median(self, key):
        return statistics.median(turn[key] for turn in self.turns)


def run(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(str(part) for part in command)}")
    return done.stdout


def generate(kith, folder, rows, seed):
    run(kith, "generate", folder, "--rows", rows, "--seed", seed)
    return np.concatenate([np.load(path) for path in sorted(folder.iterdir())])


def make_stubs(folder):
    folder.mkdir()
    plugin = run("sh", "-c", "command -v grpc_python_plugin").strip()
    run("protoc", f"-I{PROJECT / 'proto'}", f"--plugin=protoc-gen-grpc_python={plugin}", f"--python_out={folder}",
        f"--grpc_python_out={folder}", "kith/v1/types.proto", "kith/v1/retrieval.proto", "google/rpc/status.proto")
    return folder


def in_process(voice, queries, threads, seconds):
    """Block after block in this process."""
    faiss.omp_set_num_threads(threads)
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        first = len(times) * BLOCK % (len(queries) - BLOCK + 1)
        start = time.perf_counter()
        voice.blend(queries[first:first + BLOCK])
        times.append(time.perf_counter() - start)
    times = times[len(times) // 10:]  # what comes first warms up
    return {"p50_ms": np.percentile(times, 50) * 1e3, "p99_ms": np.percentile(times, 99) * 1e3,
            "rows_per_second": BLOCK * len(times) / sum(times)}


def over_the_wire(kith, address, frames, clients, unary, seconds):
    return json.loads(run(kith, "bench", NAME, "--server", address, "--frames", frames, "--clients", clients,
                          "--seconds", seconds, "--warm-up", 0.5, "--json", *(["--unary"] if unary else [])))


def contenders(kith, folder, voice, queries, addresses, clients, seconds):
    cores = len(os.sched_getaffinity(0))
    frames = folder / "queries.npy"
    made = []
    for count, unary in ((1, False), (1, True), (clients, False)):
        how = "calls" if unary else "stream"
        for server, address in addresses.items():
            def measure(address=address, count=count, unary=unary):
                return over_the_wire(kith, address, frames, count, unary, seconds)
            made.append(Contender(f"{server}, {how}", count, f"kithd, {how}", measure))
    for threads in sorted({1, cores}):
        name = f"faiss in Python, {threads} thread{'s' if threads > 1 else ''}"
        made.append(Contender(name, 1, "kithd, stream",
                              lambda threads=threads: in_process(voice, queries, threads, seconds)))
    return made


def report(made, as_json):
    kithd = {(one.name, one.clients): one.median("p50_ms") for one in made}
    print(f"\n{'':44} {'clients':>7} {'p50 ms':>9} {'p99 ms':>9} {'rows/s':>9}  kithd's p50 / its")
    rows = []
    for one in made:
        ratio = kithd[one.beside, one.clients] / one.median("p50_ms")
        print(f"{one.name:44} {one.clients:7} {one.median('p50_ms'):9.3f} {one.median('p99_ms'):9.3f} "
              f"{one.median('rows_per_second'):9.0f}  {ratio:.3f}")
        rows.append({"name": one.name, "clients": one.clients, "p50_ms": one.median("p50_ms"),
                     "p99_ms": one.median("p99_ms"), "rows_per_second": one.median("rows_per_second"),
                     "p50_ratio": ratio})
    if as_json:
        print(json.dumps({"rows": rows}))


def main():
    parser = argparse.ArgumentParser(description="kithd beside faiss in Python and a plain Python gRPC server.")
    parser.add_argument("--rows", type=int, default=30000, help="stored frames (%(default)s)")
    parser.add_argument("--clients", type=int, default=16, help="of the row with many (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a single short round")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    parser.add_argument("--bin", type=pathlib.Path, default=PROJECT / "build/release/bin", help="where kith and kithd are")
    chosen = parser.parse_args()
    if chosen.rows < 1000 or chosen.clients < 1:
        parser.error("--rows: 1000 at least; --clients: 1 at least")
    kith, kithd = chosen.bin / "kith", chosen.bin / "kithd"
    for program in (kith, kithd):
        if not program.is_file():
            sys.exit(f"{program} is not there: build it (cmake --build --preset release --target kith kithd)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seconds, rounds = (1, 1) if chosen.quick else (3, 5)
    with tempfile.TemporaryDirectory(prefix="kith-peers-") as temporary:
        folder = pathlib.Path(temporary)
        np.save(folder / "frames.npy", generate(kith, folder / "made", chosen.rows, 1))
        queries = generate(kith, folder / "asked", 2000, 2)
        np.save(folder / "queries.npy", queries)
        stubs, index = make_stubs(folder / "stubs"), folder / "voice.index"
        (folder / "kithd.yaml").write_text("log:\n  level: warn\n")
        with Process(kithd, "--config", folder / "kithd.yaml", "--listen", "127.0.0.1:0", "--data-dir",
                     folder / "data") as server:
            run(kith, "train", NAME, folder / "frames.npy", "--recipe", "rvc", "--server", server.address)
            run(kith, "export", NAME, index, "--server", server.address)
            peer = (sys.executable, HERE / "server.py", stubs, index, folder / "frames.npy", "--workers",
                    chosen.clients + 16)
            with Process(*peer) as plain, Process(*peer, "--threads", 1) as one_thread:
                addresses = {"kithd": server.address, "Python server": plain.address,
                             "Python server, faiss 1 thread": one_thread.address}
                made = contenders(kith, folder, Voice(str(index), str(folder / "frames.npy")), queries, addresses,
                                  chosen.clients, seconds)
                print(f"Python {sys.version.split()[0]}, faiss {faiss.__version__}, numpy {np.__version__}, grpcio "
                      f"{grpc.__version__}; N {chosen.rows}, 768 dimensions, blocks of {BLOCK} rows", flush=True)
                for number in range(rounds):
                    print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
                    for one in made:
                        one.turns.append(one.measure())
                report(made, chosen.json)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

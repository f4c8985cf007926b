"""A server of its own for the tests, voices to ask it for, and the judge: Debian's faiss."""

import os
import select
import subprocess
import time
from pathlib import Path

import faiss
import numpy as np
import pytest

import kith

TOP = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("KITH_BIN", TOP / "build" / "release" / "bin"))
PATIENCE = 60  # seconds until a test gives a condition up


class Server:
    """kithd on a free port of this machine."""

    def __init__(self, folder, listen="127.0.0.1:0", config=TOP / "config" / "kithd.yaml"):
        self.log = open(folder / "kithd.log", "ab")
        self.process = subprocess.Popen(
            [BIN / "kithd", "--config", config, "--listen", listen]
            + ["--data-dir", folder / "data"],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "kithd says nothing"
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), (folder / "kithd.log").read_text(errors="replace")
        self.target = line.split()[-1]

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0
        self.process.stdout.close()
        self.log.close()


def wait_until(condition):
    """Waits until condition() is true, and gives what it gave. The condition itself is what takes time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
    pytest.fail("the condition was never met")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def client(server):
    with kith.Client(server.target) as client:
        yield client


def speech(rows, dimension=32, seed=1):
    """Frames in clusters, as speech has them; float32 [rows, dimension]."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(40, dimension))
    return (centres[random.integers(40, size=rows)] + 0.4 * random.normal(size=(rows, dimension))).astype(np.float32)


@pytest.fixture(scope="session")
def frames():
    return speech(3000)


@pytest.fixture(scope="session")
def queries():
    return speech(50, seed=2)


@pytest.fixture(scope="session")
def voice(client, frames):
    """An experiment that searches exactly what faiss.IndexFlatL2 does."""
    client.train("voice", frames, recipe=kith.Recipe(factory="Flat"))
    return "voice"


def build_index(frames, factory="IVF32,Flat", metric=faiss.METRIC_L2, nprobe=1):
    """As RVC builds one."""
    index = faiss.index_factory(frames.shape[1], factory, metric)
    if "IVF" in factory:
        faiss.extract_index_ivf(index).nprobe = nprobe
    index.train(frames)
    index.add(frames)
    return index


@pytest.fixture(scope="session")
def index_file(tmp_path_factory, frames):
    """An index file with the name that RVC gives it."""
    path = tmp_path_factory.mktemp("index") / "added_IVF32_Flat_nprobe_1_my-voice_v2.index"
    faiss.write_index(build_index(frames), str(path))
    return path


def rvc_blend(index, big_npy, npy, index_rate):
    """What RVC's pipeline does with an index."""
    score, ix = index.search(npy, k=8)
    weight = np.square(1 / score)
    weight /= weight.sum(axis=1, keepdims=True)
    blended = np.sum(big_npy[ix] * np.expand_dims(weight, axis=2), axis=1)
    return blended * index_rate + (1 - index_rate) * npy


def assert_same_neighbours(distances, ids, judge):
    """Equal to what faiss found, `judge` (distances, ids): ties within float rounding may change places."""
    np.testing.assert_allclose(distances, judge[0], rtol=1e-4, atol=1e-4)
    different = ids != judge[1]
    assert different.mean() < 0.001, f"{different.sum()} of {different.size} ids differ"
    assert ids.dtype == judge[1].dtype and distances.dtype == judge[0].dtype

"""Clients while a server is stopped and started again."""

import asyncio
import threading

import numpy as np
import pytest

import kith
import kith.aio
from conftest import PATIENCE, Server, wait_until


class Patient(kith.Client):
    """Tells when it waits for a server that drained."""

    waits = threading.Event()

    def _wait_until_back(self, seconds):
        self.waits.set()
        super()._wait_until_back(seconds)


class PatientAio(kith.aio.Client):
    waits = threading.Event()

    async def _wait_until_back(self, seconds):
        self.waits.set()
        await super()._wait_until_back(seconds)


def names_by(client_class, target):
    with client_class(target, connect_timeout=PATIENCE) as client:
        return [experiment.name for experiment in client.list(timeout=PATIENCE)]


def names_by_aio(client_class, target):
    async def names():
        async with client_class(target, connect_timeout=PATIENCE) as client:
            return [experiment.name for experiment in await client.list(timeout=PATIENCE)]

    return asyncio.run(names())


def drains(target):
    with kith.Client(target) as client:
        try:
            client.list(timeout=0.9)  # no time for a second attempt
        except kith.Unavailable as error:
            return error.reason == "SHUTTING_DOWN"
    return False


@pytest.mark.parametrize("client_class, names", [(Patient, names_by), (PatientAio, names_by_aio)])
def test_what_a_drain_refuses_is_answered_by_the_next_server(tmp_path, client_class, names):
    server = Server(tmp_path)
    frames = np.random.default_rng(1).standard_normal((100, 16), dtype=np.float32)
    with kith.Client(server.target) as client:
        client.train("anna", frames)
    begun = threading.Event()
    released = threading.Event()

    def held():  # an addition, which the drain waits for; it begins with more than is under way on a connection
        for _ in range(16):
            yield np.zeros((20_000, 16), dtype=np.float32)
        begun.set()
        released.wait(PATIENCE)

    def upload():
        with kith.Client(server.target) as client:
            client.add("anna", held())

    uploads = threading.Thread(target=upload)
    uploads.start()
    assert begun.wait(PATIENCE)
    server.process.terminate()
    wait_until(lambda: drains(server.target))

    found = []
    asks = threading.Thread(target=lambda: found.extend(names(client_class, server.target)))
    asks.start()
    assert client_class.waits.wait(PATIENCE)
    released.set()
    uploads.join()
    assert server.process.wait(PATIENCE) == 0  # a second signal would end it at once
    again = Server(tmp_path, server.target)
    asks.join()
    again.stop()
    assert found == ["anna"]

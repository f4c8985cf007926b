"""kith.aio.Client gives what kith.Client gives."""

import asyncio

import numpy as np
import pytest
from conftest import wait_until

import kith
import kith.aio


def run(server, body):
    async def main():
        async with kith.aio.Client(server.target) as client:
            return await body(client)

    return asyncio.run(main())


def test_the_whole_life_of_a_voice(server, frames, queries, tmp_path):
    async def body(client):
        phases = []
        built = await client.train("aio", frames, recipe="rvc", on_progress=lambda step: phases.append(step.phase))
        added = await client.add("aio", queries)
        found = await client.search("aio", queries, k=1, nprobe=built.nlist)
        blended = await client.expand("aio", queries, index_rate=0.5)
        stored = await client.frames("aio", first_id=added.first_id)
        exported = await client.export_index("aio", tmp_path / "aio.index")
        imported = await client.import_index("aio-2", exported.path)
        names = [experiment.name for experiment in await client.list()]
        shown = await client.show("aio")
        await client.delete("aio")
        with pytest.raises(kith.NotFound):
            await client.show("aio")
        return phases, built, added, found, blended, stored, imported, names, shown

    phases, built, added, found, blended, stored, imported, names, shown = run(server, body)
    assert phases[-1] == "done"
    np.testing.assert_array_equal(found.ids[:, 0], added.first_id + np.arange(len(queries)))
    assert blended.frames.shape == queries.shape
    np.testing.assert_array_equal(stored, queries)
    assert imported.rows == shown.rows == built.rows + len(queries)
    assert "aio" in names


def test_calls_run_at_once(server, client, voice, queries):
    async def body(aio):
        return await asyncio.gather(*(aio.expand(voice, queries, index_rate=0.5) for _ in range(16)))

    expected = client.expand(voice, queries, index_rate=0.5).frames
    for result in run(server, body):
        np.testing.assert_allclose(result.frames, expected, rtol=1e-5)


def test_frames_of_async_sources(server, frames):
    async def source():
        yield frames[:100]
        yield frames[100:200]

    async def body(client):
        await client.train("async-source", source())
        return (await client.add("async-source", source())).total_rows

    assert run(server, body) == 400


def test_a_source_that_fails_is_the_callers_error(server, client, frames):
    async def broken():
        yield frames
        raise ZeroDivisionError

    def broken_too():
        yield frames
        raise ZeroDivisionError

    async def body(aio):
        with pytest.raises(ZeroDivisionError):
            await aio.train("aio-broken", broken())
        with pytest.raises(ZeroDivisionError):
            await aio.train("aio-broken-too", broken_too())

    run(server, body)
    wait_until(lambda: not [e for e in client.list() if e.name.startswith("aio-broken")])


def test_a_stream(server, client, voice, queries):
    async def body(aio):
        async with aio.stream(voice, index_rate=0.5) as stream:
            await stream.write(queries[:10])
            first = await stream.read()
            await stream.write(queries[:2, :5])
            await stream.write(queries[10:], sequence=9)
            await stream.close()
            return [first] + [block async for block in stream]

    first, bad, last = run(server, body)
    assert (first.sequence, bad.error.reason, last.sequence) == (0, "DIMENSION_MISMATCH", 9)
    expected = client.expand(voice, queries, index_rate=0.5).frames
    np.testing.assert_allclose(np.concatenate([first.result.frames, last.result.frames]), expected, rtol=1e-5)


def test_errors_are_those_of_the_other_client(server, voice, queries):
    async def body(client):
        with pytest.raises(kith.NotFound) as unknown:
            await client.search("nobody", queries)
        with pytest.raises(kith.InvalidArgument) as wrong:
            await client.search(voice, queries[:, :5])
        return unknown.value.reason, wrong.value.reason

    assert run(server, body) == ("EXPERIMENT_NOT_FOUND", "DIMENSION_MISMATCH")


def test_no_server(queries):
    async def body():
        async with kith.aio.Client("127.0.0.1:1") as client:
            await client.search("voice", queries)

    with pytest.raises(kith.Unavailable):
        asyncio.run(body())

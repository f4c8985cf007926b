"""Memory, generations and backups of a server of their own, which restores and unloads all it has."""

import asyncio
import io
import tarfile

import numpy as np
import pytest
from conftest import Server, speech

import kith

FLAT = kith.Recipe(factory="Flat")


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("managed"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def own(own_server):
    with kith.Client(own_server.target) as client:
        yield client


@pytest.fixture
def voice(own, frames):
    """A voice of one generation, new for each test."""
    own.train("voice", frames, recipe=FLAT)
    yield "voice"
    for experiment in own.list():
        own.delete(experiment.name)


def test_a_voice_leaves_memory_and_comes_back(own, voice, frames):
    unloaded = own.unload(voice)
    assert (unloaded.resident, unloaded.bytes, unloaded.state) == (False, 0, "ready")
    assert unloaded.disk_bytes >= frames.nbytes
    assert unloaded.rows == len(frames)
    loaded = own.load(voice)
    assert loaded.resident and loaded.bytes >= frames.nbytes
    own.unload(voice)
    assert own.search(voice, frames[:3], k=1).ids.ravel().tolist() == [0, 1, 2]
    shown = own.show(voice)
    assert shown.resident
    assert shown.last_used is not None and shown.last_used.tzinfo is not None


def test_the_server_says_what_it_is_and_where_the_time_of_its_blocks_went(own, voice, frames):
    before = own.server_info()
    assert before.version == kith.__version__
    assert before.faiss and before.instruction_set and before.search_threads >= 1
    assert "OpenBLAS" in before.blas
    assert before.started is not None and before.started.tzinfo is not None
    assert (before.experiments, before.resident_experiments) == (1, 1)
    assert frames.nbytes <= before.memory_reserved_bytes <= before.memory_budget_bytes
    own.search(voice, frames[:5])
    after = own.server_info()
    grown = {new.name: new.sum - old.sum for new, old in zip(after.histograms, before.histograms)}
    assert grown["kith_batch_rows"] == 5
    for histogram in after.histograms:
        assert len(histogram.counts) == len(histogram.bounds) + 1
        assert sum(histogram.counts) == histogram.count


def test_the_twin_says_the_same(own_server, own, voice):
    async def ask():
        async with kith.aio.Client(own_server.target) as client:
            return await client.server_info()

    assert asyncio.run(ask()).started == own.server_info().started


def test_a_pinned_voice_stays(own, voice):
    own.unload(voice)
    pinned = own.pin(voice)
    assert pinned.pinned and pinned.resident
    with pytest.raises(kith.FailedPrecondition) as caught:
        own.unload(voice)
    assert caught.value.reason == "BAD_PARAMETER"
    assert own.show(voice).resident
    assert not own.unpin(voice).pinned
    assert not own.unload(voice).resident


def test_generations_and_rollback(own, voice, frames, queries):
    own.add(voice, queries)
    second = own.train(voice, frames[:100], recipe=kith.Recipe(factory="Flat", metric="cosine", seed=7))
    newest, oldest = own.generations(voice)
    assert (newest.number, newest.current, newest.rows) == (second.generation, True, 100)
    assert (newest.recipe.metric, newest.recipe.seed, newest.factory) == ("cosine", 7, "Flat")
    assert (oldest.number, oldest.current, oldest.rows) == (1, False, len(frames) + len(queries))
    assert oldest.message == "" and oldest.dimension == frames.shape[1]
    assert oldest.created <= oldest.updated <= newest.created
    assert own.show(voice).disk_bytes == newest.disk_bytes + oldest.disk_bytes

    back = own.rollback(voice)
    assert (back.generation, back.rows, back.metric) == (1, len(frames) + len(queries), "l2")
    np.testing.assert_array_equal(own.frames(voice), np.concatenate([frames, queries]))
    assert own.rollback(voice, second.generation).rows == 100
    with pytest.raises(kith.InvalidArgument) as caught:
        own.rollback(voice, to=77)
    assert caught.value.reason == "BAD_PARAMETER"
    assert "77" in str(caught.value)
    with pytest.raises(kith.InvalidArgument):
        own.rollback(voice, to="the last one")


def test_a_backup_brings_voices_back_as_they_were(own, voice, frames, queries, tmp_path):
    own.add(voice, queries)
    own.train("other", frames[:50], recipe=FLAT)
    found = own.search(voice, queries, k=3)
    result = own.backup(tmp_path / "voices.tar")
    assert (result.experiments, result.generations, result.left_out) == (2, 2, ())
    assert result.bytes == (tmp_path / "voices.tar").stat().st_size
    assert [entry.name for entry in tmp_path.iterdir()] == ["voices.tar"]
    with tarfile.open(tmp_path / "voices.tar") as tar:
        assert any(name.endswith("catalogue.sqlite") for name in tar.getnames())

    own.delete(voice)
    own.train("other", frames[:10], recipe=FLAT)
    with pytest.raises(kith.AlreadyExists, match="other"):
        own.restore(tmp_path / "voices.tar")
    with pytest.raises(kith.NotFound):
        own.show(voice)
    restored = own.restore(tmp_path / "voices.tar", replace=True)
    assert sorted(experiment.name for experiment in restored) == ["other", "voice"]
    assert own.show("other").rows == 50
    again = own.search(voice, queries, k=3)
    np.testing.assert_array_equal(again.ids, found.ids)
    np.testing.assert_array_equal(again.distances, found.distances)


def test_a_backup_into_a_file_of_the_callers(own, voice, tmp_path):
    file = io.BytesIO()
    result = own.backup(file)
    assert result.bytes == len(file.getvalue())
    (tmp_path / "voices.tar").write_bytes(file.getvalue())
    own.delete(voice)
    assert [experiment.name for experiment in own.restore(tmp_path / "voices.tar")] == [voice]


def test_what_is_no_backup_changes_nothing(own, voice, frames, tmp_path):
    np.save(tmp_path / "frames.npy", frames)
    (tmp_path / "empty.tar").touch()
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(tmp_path / "frames.npy", "frames.npy")
    for name in ("frames.npy", "empty.tar", "other.tar"):
        with pytest.raises(kith.InvalidArgument) as caught:
            own.restore(tmp_path / name, replace=True)
        assert caught.value.reason == "BAD_PARAMETER"
    with pytest.raises(FileNotFoundError):
        own.restore(tmp_path / "absent.tar")
    with pytest.raises(IsADirectoryError):
        own.backup(tmp_path)
    assert own.show(voice).rows == len(frames)


def test_a_backup_that_cannot_be_had_leaves_no_file(tmp_path):
    with kith.Client("127.0.0.1:1") as nobody, pytest.raises(kith.Unavailable):
        nobody.backup(tmp_path / "voices.tar")
    assert list(tmp_path.iterdir()) == []


def test_unknown_voices(own):
    for method in (own.load, own.unload, own.pin, own.unpin, own.generations, own.rollback):
        with pytest.raises(kith.NotFound):
            method("nobody")


def test_the_asyncio_client_does_the_same(own_server, own, voice, frames, tmp_path):
    async def body():
        async with kith.aio.Client(own_server.target) as client:
            unloaded = await client.unload(voice)
            loaded = await client.load(voice)
            pinned = await client.pin(voice)
            unpinned = await client.unpin(voice)
            await client.train(voice, speech(40, frames.shape[1]), recipe=FLAT)
            numbers = [generation.number for generation in await client.generations(voice)]
            back = await client.rollback(voice, numbers[1])
            backup = await client.backup(tmp_path / "voices.tar")
            await client.delete(voice)
            restored = await client.restore(tmp_path / "voices.tar")
            with pytest.raises(kith.AlreadyExists):
                await client.restore(tmp_path / "voices.tar")
            return unloaded, loaded, pinned, unpinned, back, backup, restored

    unloaded, loaded, pinned, unpinned, back, backup, restored = asyncio.run(body())
    assert (unloaded.resident, loaded.resident) == (False, True)
    assert (pinned.pinned, unpinned.pinned) == (True, False)
    assert back.generation == 1 and back.rows == len(frames)
    assert backup.bytes == (tmp_path / "voices.tar").stat().st_size
    assert [(experiment.name, experiment.generation) for experiment in restored] == [(voice, 1)]
    assert own.show(voice).rows == len(frames)

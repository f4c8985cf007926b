"""kith.Client against a real server, judged by faiss and numpy."""

import threading

import faiss
import numpy as np
import pytest
from conftest import assert_same_neighbours, rvc_blend, speech, wait_until

import kith


def test_search_answers_as_faiss(client, voice, frames, queries):
    result = client.search(voice, queries, k=5)
    exact = faiss.IndexFlatL2(frames.shape[1])
    exact.add(frames)
    assert_same_neighbours(result.distances, result.ids, exact.search(queries, 5))
    assert result.generation == client.show(voice).generation


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.astype(np.float64),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[np.newaxis],
        lambda x: x.astype(">f4"),
        lambda x: x.tolist(),
    ],
    ids=["float64", "fortran", "strided", "1xnxd", "big-endian", "list"],
)
def test_frames_of_any_form_are_the_same_frames(client, voice, queries, form):
    expected = client.search(voice, queries)
    np.testing.assert_array_equal(client.search(voice, form(queries)).ids, expected.ids)


def test_half_precision_frames_are_taken(client, voice, queries):
    half = queries.astype(np.float16)
    np.testing.assert_array_equal(
        client.search(voice, half).distances, client.search(voice, half.astype(np.float32)).distances
    )


def test_expand_is_rvcs_blend(client, voice, frames, queries):
    exact = faiss.IndexFlatL2(frames.shape[1])
    exact.add(frames)
    result = client.expand(voice, queries, index_rate=0.75)
    np.testing.assert_allclose(result.frames, rvc_blend(exact, frames, queries, 0.75), rtol=1e-3, atol=1e-4)
    assert result.frames.dtype == np.float32 and result.frames.flags.writeable
    assert result.passthrough_rows == 0


def test_alpha_weighting(client, voice, frames, queries):
    ids = client.search(voice, queries, k=4).ids
    cosine = np.einsum("nd,nkd->nk", queries, frames[ids])
    cosine /= np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(frames[ids], axis=2)
    blended = np.einsum("nk,nkd->nd", np.maximum(0, cosine) ** 2, frames[ids])
    blended /= np.linalg.norm(blended, axis=1, keepdims=True)
    result = client.expand(voice, queries, k=4, weighting="alpha", alpha=2, unit_norm=True)
    np.testing.assert_allclose(result.frames, blended, rtol=1e-3, atol=1e-4)


def test_alpha_weighting_with_the_query_itself(client, voice, frames, queries):
    ids = client.search(voice, queries, k=4).ids
    norms = np.linalg.norm(frames[ids], axis=2)
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    weights = np.maximum(0, np.einsum("nd,nkd->nk", unit, frames[ids]) / norms) ** 2
    mean_norm = (weights * norms).sum(axis=1) / weights.sum(axis=1)
    blended = np.einsum("nk,nkd->nd", weights, frames[ids]) + mean_norm[:, None] * unit
    blended /= np.linalg.norm(blended, axis=1, keepdims=True)
    result = client.expand(voice, queries, k=4, weighting="alpha", alpha=2, include_query=True, unit_norm=True)
    np.testing.assert_allclose(result.frames, blended, rtol=1e-3, atol=1e-4)


def test_a_request_above_the_limits_is_one_answer(client, voice, frames):
    many = speech(20_000, frames.shape[1], seed=3)  # above 8,192 rows
    result = client.search(voice, many, k=2)
    assert result.ids.shape == (20_000, 2)
    last = client.search(voice, many[-3:], k=2)
    np.testing.assert_array_equal(result.ids[-3:], last.ids)
    assert client.expand(voice, many).frames.shape == many.shape


def test_train_reports_and_gives_what_was_built(client, frames):
    phases = []
    built = client.train("reported", frames, recipe="rvc", on_progress=lambda step: phases.append(step.phase))
    assert (built.rows, built.dimension, built.nprobe, built.state) == (*frames.shape, 1, "ready")
    assert phases[-1] == "done" and "training" in phases
    assert built.created is not None and built.created.tzinfo is not None
    assert built == client.show("reported")


def test_train_takes_folders_files_and_generators(client, frames, tmp_path):
    np.save(tmp_path / "a.npy", frames[:100])
    np.save(tmp_path / "b.npy", frames[np.newaxis, 100:250].astype(np.float16))
    np.testing.assert_array_equal(_stored(client, tmp_path)[:100], frames[:100])
    assert len(_stored(client, tmp_path / "b.npy")) == 150
    assert len(_stored(client, [tmp_path / "a.npy", frames[100:150]])) == 150
    np.testing.assert_array_equal(_stored(client, (frames[i : i + 10] for i in range(0, 60, 10))), frames[:60])


def _stored(client, source):
    built = client.train("sources", source, recipe=kith.Recipe(factory="Flat"))
    stored = client.frames("sources")
    assert stored.shape == (built.rows, built.dimension) and stored.dtype == np.float32
    return stored


def test_frames_gives_a_range(client, voice, frames):
    np.testing.assert_array_equal(client.frames(voice, first_id=10, count=5), frames[10:15])
    stored, generation = client.frames_and_generation(voice)
    np.testing.assert_array_equal(stored, frames)
    assert generation == client.show(voice).generation
    with pytest.raises(kith.InvalidArgument) as caught:
        client.frames(voice, first_id=len(frames) + 1)
    assert caught.value.reason == "BAD_PARAMETER"


def test_a_source_that_fails_leaves_nothing_behind(client, frames):
    class Broken(Exception):
        pass

    def source():
        yield frames
        raise Broken

    with pytest.raises(Broken):
        client.train("broken", source())
    client.train("whole", frames, recipe=kith.Recipe(factory="Flat"))
    with pytest.raises(Broken):
        client.add("whole", source())
    assert client.show("whole").rows == len(frames)
    wait_until(lambda: "broken" not in [experiment.name for experiment in client.list()])


def test_add_appends_and_is_found(client, frames, queries):
    client.train("added", frames, recipe=kith.Recipe(factory="Flat"))
    result = client.add("added", queries)
    assert (result.first_id, result.rows, result.total_rows) == (len(frames), len(queries), len(frames) + len(queries))
    np.testing.assert_array_equal(client.search("added", queries, k=1).ids[:, 0], len(frames) + np.arange(len(queries)))
    first = client.add("added", queries, request_id="once")
    assert client.add("added", queries, request_id="once") == first


def test_retraining_uses_the_stored_frames(client, frames):
    client.train("again", frames, recipe=kith.Recipe(factory="Flat"))
    built = client.train("again", recipe=kith.Recipe(factory="IVF16,Flat", nprobe=4, metric="cosine"))
    assert (built.generation, built.nlist, built.nprobe, built.metric) == (2, 16, 4, "cosine")


def test_list_show_delete_with_any_name(client, frames):
    name = "Stimme 声 %2F?"
    client.train(name, frames[:50])
    assert name in [experiment.name for experiment in client.list()]
    assert client.show(name).rows == 50
    client.delete(name)
    with pytest.raises(kith.NotFound):
        client.show(name)


def test_stream_answers_every_block_in_order(client, voice, queries):
    with client.stream(voice, index_rate=0.5, budget=30) as stream:
        numbers = [stream.write(queries[i : i + 10]) for i in range(0, 50, 10)]
        stream.close()
        blocks = list(stream)
    assert [block.sequence for block in blocks] == numbers == [0, 1, 2, 3, 4]
    expected = client.expand(voice, queries, index_rate=0.5).frames
    np.testing.assert_allclose(np.concatenate([block.result.frames for block in blocks]), expected, rtol=1e-5)


def test_a_bad_block_costs_that_block_only(client, voice, queries):
    with client.stream(voice, mode="search", k=3) as stream:
        stream.write(queries[:2, :5], sequence=7)
        bad = stream.read()
        stream.write(queries[:2])
        good = stream.read()
    assert (bad.sequence, bad.error.reason, bad.result) == (7, "DIMENSION_MISMATCH", None)
    assert good.error is None and good.result.ids.shape == (2, 3)


def test_a_cancelled_stream_says_so(client, voice):
    stream = client.stream(voice)
    reader = threading.Timer(0, stream.cancel)
    reader.start()
    with pytest.raises(kith.Cancelled):
        stream.read()
    reader.join()


def test_many_threads_share_a_client(client, voice, queries):
    expected = client.search(voice, queries).ids
    results = []
    threads = [threading.Thread(target=lambda: results.append(client.search(voice, queries).ids)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for ids in results:
        np.testing.assert_array_equal(ids, expected)


def test_fewer_neighbours_than_asked_are_padded_as_faiss_does(client, frames, queries):
    few = frames[:3]
    client.train("few", few, recipe=kith.Recipe(factory="Flat"))
    judge = faiss.IndexFlatL2(few.shape[1])
    judge.add(few)
    result = client.search("few", queries, k=5)
    assert_same_neighbours(result.distances, result.ids, judge.search(queries, 5))
    assert (result.ids[:, 3:] == -1).all()


def test_the_default_server_is_that_of_the_environment(server, monkeypatch):
    monkeypatch.setenv("KITH_SERVER", server.target)
    with kith.Client() as client:
        assert client.target == server.target
        client.list()
    monkeypatch.delenv("KITH_SERVER")
    assert kith.Client().target == "127.0.0.1:50051"
    assert kith.Client("example").target == "example:50051"


@pytest.mark.parametrize("name", ["kith://example:7", "kith://example:7/", "example:7/"])
def test_a_server_may_be_written_as_a_url(name, monkeypatch):
    monkeypatch.setenv("KITH_SERVER", name)
    assert kith.Client().target == "example:7"


def test_an_experiment_is_no_server():
    with pytest.raises(kith.InvalidArgument, match="kith://HOST:PORT"):
        kith.Client("kith://example:7/anna")

"""kith.rvc.Retriever in a loop that must not stop."""

import socket

import faiss
import numpy as np
import pytest
from conftest import PATIENCE, Server, build_index, rvc_blend, speech, wait_until

import kith
import kith.rvc


@pytest.fixture
def silent():
    """An address that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_blend_is_rvcs(server, voice, frames, queries):
    exact = faiss.IndexFlatL2(frames.shape[1])
    exact.add(frames)
    retriever = kith.rvc.Retriever(voice, target=server.target, budget=PATIENCE)
    expected = rvc_blend(exact, frames, queries, 0.75)
    np.testing.assert_allclose(retriever.blend(queries, 0.75), expected, rtol=1e-3, atol=1e-4)
    assert (retriever.blocks, retriever.late, retriever.bypassed, retriever.last_error) == (1, 0, 0, None)


def test_a_block_comes_back_in_the_form_it_had(server, voice, queries):
    retriever = kith.rvc.Retriever(f"kith://{server.target}/{voice}", budget=PATIENCE)
    for block in (queries, queries[np.newaxis], queries.astype(np.float16), queries.astype(np.float64)):
        blended = retriever.blend(block, 0.5)
        assert blended.shape == block.shape and blended.dtype == block.dtype
        assert not np.array_equal(blended, block)
    assert retriever.blend(queries, 0) is queries
    assert retriever.blocks == 4


def test_torch_tensors_stay_tensors(server, voice, queries):
    torch = pytest.importorskip("torch")
    retriever = kith.rvc.Retriever(voice, target=server.target, budget=PATIENCE)
    tensor = torch.from_numpy(queries).half()[None]
    blended = retriever.blend(tensor, 0.5)
    assert blended.dtype == tensor.dtype and blended.shape == tensor.shape


def test_a_late_block_comes_back_unchanged(silent, queries):
    retriever = kith.rvc.Retriever("voice", target=silent, budget=0.05)
    assert retriever.blend(queries, 0.75) is queries
    assert (retriever.blocks, retriever.late, retriever.bypassed) == (1, 1, 1)
    assert isinstance(retriever.last_error, kith.DeadlineExceeded)


def test_an_absent_server_costs_no_block(queries):
    retriever = kith.rvc.Retriever("voice", target="127.0.0.1:1", budget=0.5)
    for _ in range(5):
        assert retriever.blend(queries, 0.75) is queries
    assert (retriever.blocks, retriever.bypassed) == (5, 5)


def test_an_unknown_voice_and_a_bad_frame_cost_no_block(server, voice, queries):
    retriever = kith.rvc.Retriever("nobody", target=server.target, budget=PATIENCE)
    assert retriever.blend(queries) is queries
    assert isinstance(retriever.last_error, kith.NotFound)
    nan = np.full_like(queries, np.nan)
    assert kith.rvc.Retriever(voice, target=server.target, budget=PATIENCE).blend(nan) is nan


def test_mistakes_of_the_caller_are_told(server, voice, queries):
    retriever = kith.rvc.Retriever(voice, target=server.target, budget=PATIENCE)
    for block, index_rate in ((queries[:, :5], 1), (queries[0], 1), (queries, 1.5), (queries, float("nan"))):
        with pytest.raises(kith.InvalidArgument):
            retriever.blend(block, index_rate)
    with pytest.raises(kith.InvalidArgument):
        kith.rvc.Retriever(voice, budget=0)
    with pytest.raises(kith.InvalidArgument):
        kith.rvc.Retriever(voice, weighting="best")
    for wrong in ({"k": 0}, {"k": 1025}, {"nprobe": 0}, {"k_factor": 0.5}, {"alpha": -1}, {"alpha": float("nan")}, {"k": "8"}):
        with pytest.raises(kith.InvalidArgument, match=next(iter(wrong))):
            kith.rvc.Retriever(voice, target=server.target, **wrong)
    with pytest.raises(FileNotFoundError):
        kith.rvc.Retriever("logs/absent/voice.index")


def test_it_comes_back_with_the_server(tmp_path, frames, queries):
    first = Server(tmp_path)
    with kith.Client(first.target) as client:
        client.train("voice", frames, recipe=kith.Recipe(factory="Flat"))
    retriever = kith.rvc.Retriever("voice", target=first.target, budget=0.5)
    wait_until(lambda: retriever.blend(queries) is not queries)
    first.stop()
    assert retriever.blend(queries) is queries
    again = Server(tmp_path, listen=first.target)
    wait_until(lambda: retriever.blend(queries) is not queries)
    again.stop()


def test_an_index_file_is_imported_in_the_background(server, tmp_path, monkeypatch):
    path = tmp_path / "live.index"
    stored = speech(1000, seed=5)
    faiss.write_index(build_index(stored, "Flat"), str(path))
    monkeypatch.setenv("KITH_SERVER", server.target)
    retriever = kith.rvc.Retriever(path, budget=PATIENCE)
    assert retriever.ready(PATIENCE)
    np.testing.assert_allclose(retriever.blend(stored[:4]), stored[:4], rtol=1e-5)


def test_an_index_file_without_a_server_costs_no_block(index_file, queries):
    retriever = kith.rvc.Retriever(index_file, target="127.0.0.1:1", budget=0.05)
    assert retriever.blend(queries) is queries
    assert retriever.bypassed == 1 and not retriever.ready(0)
    retriever.close()

"""kith.faiss in the place of faiss, as RVC's pipelines use it."""

import multiprocessing
import os
import shutil
import subprocess
import sys

import faiss
import numpy as np
import pytest
from conftest import BIN, assert_same_neighbours, build_index, rvc_blend

import kith
import kith.faiss


@pytest.fixture
def imported(client, index_file):
    """The experiment that holds the index file, and its URL."""
    client.import_index("my voice", index_file)
    return f"kith://{client.target}/my%20voice"


@pytest.fixture
def judge(index_file):
    return faiss.read_index(str(index_file))


def test_a_url_answers_as_faiss_on_the_file(imported, judge, queries):
    index = kith.faiss.read_index(imported)
    assert (index.d, index.ntotal, index.is_trained) == (judge.d, judge.ntotal, judge.is_trained)
    assert (index.metric_type, index.nprobe, index.nlist) == (judge.metric_type, judge.nprobe, judge.nlist)
    assert_same_neighbours(*index.search(queries, k=8), judge.search(queries, k=8))
    half = queries.astype(np.float16)
    assert_same_neighbours(*index.search(half, 3), judge.search(np.float32(half), 3))
    assert [a.shape for a in index.search(queries[:0], 4)] == [(0, 4), (0, 4)]


def test_what_is_padded_is_padded_as_in_faiss(imported, judge, queries):
    index = kith.faiss.read_index(imported)
    ours, theirs = index.search(queries, 1000), judge.search(queries, 1000)
    assert (theirs[1] == -1).any()
    np.testing.assert_array_equal(ours[1] == -1, theirs[1] == -1)
    np.testing.assert_array_equal(ours[0][ours[1] == -1], theirs[0][theirs[1] == -1])


def test_nprobe_is_of_this_object_only(client, imported, judge, queries):
    index = kith.faiss.read_index(imported)
    index.nprobe = judge.nprobe = 12
    assert index.nprobe == 12
    assert_same_neighbours(*index.search(queries, 8), judge.search(queries, 8))
    assert client.show("my voice").nprobe == 1
    assert kith.faiss.read_index(imported).nprobe == 1


def test_search_parameters_and_arrays_to_fill(imported, judge, queries):
    index = kith.faiss.read_index(imported)
    params = faiss.SearchParametersIVF(nprobe=5)
    distances, ids = np.empty((len(queries), 4), np.float32), np.empty((len(queries), 4), np.int64)
    index.search(queries, 4, params=params, D=distances, I=ids)
    assert_same_neighbours(distances, ids, judge.search(queries, 4, params=params))


def test_reconstruct(imported, judge, frames):
    index = kith.faiss.read_index(imported)
    np.testing.assert_array_equal(index.reconstruct_n(0, index.ntotal), judge.reconstruct_n(0, judge.ntotal))
    np.testing.assert_array_equal(index.reconstruct_n(7, 5), frames[7:12])
    np.testing.assert_array_equal(index.reconstruct(9), frames[9])
    out = index.reconstruct_n(0, 3)
    out[:] = 0  # the caller's own
    np.testing.assert_array_equal(index.reconstruct_n(0, 3), frames[:3])
    for bad in ((0, index.ntotal + 1), (-1, 2)):
        with pytest.raises(RuntimeError):
            index.reconstruct_n(*bad)


def test_rvcs_blend_through_it_is_expand(client, imported, queries):
    index = kith.faiss.read_index(imported)
    big_npy = index.reconstruct_n(0, index.ntotal)
    _, ids = index.search(queries, 8)
    whole = queries[(ids >= 0).all(axis=1)]  # RVC gives NaN or drops the block for the others
    expected = client.expand("my voice", whole, index_rate=0.75).frames
    np.testing.assert_allclose(rvc_blend(index, big_npy, whole, 0.75), expected, rtol=1e-3, atol=1e-4)
    half = whole.astype(np.float16)[np.newaxis]
    blended = index.blend(half, 0.75)
    assert (blended.dtype, blended.shape) == (half.dtype, half.shape)
    expected = client.expand("my voice", np.float32(half), index_rate=0.75).frames
    np.testing.assert_array_equal(blended[0], expected.astype(np.float16))
    index.nprobe = index.nlist
    assert not np.array_equal(index.blend(queries), client.expand("my voice", queries).frames)


def test_another_dimension_is_an_assertion_error_as_in_faiss(imported, queries):
    with pytest.raises(AssertionError):
        kith.faiss.read_index(imported).search(queries[:, :5], k=8)


def test_frames_are_fetched_once_per_generation(client, imported, monkeypatch):
    fetched = []
    real = kith.Client.frames_and_generation

    def counted(self, name, **keywords):
        fetched.append(keywords)
        return real(self, name, **keywords)

    monkeypatch.setattr(kith.Client, "frames_and_generation", counted)
    for _ in range(3):
        index = kith.faiss.read_index(imported)
        index.reconstruct_n(0, index.ntotal)
    assert len(fetched) == 1
    client.add("my voice", np.ones((2, index.d), np.float32))
    index = kith.faiss.read_index(imported)
    np.testing.assert_array_equal(index.reconstruct(index.ntotal - 1), np.ones(index.d))
    assert fetched[1:] == [{"first_id": index.ntotal - 2, "count": 2}]


def test_frames_of_an_old_generation_are_not_blended_with(client, frames, queries):
    client.train("changing", frames, recipe=kith.Recipe(factory="Flat"))
    url = f"kith://{client.target}/changing"
    index = kith.faiss.read_index(url)
    index.search(queries, 8)
    index.reconstruct_n(0, index.ntotal)
    client.train("changing", frames[::-1], recipe=kith.Recipe(factory="Flat"))
    with pytest.raises(kith.FailedPrecondition) as caught:
        index.search(queries, 8)
    assert caught.value.reason == "GENERATION_CHANGED"
    kith.faiss.read_index(url).search(queries, 8)


def test_a_link_made_by_the_cli_stands_for_the_voice(client, imported, judge, queries, tmp_path):
    link = tmp_path / "voice.index"
    subprocess.run([BIN / "kith", "link", "my voice", link, "--server", client.target], check=True)
    assert os.path.exists(link)  # what the pipelines ask first
    index = kith.faiss.read_index(str(link))
    assert index.url == imported
    assert_same_neighbours(*index.search(queries, 8), judge.search(queries, 8))
    link.write_text("kith link 1\nhttp://nothing\n")
    with pytest.raises(kith.InvalidArgument, match="kith://HOST:PORT/NAME"):
        kith.faiss.read_index(link)


def test_an_index_file_stands_for_its_voice(server, client, index_file, judge, queries, monkeypatch):
    monkeypatch.setenv("KITH_SERVER", server.target)
    client.import_index("by hand", index_file)
    index = kith.faiss.read_index(str(index_file))
    assert client.show(index.name).source_sha256 == client.show("by hand").source_sha256
    assert_same_neighbours(*index.search(queries, 8), judge.search(queries, 8))


def test_an_index_file_is_imported_on_first_use(server, client, frames, tmp_path, monkeypatch):
    monkeypatch.setenv("KITH_SERVER", server.target)
    path = tmp_path / "added_IVF16_Flat_nprobe_1_first use_v2.index"
    faiss.write_index(build_index(frames[:1000], "IVF16,Flat"), str(path))
    index = kith.faiss.read_index(path)
    assert index.name.startswith("first use-") and index.ntotal == 1000
    count = len(client.list())
    copy = shutil.copy(path, tmp_path / "elsewhere.index")
    assert kith.faiss.read_index(copy).name == index.name
    assert len(client.list()) == count


def _read(path, names):
    names.put(kith.faiss.read_index(path).name)


def test_two_processes_at_once_import_a_file_once(server, client, frames, tmp_path, monkeypatch):
    monkeypatch.setenv("KITH_SERVER", server.target)
    path = tmp_path / "at once.index"
    faiss.write_index(build_index(frames[:2000], "IVF32,Flat"), str(path))
    spawn = multiprocessing.get_context("spawn")
    names = spawn.Queue()
    readers = [spawn.Process(target=_read, args=(str(path), names)) for _ in range(3)]
    for reader in readers:
        reader.start()
    got = {names.get(timeout=60) for _ in readers}
    for reader in readers:
        reader.join()
    (name,) = got
    assert [e.name for e in client.list() if e.name.startswith("at once")] == [name]


def test_an_empty_index_is_a_clear_error(server, frames, tmp_path, monkeypatch):
    monkeypatch.setenv("KITH_SERVER", server.target)
    index = faiss.index_factory(frames.shape[1], "IVF16,Flat")
    index.train(frames)
    faiss.write_index(index, str(tmp_path / "trained_IVF16.index"))
    with pytest.raises(kith.InvalidArgument, match="added_") as caught:
        kith.faiss.read_index(tmp_path / "trained_IVF16.index")
    assert caught.value.reason == "BAD_INDEX"


def test_what_the_server_refuses_is_read_by_faiss(client, frames, queries, tmp_path, monkeypatch):
    monkeypatch.setenv("KITH_SERVER", client.target)
    hashed = faiss.IndexLSH(frames.shape[1], 64)
    hashed.add(frames)
    own_ids = faiss.IndexIDMap(faiss.IndexFlatL2(frames.shape[1]))
    own_ids.add_with_ids(frames, np.arange(len(frames)) + 7000)
    for name, judge in (("hashed.index", hashed), ("own ids.index", own_ids)):
        faiss.write_index(judge, str(tmp_path / name))
        with pytest.raises(kith.InvalidArgument) as refusal:
            client.import_index("refused", tmp_path / name)
        with pytest.warns(RuntimeWarning) as warned:
            index = kith.faiss.read_index(tmp_path / name)
        assert str(refusal.value) in str(warned[0].message) and warned[0].filename == __file__
        np.testing.assert_array_equal(index.search(queries, 8)[1], judge.search(queries, 8)[1])


def test_what_neither_the_server_nor_faiss_takes_is_the_servers_error(server, index_file, tmp_path, monkeypatch):
    monkeypatch.setenv("KITH_SERVER", server.target)
    (tmp_path / "cut.index").write_bytes(index_file.read_bytes()[:5000])
    with pytest.raises(kith.InvalidArgument) as caught:
        kith.faiss.read_index(tmp_path / "cut.index")
    assert caught.value.reason == "BAD_INDEX"


def test_what_the_server_refuses_is_its_error_without_faiss(server, frames, tmp_path):
    hashed = faiss.IndexLSH(frames.shape[1], 64)
    hashed.add(frames)
    faiss.write_index(hashed, str(tmp_path / "hashed.index"))
    code = """
import sys
sys.modules["faiss"] = None
import kith.faiss
try:
    kith.faiss.read_index(sys.argv[1])
except kith.KithError as error:
    print(error.reason)
"""
    command = [sys.executable, "-c", code, tmp_path / "hashed.index"]
    environment = {**os.environ, "KITH_SERVER": server.target}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "BAD_INDEX"


def test_without_a_server_faiss_reads_the_file_with_a_warning(index_file, judge, queries, monkeypatch):
    for server in ("127.0.0.1:1", None):
        if server:
            monkeypatch.setenv("KITH_SERVER", server)
        else:
            monkeypatch.delenv("KITH_SERVER")
        with pytest.warns(RuntimeWarning, match="not by a Kith server"):
            index = kith.faiss.read_index(str(index_file))
        np.testing.assert_array_equal(index.search(queries, 8)[1], judge.search(queries, 8)[1])


def test_without_a_server_a_url_is_an_error():
    with pytest.raises(kith.Unavailable):
        kith.faiss.read_index("kith://127.0.0.1:1/voice")
    with pytest.raises(kith.InvalidArgument):
        kith.faiss.read_index("kith://127.0.0.1:1")
    with pytest.raises(FileNotFoundError):
        kith.faiss.read_index("absent.index")


def test_everything_else_is_faiss_itself(frames):
    assert kith.faiss.IndexFlatL2 is faiss.IndexFlatL2
    assert kith.faiss.METRIC_L2 == faiss.METRIC_L2
    assert kith.faiss.METRIC_INNER_PRODUCT == faiss.METRIC_INNER_PRODUCT
    assert "index_factory" in dir(kith.faiss)
    assert isinstance(kith.faiss.index_factory(8, "Flat"), faiss.IndexFlat)
    with pytest.raises(AttributeError):
        kith.faiss.no_such_thing


def test_without_faiss_a_url_works_and_the_rest_is_a_clear_error(imported):
    code = f"""
import sys
sys.modules["faiss"] = None  # what an import of a module that is not there comes to
import kith.faiss as faiss
print(faiss.read_index({imported!r}).ntotal)
try:
    faiss.IndexFlatL2
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ntotal, error = done.stdout.splitlines()
    assert int(ntotal) > 0 and "not installed" in error

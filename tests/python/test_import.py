"""Index files in and out, with faiss as the judge."""

import faiss
import numpy as np
import pytest
from conftest import assert_same_neighbours, build_index, speech

import kith


@pytest.mark.parametrize(
    "factory, metric",
    [
        ("Flat", faiss.METRIC_L2),
        ("IVF32,Flat", faiss.METRIC_L2),
        ("IVF32,Flat", faiss.METRIC_INNER_PRODUCT),
    ],
)
def test_an_imported_file_answers_as_faiss_does_on_it(client, frames, queries, tmp_path, factory, metric):
    judge = build_index(frames, factory, metric, nprobe=3)
    faiss.write_index(judge, str(tmp_path / "voice.index"))
    phases = []
    path = tmp_path / "voice.index"
    built = client.import_index("imported", path, on_progress=lambda step: phases.append(step.phase))
    assert phases[-1] == "done"
    assert (built.rows, built.dimension) == frames.shape
    result = client.search("imported", queries, k=8)
    assert_same_neighbours(result.distances, result.ids, judge.search(queries, 8))
    np.testing.assert_array_equal(client.frames("imported"), frames)


@pytest.mark.parametrize("factory", ["Flat", "IVF16,Flat"])
def test_an_exported_file_answers_the_same_in_faiss(client, frames, queries, tmp_path, factory):
    client.train("exported", frames, recipe=kith.Recipe(factory=factory))
    client.add("exported", queries)
    result = client.export_index("exported", tmp_path / "out.index")
    index = faiss.read_index(str(tmp_path / "out.index"))
    assert index.ntotal == len(frames) + len(queries)
    assert result.bytes == (tmp_path / "out.index").stat().st_size
    ours = client.search("exported", queries, k=8)
    assert_same_neighbours(ours.distances, ours.ids, index.search(queries, 8))
    big_npy = index.reconstruct_n(0, index.ntotal)  # as RVC does
    np.testing.assert_array_equal(big_npy, client.frames("exported"))


def test_an_export_into_a_folder_has_rvcs_name(client, tmp_path):
    client.train("named", speech(500, 768), recipe="rvc")
    path = client.export_index("named", tmp_path).path
    assert path.startswith(f"{tmp_path}/added_IVF") and path.endswith("_named_v2.index")
    assert [str(entry) for entry in tmp_path.iterdir()] == [path]


def test_a_failed_export_leaves_no_file(client, tmp_path):
    with pytest.raises(kith.NotFound):
        client.export_index("nobody", tmp_path / "out.index")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_index_is_refused(client, frames, tmp_path):
    np.save(tmp_path / "frames.npy", frames)
    (tmp_path / "cut.index").write_bytes(faiss.serialize_index(build_index(frames)).tobytes()[:5000])
    for name in ("frames.npy", "cut.index"):
        with pytest.raises(kith.InvalidArgument) as caught:
            client.import_index("refused", tmp_path / name)
        assert caught.value.reason == "BAD_INDEX"
    with pytest.raises(FileNotFoundError):
        client.import_index("refused", tmp_path / "absent.index")
    with pytest.raises(kith.NotFound):
        client.show("refused")

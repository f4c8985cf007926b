"""What a caller learns from a failed call."""

import pickle
import socket

import numpy as np
import pytest

import kith


@pytest.fixture
def nowhere():
    """An address on which nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def test_an_unknown_experiment(client, queries):
    with pytest.raises(kith.NotFound) as caught:
        client.search("nobody", queries)
    assert (caught.value.code, caught.value.reason) == ("NOT_FOUND", "EXPERIMENT_NOT_FOUND")
    assert "nobody" in str(caught.value)
    assert isinstance(caught.value, (kith.KithError, LookupError))


@pytest.mark.parametrize(
    "call, reason, says",
    [
        (lambda c, v, q: c.search(v, q[:, :5]), "DIMENSION_MISMATCH", "5"),
        (lambda c, v, q: c.search(v, np.full_like(q, np.nan)), "NOT_FINITE", "row"),
        (lambda c, v, q: c.search(v, q[:0]), "EMPTY_BATCH", ""),
        (lambda c, v, q: c.search(v, q, k=0), "BAD_PARAMETER", "k"),
        (lambda c, v, q: c.search(v, q, k=2**40), "BAD_PARAMETER", "k"),
        (lambda c, v, q: c.search(v, q, nprobe=4), "BAD_PARAMETER", "nprobe"),
        (lambda c, v, q: c.expand(v, q, index_rate=1.5), "BAD_PARAMETER", "index_rate"),
        (lambda c, v, q: c.expand(v, q, weighting="best"), "BAD_PARAMETER", "inverse-square"),
        (lambda c, v, q: c.search(v, q[0]), "BAD_BATCH", "[n, d]"),
        (lambda c, v, q: c.search(v, [["a", "b"]]), "BAD_BATCH", "numbers"),
        (lambda c, v, q: c.train("bad nothing", []), "EMPTY_BATCH", "no frames"),
        (lambda c, v, q: c.train("bad mix", [q, q[:, :5]]), "DIMENSION_MISMATCH", "5"),
        (lambda c, v, q: c.train("bad", q, recipe=kith.Recipe(metric="l1")), "BAD_PARAMETER", "l2"),
        (lambda c, v, q: c.train("bad", q, recipe="rcv"), "BAD_PARAMETER", "rcv"),
        (lambda c, v, q: c.train("a/b", q), "BAD_PARAMETER", ""),
        (lambda c, v, q: c.show("\udc80"), "BAD_PARAMETER", "Unicode"),
        (lambda c, v, q: c.search(v, q, timeout=0), "BAD_PARAMETER", "timeout"),
        (lambda c, v, q: c.stream(v, budget=0), "BAD_PARAMETER", "budget"),
    ],
)
def test_a_mistake_is_named(client, voice, queries, call, reason, says):
    with pytest.raises(kith.InvalidArgument) as caught:
        call(client, voice, queries)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert caught.value.reason == reason
    assert says in str(caught.value)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, RuntimeError)


def test_a_file_that_is_no_npy(client, tmp_path):
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(kith.InvalidArgument, match="text.npy"):
        client.train("bad text", tmp_path)
    with pytest.raises(FileNotFoundError):
        client.train("bad path", tmp_path / "absent.npy")


def test_no_server(nowhere, queries):
    with kith.Client(nowhere) as client, pytest.raises(kith.Unavailable) as caught:
        client.search("voice", queries)
    assert caught.value.reason == ""
    assert nowhere in str(caught.value) and "kithd" in str(caught.value)


def test_a_time_that_is_over(voice, queries):
    with socket.socket() as silent:  # takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with kith.Client(f"127.0.0.1:{silent.getsockname()[1]}") as client:
            with pytest.raises(kith.DeadlineExceeded):
                client.search(voice, queries, timeout=0.2)


def test_a_closed_client(server):
    client = kith.Client(server.target)
    client.close()
    with pytest.raises(kith.Cancelled, match="closed"):
        client.list()


def test_the_details_of_a_status_are_read():
    import kith.errors
    from kith._rpc import error_details_pb2, status_pb2

    status = status_pb2.Status(code=8, message="full")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="OVERLOADED", domain="kith"))
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1500)
    status.details.add().Pack(retry)
    error = kith.errors.from_status(status)
    assert isinstance(error, kith.ResourceExhausted)
    assert (error.reason, error.retry_after) == ("OVERLOADED", 1.5)


def test_errors_survive_a_process_pool():
    error = pickle.loads(pickle.dumps(kith.Unavailable("draining", reason="SHUTTING_DOWN", retry_after=1.0)))
    assert isinstance(error, kith.Unavailable)
    assert (str(error), error.code) == ("draining", "UNAVAILABLE")
    assert (error.reason, error.retry_after) == ("SHUTTING_DOWN", 1.0)


def test_a_call_that_fails_tells_its_id(client, voice, queries):
    with pytest.raises(kith.NotFound) as unnamed:
        client.show("nobody")
    assert len(unnamed.value.request_id) == 16
    with kith.request_id("trace/42"):
        with pytest.raises(kith.NotFound) as named:
            client.show("nobody")
        with client.stream("nobody") as stream, pytest.raises(kith.NotFound) as streamed:
            stream.read()
    assert named.value.request_id == streamed.value.request_id == "trace/42"
    with pytest.raises(kith.NotFound) as after:
        client.show("nobody")
    assert after.value.request_id not in ("trace/42", unnamed.value.request_id)
    assert pickle.loads(pickle.dumps(named.value)).request_id == "trace/42"
    for bad in ("", "a b", "ä", "x" * 129, None):
        with pytest.raises(kith.InvalidArgument), kith.request_id(bad):
            pass


def test_the_log_level_is_told_and_changed(client):
    before = client.server_info().log_level
    assert client.set_log_level("debug") == before
    assert client.server_info().log_level == "debug"
    with pytest.raises(kith.InvalidArgument, match="loud"):
        client.set_log_level("loud")
    assert client.set_log_level(before) == "debug"

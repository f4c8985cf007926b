"""A server with tokens and TLS."""

import asyncio
import subprocess

import pytest

import kith
from conftest import BIN, Server, speech

TOKENS = "auth:\n  tokens: {0}/tokens\n"
TLS = "tls:\n  cert: {0}/server.pem\n  key: {0}/server.key\n  client_ca: {0}/ca.pem\n"


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def make_certificates(folder):
    """ca.pem, and NAME.pem and NAME.key by it for server and client."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests", "-days", "2")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "1"]
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")


def make_token(folder, scopes, experiments):
    command = [BIN / "kith", "token", "create", "--file", folder / "tokens", "--scopes", scopes]
    made = subprocess.run([*command, "--experiments", experiments], check=True, stdout=subprocess.PIPE, text=True)
    return made.stdout.strip()


def start(folder, config):
    (folder / "kithd.yaml").write_text(config.format(folder))
    return Server(folder, config=folder / "kithd.yaml")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("KITH_TLS_CA", "KITH_TLS_CERT", "KITH_TLS_KEY", "KITH_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_tokens(folder, monkeypatch):
    everything = make_token(folder, "read,write", "*")
    reader = make_token(folder, "read", "alice-*")
    server = start(folder, TOKENS)
    try:
        with kith.Client(server.target, token=everything) as client:
            client.train("alice-1", speech(100))
            client.train("bob", speech(100))
        with kith.Client(server.target) as client:
            with pytest.raises(kith.Unauthenticated, match="token") as refused:
                client.show("bob")
            assert refused.value.reason == "UNAUTHENTICATED"
        (folder / "reader").write_text(reader + "\n")
        with kith.Client(server.target, token_file=folder / "reader") as client:
            assert [voice.name for voice in client.list()] == ["alice-1"]
            for name in ("bob", "nobody"):
                with pytest.raises(kith.PermissionDenied):
                    client.search(name, speech(2))
                with client.stream(name) as stream, pytest.raises(kith.PermissionDenied):
                    stream.write(speech(2))
                    stream.read()
            with client.stream("alice-1") as stream:
                stream.write(speech(2))
                assert stream.read().error is None
        monkeypatch.setenv("KITH_TOKEN_FILE", str(folder / "reader"))
        with kith.Client(server.target) as client:
            assert client.show("alice-1").rows == 100
        asyncio.run(look_at_voices(server.target))
    finally:
        server.stop()


async def look_at_voices(target):
    async with kith.aio.Client(target) as client:
        assert (await client.show("alice-1")).rows == 100
        with pytest.raises(kith.PermissionDenied):
            await client.show("bob")
        async with client.stream("alice-1") as stream:
            await stream.write(speech(2))
            assert (await stream.read()).error is None
    async with kith.aio.Client(target, token="kith_wrong") as client:
        with pytest.raises(kith.Unauthenticated):
            await client.show("alice-1")


def test_mutual_tls(folder, monkeypatch):
    make_certificates(folder)
    server = start(folder, TLS)
    try:
        files = {"tls_ca": folder / "ca.pem", "tls_cert": folder / "client.pem", "tls_key": folder / "client.key"}
        with kith.Client(server.target, **files) as client:
            assert client.list() == []
        for wrong in ({}, {"tls_ca": folder / "ca.pem"}, {**files, "tls_ca": "system"}):
            with kith.Client(server.target, **wrong) as client, pytest.raises(kith.Unavailable):
                client.list()
        for name, path in files.items():
            monkeypatch.setenv(f"KITH_{name.upper()}", str(path))
        with kith.Client(server.target) as client:
            assert client.list() == []

        async def ask():
            async with kith.aio.Client(server.target) as client:
                return await client.list()

        assert asyncio.run(ask()) == []
    finally:
        server.stop()


def test_what_cannot_be_is_said_at_once(folder):
    (folder / "text").write_text("hello\n")
    with pytest.raises(FileNotFoundError):
        kith.Client(tls_ca=folder / "missing")
    with pytest.raises(kith.InvalidArgument, match="PEM"):
        kith.Client(tls_ca=folder / "text")
    with pytest.raises(kith.InvalidArgument, match="pair"):
        kith.Client(tls_cert=folder / "text")
    with pytest.raises(FileNotFoundError):
        kith.Client(token_file=folder / "missing")
    for token in ("", "two words", "\x00", "gr\u00fc\u00df"):
        with pytest.raises(kith.InvalidArgument, match="no token"):
            kith.Client(token=token)

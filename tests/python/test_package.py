"""The package itself: that it is whole, typed, and stands beside others."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import BIN, TOP

import kith


def test_the_version_is_that_of_the_programs():
    shown = subprocess.run([BIN / "kith", "--version"], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["kith", kith.__version__]
    assert f'version = "{kith.__version__}"' in (TOP / "client/python/pyproject.toml").read_text()


def test_the_installed_package_says_that_it_is_typed():
    folder = Path(kith.__file__).parent
    assert (folder / "py.typed").is_file()
    assert list((folder / "v1").glob("*_pb2.pyi"))


def test_the_types_hold(tmp_path):
    pytest.importorskip("mypy")
    shutil.copytree(Path(kith.__file__).parent, tmp_path / "kith")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", TOP / "client/python/pyproject.toml", "-p", "kith"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_google_rpc_is_taken_from_whoever_has_it(tmp_path):
    """With google.rpc installed its classes are used; a second registration of them would fail."""
    rpc = tmp_path / "google" / "rpc"
    rpc.mkdir(parents=True)
    vendored = Path(kith.__file__).parent / "_rpc" / "google" / "rpc"
    for name in ("status_pb2.py", "error_details_pb2.py"):
        (rpc / name).write_text((vendored / name).read_text())
    code = f"""
import google
google.__path__.append({str(rpc.parent)!r})
import kith._rpc, google.rpc.status_pb2
assert kith._rpc.status_pb2 is google.rpc.status_pb2
from kith.v1 import retrieval_pb2
retrieval_pb2.StreamExpandResponse(status=google.rpc.status_pb2.Status(code=4))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_copy_without_the_proto_files_says_what_to_do(tmp_path):
    """As pip before 21.3 builds."""
    shutil.copytree(TOP / "client/python", tmp_path / "python")
    build = [sys.executable, "-W", "ignore", "setup.py", "-q", "build_py", "-d", tmp_path / "built"]
    done = subprocess.run(build, cwd=tmp_path / "python", capture_output=True, text=True)
    assert done.returncode != 0
    assert str(tmp_path / "python" / "proto") in done.stderr and "install --upgrade pip" in done.stderr


def test_an_sdist_carries_the_proto_files(tmp_path):
    source = tmp_path / "project"
    for folder in ("proto", "client/python"):
        subprocess.run(["mkdir", "-p", (source / folder).parent], check=True)
        subprocess.run(["cp", "-r", TOP / folder, source / folder], check=True)
    subprocess.run(
        [sys.executable, "-W", "ignore", "setup.py", "-q", "sdist", "-d", tmp_path],
        cwd=source / "client/python",
        check=True,
    )
    (archive,) = tmp_path.glob("kith-*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.split("/", 1)[1] for name in files.getnames() if "/" in name}
        files.extractall(tmp_path / "unpacked")
    assert {"proto/kith/v1/retrieval.proto", "proto/google/rpc/status.proto", "src/kith/py.typed"} <= names
    (folder,) = (tmp_path / "unpacked").iterdir()
    build = [sys.executable, "-W", "ignore", "setup.py", "-q", "build_py", "-d", tmp_path / "built"]
    subprocess.run(build, cwd=folder, check=True)
    assert (tmp_path / "built/kith/v1/retrieval_pb2_grpc.py").is_file()

"""Builds the package: the message classes and stubs are generated from the project's .proto files.

pyproject.toml has everything else. The .proto files are those of the source checkout (../../proto) or, in an sdist,
those that it carries (proto/).
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
API = ["kith/v1/types.proto", "kith/v1/retrieval.proto", "kith/v1/experiments.proto"]
GOOGLE = ["google/rpc/status.proto", "google/rpc/error_details.proto"]


def proto_folder() -> Path:
    for folder in (HERE / "proto", HERE.parent.parent / "proto"):
        if (folder / API[0]).is_file():
            return folder
    raise SystemExit(
        f"kith: the .proto files are neither in {HERE / 'proto'} nor in {HERE.parent.parent / 'proto'}. "
        "pip before 21.3 builds from a copy of client/python alone: upgrade it (python -m pip install --upgrade pip), "
        "and install from a checkout of the whole project, or from its sdist"
    )


def protoc() -> List[str]:
    """The command that generates: grpcio-tools where it is installed, else the system's protoc with its plugin."""
    try:
        import grpc_tools.protoc
    except ImportError:
        plugin = shutil.which("grpc_python_plugin")
        if shutil.which("protoc") is None or plugin is None:
            raise SystemExit(
                "kith: nothing here can generate the stubs; install grpcio-tools, "
                "or Debian's protobuf-compiler and protobuf-compiler-grpc"
            ) from None
        return ["protoc", f"--plugin=protoc-gen-grpc_python={plugin}"]
    include = Path(grpc_tools.__file__).parent / "_proto"  # google/protobuf/*.proto
    return [sys.executable, "-m", "grpc_tools.protoc", f"-I{include}"]


def generate(target: Path) -> None:
    """Writes kith/v1/*_pb2*.py, and google.rpc for those who do not have it under kith/_rpc, below `target`."""
    command = [*protoc(), f"-I{proto_folder()}"]
    vendored = target / "kith" / "_rpc"
    vendored.mkdir(parents=True, exist_ok=True)
    for folder, files, more in ((target, API, [f"--grpc_python_out={target}"]), (vendored, GOOGLE, [])):
        subprocess.check_call([*command, f"--python_out={folder}", f"--pyi_out={folder}", *more, *files])
    for path in (target / "kith" / "v1").glob("*_pb2*.py*"):
        text = re.sub(r"^from google\.rpc import", "from kith._rpc import", path.read_text("utf-8"), flags=re.M)
        path.write_text(text, "utf-8")


class BuildPy(build_py):
    def run(self) -> None:
        super().run()
        editable = getattr(self, "editable_mode", False)
        generate(HERE / "src" if editable else Path(self.build_lib))


class Sdist(sdist):
    def make_release_tree(self, base_dir: str, files: List[str]) -> None:
        super().make_release_tree(base_dir, files)
        for name in API + GOOGLE:
            copy = Path(base_dir) / "proto" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(proto_folder() / name, copy)


setup(cmdclass={"build_py": BuildPy, "sdist": Sdist})

"""Adds graft/v1/*_pb2.py, made from the repository's protos, to what is installed."""

import importlib.resources
import pathlib

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import SetupError

PROTOS = pathlib.Path(__file__).resolve().parents[2] / "proto"


class BuildWithStubs(build_py):
    """google/rpc/*.proto are not compiled: their stubs are those of googleapis-common-protos."""

    def run(self):
        super().run()
        sources = sorted((PROTOS / "graft/v1").glob("*.proto"))
        if not sources:
            raise SetupError(f"{PROTOS}/graft/v1 has no protos: build this package in a checkout of Graft")
        from grpc_tools import protoc  # pylint: disable=import-outside-toplevel

        out = self.build_lib
        flags = [f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}"]
        well_known = importlib.resources.files("grpc_tools") / "_proto"
        command = ["protoc", f"-I{PROTOS}", f"-I{well_known}", *flags, *map(str, sources)]
        if protoc.main(command) != 0:
            raise SetupError("protoc failed: " + " ".join(command))
        (pathlib.Path(out) / "graft/v1/__init__.py").touch()


setup(cmdclass={"build_py": BuildWithStubs})

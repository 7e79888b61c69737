"""Pytest fixtures: the installed Python client, a real server, and photos to push. A conftest.py imports what it needs."""

import pathlib
import subprocess
import sys

import pytest
import python_client

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bench"))
import server as graft_server  # noqa: E402  pylint: disable=wrong-import-position


def pytest_addoption(parser):
    parser.addoption("--build", required=True, help="build/release, with the programs in bin/")


@pytest.fixture(scope="session")
def build(request):
    return pathlib.Path(request.config.getoption("--build")).resolve()


@pytest.fixture(scope="session", autouse=True)
def installed(tmp_path_factory):
    return python_client.install(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Five classes with 12 generated pictures each."""
    folder = tmp_path_factory.mktemp("photos") / "shapes"
    subprocess.run([sys.executable, ROOT / "deploy/make_pictures.py", folder, "12"], check=True)
    return folder


class RestartableServer(graft_server.Server):
    """The next start is on the same port."""

    def __enter__(self):
        if self.address is not None:
            self.flags = ["--listen", self.address]
        return super().__enter__()

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def server(build, tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    graft_server.import_weights(build, data, "mobilenet_v2")
    with RestartableServer(build, data) as running:
        yield running


@pytest.fixture(scope="session")
def client(server):
    import graft  # pylint: disable=import-outside-toplevel

    with graft.Client(server.address) as one:
        yield one

"""See tests/testing/python_fixtures.py; the server here has the model "shapes"."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing"))
# pylint: disable=wrong-import-position,unused-import,redefined-outer-name
from python_fixtures import build, client, installed, photos, pytest_addoption, server  # noqa: E402,F401


@pytest.fixture(scope="session")
def model(client, photos):
    client.push_dataset("shapes", photos)
    job = client.submit_job({"dataset": "shapes", "backbone": "mobilenet_v2", "model": "shapes", "epochs": 1})
    client.follow_job(job.name)
    return "shapes"


@pytest.fixture(scope="session")
def photo(photos):
    return sorted(photos.rglob("*.png"))[0].read_bytes()

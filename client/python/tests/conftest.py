"""See tests/testing/python_fixtures.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests/testing"))
# pylint: disable=wrong-import-position,unused-import
from python_fixtures import build, client, installed, photos, pytest_addoption, server  # noqa: E402,F401

"""client/python as a user has it."""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def install(folder):
    """`pip install ./client/python` into `folder`, where from here on `import graft` finds it.

    What it needs is in the venv of the tests, which have no network.
    """
    checkout, target = folder / "checkout", folder / "installed"
    leftovers = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    for name in ("client/python", "proto"):
        shutil.copytree(ROOT / name, checkout / name, ignore=leftovers)
    flags = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", target]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, "./client/python"], cwd=checkout, check=True)
    sys.path.insert(0, str(target))
    return target

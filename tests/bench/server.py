"""A real graft-server on a data folder of its own, with weights, photos and trained models. Standard library only."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

WEIGHTS = {
    "mobilenet_v2": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    "efficientnet_v2_b0": "efficientnetv2-b0_notop.h5",
}


def assets():
    """The folder with weights/ and datasets/, or None: then weights are random and photos are generated."""
    for folder in (os.environ.get("GRAFT_ASSETS"), ROOT / "../shared/data"):
        if folder and pathlib.Path(folder).is_dir():
            return pathlib.Path(folder).resolve()
    return None


def photos(name="animals5"):
    """A folder with one sub-folder of photos per class."""
    if assets():
        return assets() / "datasets" / name
    folder = ROOT / ".cache/generated"
    if not folder.is_dir():
        subprocess.run([sys.executable, ROOT / "deploy/make_pictures.py", folder], check=True)
    return folder


def spread_out(folder, count):
    """`count` of the photos anywhere in the folder, evenly spread."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return files[:: max(1, len(files) // count)][:count]


def some_photos(target, count):
    """Copies `count` photos of all classes into one folder, what a client sends; its path."""
    target.mkdir(parents=True, exist_ok=True)
    for file in spread_out(photos(), count):
        shutil.copy(file, target / f"{file.parent.name}_{file.name}")
    return target


def small_dataset(target, per_class=40):
    """A folder to train on in seconds: the classes of photos(), `per_class` photos of each; its path."""
    for label in filter(pathlib.Path.is_dir, photos().iterdir()):
        (target / label.name).mkdir(parents=True, exist_ok=True)
        for file in spread_out(label, per_class):
            shutil.copy(file, target / label.name / file.name)
    return target


class Server:
    """Starts with `with`; stops, and checks that it stopped cleanly, at its end."""

    def __init__(self, build, data, flags=()):
        self.bin, self.data, self.flags = pathlib.Path(build) / "bin", pathlib.Path(data), list(flags)
        self.process = self.address = self.metrics_address = None

    def __enter__(self):
        self.data.mkdir(parents=True, exist_ok=True)
        log = self.data / "server.log"
        command = [self.bin / "graft-server", "--data-dir", self.data, "--listen", "127.0.0.1:0",
                   "--drain-seconds", "0"]
        with open(log, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen([*command, "--metrics-listen", "127.0.0.1:0", *self.flags], stderr=file)
        for _ in range(600):
            text = log.read_text(encoding="utf-8", errors="replace")
            # One write; without the second line where metrics are not served.
            if found := re.search(r"^listening on (\S+)\n(?:metrics on (\S+)\n)?", text, re.MULTILINE):
                self.address, self.metrics_address = found.groups()
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.process.kill()
        raise SystemExit(f"graft-server did not start:\n{log.read_text(encoding='utf-8')}")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "none within 90 s"
        if code != 0:
            log = (self.data / "server.log").read_text(encoding="utf-8", errors="replace")
            raise SystemExit(f"graft-server ended with exit code {code}:\n{log[-4000:]}")

    @property
    def pid(self):
        return self.process.pid

    def try_graft(self, *words):
        """(exit code, stdout, stderr) of the command line client."""
        command = [self.bin / "graft", "--server", self.address, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def graft(self, *words):
        code, out, error = self.try_graft(*words)
        if code != 0:
            raise SystemExit(f"graft {' '.join(map(str, words))}: exit code {code}\n{error}{out}")
        return out

    def train(self, model, dataset, backbone, *flags):
        """The finished job, as the client's JSON."""
        words = ("-o", "json", "train", "--dataset", dataset, "--backbone", backbone, "--model", model, *flags)
        return json.loads(self.graft(*words))


def import_weights(build, data, backbone):
    program = [pathlib.Path(build) / "bin/graft-weights"]
    if assets():
        program += ["import", "--file", assets() / "weights" / WEIGHTS[backbone]]
    else:
        program += ["random", "--seed", "7"]
    subprocess.run([*program, "--data-dir", data, "--backbone", backbone], check=True, capture_output=True)

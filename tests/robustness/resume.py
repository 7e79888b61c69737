"""Kills jobs at random moments and compares what they end with: see resume.sh."""

import argparse
import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bench"))
import server as graft_server  # noqa: E402  pylint: disable=wrong-import-position

BACKBONES = ("mobilenet_v2", "efficientnet_v2_b0", "resnet50_v2")

# What is trained, as flags of `graft train`. What a build does not know is shown as left out.
TRAINED = {
    "head": ("--preset", "article", "--epochs", "60", "--patience", "60"),
    "last": ("--preset", "balanced", "--trainable", "blocks:2", "--epochs", "3"),
    "all": ("--preset", "best", "--epochs", "2"),
}

VICTIMS = ("worker", "server", "both")


@dataclasses.dataclass
class Cell:
    """One backbone and what of it is trained."""

    backbone: str
    trained: str

    @property
    def name(self):
        return f"{self.backbone}/{self.trained}"

    @property
    def words(self):
        flags = ("--dataset", "pictures", "--backbone", self.backbone, "--model", "m", *TRAINED[self.trained])
        return ("-o", "json", "train", *flags, "--seed", "5", "--request-id", "resume")


def children(pid, name):
    """Process ids of the living children of `pid` that run the program `name`."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command, _, rest = (folder / "stat").read_text(encoding="utf-8").partition(" (")[2].rpartition(") ")
        except OSError:
            continue
        if command == name and int(rest.split()[1]) == pid:
            found.append(int(folder.name))
    return found


class KilledServer(graft_server.Server):
    """A server that is killed and started again on its data."""

    def kill(self, victim):
        if victim != "server":
            for pid in children(self.pid, "graft-worker"):
                os.kill(pid, signal.SIGKILL)
        if victim != "worker":
            self.process.kill()
            self.process.wait()
            self.__enter__()

    def job(self, name):
        return json.loads(self.graft("-o", "json", "job", "show", name))


def prepare(build, folder, backbones):
    """A data folder with small random networks' weights and a generated data set, from which every run starts."""
    template = folder / "template"
    template.mkdir()
    for backbone in backbones:
        program = [pathlib.Path(build) / "bin/graft-weights", "random", "--seed", "7"]
        subprocess.run([*program, "--data-dir", template, "--backbone", backbone], check=True, capture_output=True)
    subprocess.run([sys.executable, ROOT / "deploy/make_pictures.py", folder / "pictures", "12"], check=True)
    with graft_server.Server(build, template) as server:
        server.graft("dataset", "push", "pictures", folder / "pictures")
    return template


def unknown_to(server, cell):
    """Why this build cannot run the cell, or nothing."""
    code, _, error = server.try_graft(*cell.words, "--validate-only")
    return "" if code == 0 else error.strip().splitlines()[-1]


def outcome(server, job):
    """Digests of what the job trained: head and backbone; nothing when it did not succeed."""
    if "result" not in job:
        return None
    name = job["result"]["modelVersion"].split("/")
    version = json.loads(server.graft("-o", "json", "model", "show", f"{name[1]}:{name[3]}"))
    return job["result"]["weightsSha256"], version["backboneSha256"]


def undisturbed(build, data, cell):
    """The outcome and the seconds of a run that nothing disturbs."""
    with graft_server.Server(build, data) as server:
        reason = unknown_to(server, cell)
        if reason:
            return None, reason
        start = time.monotonic()
        job = json.loads(server.graft(*cell.words))
        return outcome(server, job), time.monotonic() - start


def disturbed(build, data, cell, seconds, kills, chance):
    """The ended job, its outcome, and what was killed while it ran."""
    hits = []
    with KilledServer(build, data) as server:
        name = json.loads(server.graft(*cell.words, "--detach"))["name"]
        for _ in range(kills):
            # A third of the time each: as long as nothing is lost, all of them hit.
            time.sleep(chance.uniform(0, seconds / kills))
            if "endTime" in server.job(name):
                break
            hits.append(chance.choice(VICTIMS))
            server.kill(hits[-1])
        server.try_graft("job", "watch", name)
        job = server.job(name)
        return job, outcome(server, job), hits


def run_cell(build, template, folder, cell, options, chance):
    """How many of the cell's runs ended with other bytes; None when it was left out."""

    def fresh(name):
        data = folder / name
        shutil.copytree(template, data)
        return data

    data = fresh("undisturbed")
    expected, seconds = undisturbed(build, data, cell)
    shutil.rmtree(data)
    if expected is None:
        print(f"{cell.name:28} left out: {seconds}", flush=True)
        return None
    wrong, hits = 0, 0
    for run in range(options.runs):
        data = fresh(f"run-{run}")
        job, found, hit = disturbed(build, data, cell, seconds, options.kills, chance)
        hits += len(hit)
        if found != expected:
            wrong += 1
            print(f"{cell.name}: run {run}, killed {', '.join(hit)}: {json.dumps(job)}", flush=True)
            print((data / "server.log").read_text(encoding="utf-8", errors="replace")[-4000:], flush=True)
        shutil.rmtree(data)
    print(f"{cell.name:28} {options.runs - wrong}/{options.runs} with the same bytes, {hits} kills that hit, "
          f"undisturbed {seconds:.1f} s", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=ROOT / "build/release")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the moments; printed")
    parser.add_argument("--cells", nargs="*", metavar="BACKBONE/TRAINED", help="default: all")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    cells = [Cell(backbone, trained) for backbone in BACKBONES for trained in TRAINED]
    if options.cells:
        unknown = set(options.cells) - {cell.name for cell in cells}
        if unknown:
            parser.error(f"no cell {', '.join(sorted(unknown))}; there are {', '.join(cell.name for cell in cells)}")
        cells = [cell for cell in cells if cell.name in options.cells]
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="graft-resume-") as name:
        folder = pathlib.Path(name)
        template = prepare(options.build, folder, sorted({cell.backbone for cell in cells}))
        wrong = [run_cell(options.build, template, folder, cell, options, chance) for cell in cells]
    if all(count is None for count in wrong):
        raise SystemExit("this build could run none of the cells")
    if any(wrong):
        raise SystemExit(f"{sum(filter(None, wrong))} runs ended with other bytes than an undisturbed one")


if __name__ == "__main__":
    main()

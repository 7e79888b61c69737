"""The article's recipe, from uploaded photos to a published version, beside Keras with the same photos and epochs.

Fixed epochs, no early stopping. Ours: `graft train` on a server that has never seen the photos (a new data folder every
round), submit to published version, client included. Keras': peer_keras.py, from opening the folders to the saved model,
importing Keras not counted. In turns; the one that is not measured does not run.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import report  # noqa: E402
import server  # noqa: E402

EPOCHS = {"mobilenet_v2": 10, "efficientnet_v2_b0": 25}
# What is asked: (photos of animals5 as they are, 7,000), where the processor lists bf16 among its capabilities and where
# it does not. Whether the job used it is another matter.
GOALS = {
    "mobilenet_v2": {"bf16": (25, 40), "f32": (15, 40)},
    "efficientnet_v2_b0": {"bf16": (50, 80), "f32": (40, 80)},
}
SPLITS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def changed(jpeg, copy):
    """The same picture in other bytes: a comment segment after the start marker."""
    text = f"copy {copy}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:] if copy else jpeg


def make_photos(folder, source, count):
    """FOLDER/{train,validation,test}/CLASS: every class cut in the same places, so both sides see one split."""
    files = {label.name: sorted(label.iterdir()) for label in sorted(filter(pathlib.Path.is_dir, source.iterdir()))}
    present = sum(map(len, files.values()))
    copies = -(-count // present) if count else 1
    made = 0
    for copy in range(copies):
        for label, photos in files.items():
            for index, photo in enumerate(photos):
                if count and made == count:
                    return made
                place = (index + 0.5) / len(photos)
                split = "train" if place < SPLITS["train"] else "validation" if place < SPLITS["train"] + SPLITS["validation"] else "test"
                target = folder / split / label
                target.mkdir(parents=True, exist_ok=True)
                (target / f"{copy}_{photo.name}").write_bytes(changed(photo.read_bytes(), copy))
                made += 1
    return made


def run_ours(arguments, backbone, photos):
    """Upload, then the job: its wall time, and what its report says."""
    data = arguments.data_dir / "server"
    shutil.rmtree(data, ignore_errors=True)
    server.import_weights(arguments.build, data, backbone)
    epochs = str(EPOCHS[backbone])
    with server.Server(arguments.build, data) as graft:
        begin = time.perf_counter()
        graft.graft("dataset", "push", "photos", photos)
        pushed = time.perf_counter()
        job = graft.train("model", "photos", backbone, "--preset", "article", "--epochs", epochs, "--patience", epochs)
        end = time.perf_counter()
    result = job["result"]
    return {
        "push": pushed - begin,
        "total": end - pushed,
        "phases": {name: float(seconds) for name, seconds in result["phaseSeconds"].items()},
        "epochs_run": result["epochsRun"],
        "images_computed": result["imagesComputed"],
        "test_accuracy": result["testAccuracy"],
        "precision": result["precision"]["precision"],
    }


def run_keras(arguments, backbone, photos):
    command = [sys.executable, HERE / "peer_keras.py", "--backbone", backbone, "--epochs", EPOCHS[backbone], "--photos", photos]
    command += ["--weights", server.assets() / "weights" / server.WEIGHTS[backbone]]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"peer_keras.py: exit code {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def limit(arguments, photos):
    """Images/s of decode and forward pass in a plain loop on all cores, with what the last round published."""
    command = [arguments.build / "bench/graft-in-process", "--data-dir", arguments.data_dir / "server", "--model", "model"]
    command += ["--payload", server.some_photos(arguments.data_dir / "sample", 64), "--seconds", 3]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["throughput"]


def measure(arguments, backbone, photos):
    ours, keras = [], []
    for number in range(arguments.rounds):
        print(f"{backbone}: round {number + 1} of {arguments.rounds}", file=sys.stderr)
        ours.append(run_ours(arguments, backbone, photos))
        keras.append(run_keras(arguments, backbone, photos))
        ours.append(run_ours(arguments, backbone, photos))
    return {"ours": ours, "keras": keras, "in_process": limit(arguments, photos)}


def wall(runs):
    return report.spread([run["total"] for run in runs])


def speed_table(results):
    rows = []
    for backbone, result in results.items():
        ours, keras = wall(result["ours"]), wall(result["keras"])
        push = report.spread([run["push"] for run in result["ours"]])
        with_upload = keras["median"] / (ours["median"] + push["median"])
        accuracy = [f"{runs[0]['test_accuracy']:.3f}" for runs in (result["ours"], result["keras"])]
        rows.append([backbone, EPOCHS[backbone], result["ours"][0]["precision"], report.shown(ours, 2), report.shown(push, 2), report.shown(keras, 1),
                     f"{keras['median'] / ours['median']:.1f}", f"{with_upload:.1f}", " / ".join(accuracy)])
    head = ["backbone", "epochs", "precision", "Graft, job s", "its upload before s", "Keras s", "Keras / job", "Keras / (upload and job)",
            "test accuracy, Graft / Keras"]
    return report.table(head, rows)


def phase_table(results, photos):
    names = list(dict.fromkeys(name for result in results.values() for run in result["ours"] for name in run["phases"] if name != "total"))
    rows = []
    for backbone, result in results.items():
        phases = {name: report.spread([run["phases"].get(name, 0) for run in result["ours"]]) for name in names}
        client = report.spread([run["total"] - run["phases"]["total"] for run in result["ours"]])
        rows.append([backbone, *(report.shown(phases[name], 2) for name in names), report.shown(client, 2),
                     report.shown(wall(result["ours"]), 2), f"{photos / result['in_process']:.2f}"])
    head = ["backbone", *(f"{name} s" for name in names), "queue, client s", "wall s", "decode and forward at the in-process limit s"]
    return report.table(head, rows)


def lists_bf16():
    return any(flag in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8") for flag in (" avx512_bf16 ", " amx_bf16 "))


def checks(results, large):
    rows = []
    for backbone, result in results.items():
        goal = GOALS[backbone]["bf16" if lists_bf16() else "f32"][large]
        ratio = wall(result["keras"])["median"] / wall(result["ours"])["median"]
        rows.append((f"{backbone}: times faster than Keras, at least {goal}", f"{ratio:.1f}", ratio >= goal))
        gap = max(abs(1 - run["phases"]["total"] / run["total"]) for run in result["ours"])
        rows.append((f"{backbone}: phases sum to the wall time within 5 %", f"{100 * gap:.1f} %", gap <= 0.05))
        ran = all(run["epochs_run"] == EPOCHS[backbone] for run in result["ours"])
        rows.append((f"{backbone}: every epoch was run", f"{result['ours'][0]['epochs_run']}", ran))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    report.add_arguments(parser, "training")
    parser.add_argument("--backbone", action="append", choices=sorted(EPOCHS), help="default: both")
    parser.add_argument("--photos", type=int, default=0, help="repeat the set, in other bytes, to this many; default: as it is")
    parser.add_argument("--rounds", type=int, default=1, help="of Graft, Keras, Graft")
    arguments = parser.parse_args()
    if not server.assets():
        raise SystemExit("training: needs GRAFT_ASSETS: random weights and generated pictures would measure nothing real")

    shutil.rmtree(arguments.data_dir, ignore_errors=True)
    photos = arguments.data_dir / "photos"
    count = make_photos(photos, server.photos("animals5"), arguments.photos)
    results = {backbone: measure(arguments, backbone, photos) for backbone in arguments.backbone or EPOCHS}
    body = "\n\n".join([f"{count} photos, 70/15/15.", speed_table(results), phase_table(results, count),
                        report.verdicts(checks(results, arguments.photos >= 7000))])
    name = f"training-{arguments.photos}" if arguments.photos else "training"
    report.write(name, f"### {count} photos", body, {"photos": count, "results": results}, arguments)


if __name__ == "__main__":
    main()

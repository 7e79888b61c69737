#!/usr/bin/env python3
"""What a sweep of 64 candidates costs beside one job with one of them: the same photos, features cached, jobs in turns.

Without early stop: the one candidate runs all its epochs, as do the last four of the sweep.
"""

import argparse
import shutil

import report
import server

SWEEP = "lr=1e-4:1e-1:16,weight_decay=0/1e-4/1e-3/1e-2"
CANDIDATES = 64
MOST = 3  # times one


def seconds(job):
    return job["result"]["phaseSeconds"]["train"], job["result"]["phaseSeconds"]["total"]


def measure(arguments, backbone, running):
    """{"one": [(train, total), ...], "sweep": [...]}, and the validation loss of both."""
    flags = {"one": ("--patience", 1000), "sweep": ("--patience", 1000, "--sweep", SWEEP)}
    measured, losses = {name: [] for name in flags}, {}
    running.train("sweep", arguments.dataset, backbone)  # the features are there from now on
    for _ in range(arguments.rounds):
        for name, words in flags.items():
            job = running.train("sweep", arguments.dataset, backbone, *words)
            trials = len(job["result"].get("trials", []))
            if name == "sweep" and trials != CANDIDATES:
                raise SystemExit(f"{trials} candidates were tried, not {CANDIDATES}")
            measured[name].append(seconds(job))
            losses[name] = job["result"]["validationLoss"]
    return measured, losses


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    report.add_arguments(parser, "sweep-data")
    parser.add_argument("--backbones", nargs="+", default=["mobilenet_v2", "efficientnet_v2_b0"])
    parser.add_argument("--dataset", default="animals5")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    shutil.rmtree(arguments.data_dir, ignore_errors=True)
    rows, checks, data = [], [], {}
    for backbone in arguments.backbones:
        server.import_weights(arguments.build, arguments.data_dir, backbone)
    with server.Server(arguments.build, arguments.data_dir) as running:
        running.graft("dataset", "push", arguments.dataset, server.photos(arguments.dataset))
        for backbone in arguments.backbones:
            measured, losses = measure(arguments, backbone, running)
            trained, total = ({name: report.spread([run[place] for run in runs]) for name, runs in measured.items()}
                              for place in (0, 1))
            for name in measured:
                candidates = CANDIDATES if name == "sweep" else 1
                rows.append((backbone, candidates, report.shown(trained[name], 2), report.shown(total[name], 2),
                             f"{losses[name]:.4f}"))
            for what, of in (("training", trained), ("the whole job", total)):
                ratio = of["sweep"]["median"] / of["one"]["median"]
                checks.append((f"{backbone}: {CANDIDATES} candidates cost at most {MOST} times one, {what}",
                               f"{ratio:.2f} x", ratio <= MOST))
            data[backbone] = measured
    head = ["backbone", "candidates", "training, seconds", "whole job, seconds", "validation loss of the best"]
    body = (f"`graft train --dataset {arguments.dataset} --patience 1000`, alone and with `--sweep {SWEEP}`; features cached.\n\n"
            f"{report.table(head, rows)}\n\n{report.verdicts(checks)}")
    report.write("sweep", "### A sweep beside one job", body, {"seconds": data}, arguments)


if __name__ == "__main__":
    main()

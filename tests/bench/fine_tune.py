#!/usr/bin/env python3
"""Full fine-tuning, images/s per step, beside PyTorch eager and Keras: engines take turns, each in a process of its own."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

import report

HERE = pathlib.Path(__file__).resolve().parent


def rates(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["images_per_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    report.add_arguments(parser, "fine-tune-data")
    parser.add_argument("--torch-python", help="a Python with fine_tune_requirements.txt; without it, no PyTorch")
    parser.add_argument("--keras-python", help="a Python with requirements.txt; without it, no Keras")
    parser.add_argument("--backbones", nargs="+", default=["mobilenet_v2", "efficientnet_v2_b0", "resnet50_v2"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--train-statistics", action="store_true", help="batch norms on the batch's statistics")
    arguments = parser.parse_args()

    engines = {"graft": [arguments.build / "bench/fine_tune_bench"]}
    for name, python in (("torch", arguments.torch_python), ("keras", arguments.keras_python)):
        if python:
            engines[name] = [python, HERE / "fine_tune_peer.py", name]
    flags = [f"--{name}={getattr(arguments, name)}" for name in ("steps", "batch", "threads")]
    flags += ["--bf16"] * arguments.bf16 + ["--train-statistics"] * arguments.train_statistics

    measured, rows = {}, []
    for backbone in arguments.backbones:
        of_engines = {name: [] for name in engines}
        for _ in range(arguments.rounds):
            for name, command in engines.items():
                of_engines[name] += rates([*command, f"--backbone={backbone}", *flags])
                print(f"{backbone} {name} {of_engines[name][-1]:.1f}", file=sys.stderr)
        ours = statistics.median(of_engines["graft"])
        for name, values in of_engines.items():
            rows.append((backbone, name, report.shown(report.spread(values), 1), f"{ours / statistics.median(values):.2f}"))
        measured[backbone] = of_engines
    body = report.table(["backbone", "engine", "images/s of a step", "Graft is so many times as fast"], rows)
    report.write("fine-tune", "### Full fine-tuning", body, {"images_per_second": measured}, arguments)


if __name__ == "__main__":
    main()

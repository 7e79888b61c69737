#!/usr/bin/env python3
"""What the jobs of accuracy.sh reached: per data set, backbone and preset, and beside the first preset, paired by seed."""

import argparse
import json
import pathlib
import statistics

import report


def read_jobs(path):
    """{(dataset, backbone): {preset: {seed: result}}}, in the order of the jobs."""
    runs = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        job = json.loads(line)
        if "result" not in job:
            raise SystemExit(f"{job['name']} did not succeed: {job.get('error')}")
        spec = job["spec"]
        dataset = spec["dataset"].removeprefix("datasets/").split("/")[0]
        presets = runs.setdefault((dataset, spec["backbone"]), {})
        presets.setdefault(spec["preset"], {})[spec["seed"]] = job["result"]
    return runs


def mean_and_deviation(values):
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def row(dataset, backbone, preset, results, base):
    accuracies = [result["testAccuracy"] for result in results.values()]
    differences = [result["testAccuracy"] - base[seed]["testAccuracy"] for seed, result in results.items()]
    seconds = [result["phaseSeconds"]["train"] for result in results.values()]
    mean, deviation = mean_and_deviation(accuracies)
    beside = "-"
    if results is not base:
        beside = "{:+.4f} ± {:.4f}".format(*mean_and_deviation(differences))
    loss = statistics.mean(result["testLoss"] for result in results.values())
    return [dataset, backbone, preset, f"{mean:.4f} ± {deviation:.4f}", f"{loss:.4f}", beside,
            report.shown(report.spread(seconds), 2)]


def body(runs):
    rows, checks, seeds = [], [], []
    for (dataset, backbone), presets in runs.items():
        first = next(iter(presets))
        for preset, results in presets.items():
            rows.append(row(dataset, backbone, preset, results, presets[first]))
            seeds = list(results)
            if preset == first:
                continue
            mean, deviation = mean_and_deviation(
                [results[seed]["testAccuracy"] - presets[first][seed]["testAccuracy"] for seed in seeds]
            )
            checks.append((f"{dataset}, {backbone}: {preset} at most one standard deviation below {first}",
                           f"{mean:+.4f} ± {deviation:.4f}", mean >= -deviation))
    head = ["data set", "backbone", "preset", "test accuracy", "test loss", "to the first, paired", "head, seconds"]
    text = (f"Seeds {', '.join(map(str, seeds))}; mean ± standard deviation over them. The seed decides the split and, with Adam, "
            f"the head's first values and the order of batches.\n\n{report.table(head, rows)}")
    return f"{text}\n\n{report.verdicts(checks)}" if checks else text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", type=pathlib.Path, help="the finished jobs as JSON, one a line")
    report.add_arguments(parser, "accuracy")
    arguments = parser.parse_args()
    runs = read_jobs(arguments.jobs)
    data = {"runs": [[*names, presets] for names, presets in runs.items()]}
    report.write("accuracy", "### Presets over seeds (`tests/bench/accuracy.sh`)", body(runs), data, arguments)


if __name__ == "__main__":
    main()

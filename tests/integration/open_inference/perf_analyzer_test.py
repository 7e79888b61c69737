"""Triton's perf_analyzer, the program from the wheel: it must measure this server without knowing it."""

import base64
import csv
import json
import os
import pathlib
import subprocess
import sys

import numpy
import pytest
import tritonclient.grpc as triton

from conftest import MODEL

VENV = pathlib.Path(sys.prefix)


def perf_analyzer(server, *arguments):
    cuda = next(VENV.glob("lib/python3*/site-packages/nvidia/cuda_runtime/lib"))
    return subprocess.run(
        [VENV / "bin/perf_analyzer", "-m", MODEL, "-i", "grpc", "-u", server, *arguments],
        env={**os.environ, "LD_LIBRARY_PATH": str(cuda)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="session")
def data(tmp_path_factory, pictures):
    path = tmp_path_factory.mktemp("perf") / "data.json"
    contents = [base64.b64encode(picture.astype(numpy.float32).tobytes()).decode() for picture in pictures]
    path.write_text(json.dumps({"data": [{"image": {"b64": content}} for content in contents]}))
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["--concurrency-range", "2"],
        ["--concurrency-range", "2", "--streaming"],
        ["--concurrency-range", "1", "-b", "4", "-x", "1"],
        ["--concurrency-range", "2", "--async"],
        ["--request-rate-range", "10"],
    ],
    ids=" ".join,
)
def test_it_measures(server, data, tmp_path, arguments):
    with triton.InferenceServerClient(server) as client:
        before = client.get_inference_statistics(MODEL).model_stats
        report = tmp_path / "report.csv"
        run = perf_analyzer(server, "--input-data", data, "--request-count", "30", "-f", report, *arguments)
        assert run.returncode == 0, run.stdout
        after = client.get_inference_statistics(MODEL).model_stats
    (row,) = csv.DictReader(report.open())
    assert float(row["Inferences/Second"]) > 0, run.stdout
    assert float(row["p99 latency"]) > 0
    assert float(row["Server Compute Infer"]) > 0  # from our ModelStatistics
    images = [sum(model.inference_count for model in stats) for stats in (before, after)]
    assert images[1] - images[0] >= (120 if "-b" in arguments else 30)
    assert "error" not in run.stdout.lower(), run.stdout


def test_random_data_is_refused_clearly(server):
    """Without --input-data it sends random bytes as FP32, which are no pixels."""
    run = perf_analyzer(server, "--concurrency-range", "1", "--request-count", "5")
    assert run.returncode != 0
    assert "is not within 0 to 255" in run.stdout


def test_zeros_need_no_data(server):
    run = perf_analyzer(server, "--input-data", "zero", "--concurrency-range", "1", "--request-count", "10")
    assert run.returncode == 0, run.stdout


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-p", "no:cacheprovider", *sys.argv[1:]]))

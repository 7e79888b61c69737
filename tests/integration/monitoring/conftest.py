"""A real Prometheus with the project's configuration, watching a server that trains and classifies.

python monitoring_test.py --graft PROGRAM --server 127.0.0.1:50051 --metrics 127.0.0.1:9464 --data FOLDER --photos FOLDER
"""

import concurrent.futures
import json
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import prometheus_client.parser
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/testing"))
from free_port import free_port  # noqa: E402  pylint: disable=wrong-import-position

PROGRAMS = pathlib.Path(sys.executable).parent  # deploy/install-deps.sh --tests puts them there
PATIENCE = 60  # seconds
OPTIONS = ("graft", "server", "metrics", "data", "photos")


def pytest_addoption(parser):
    for name in OPTIONS:
        parser.addoption("--" + name, required=True)


@pytest.fixture(scope="session")
def options(request):
    return {name: request.config.getoption("--" + name) for name in OPTIONS}


def wait_for(condition, what):
    """`what` is asked once the time is over."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if result := condition():
            return result
        time.sleep(0.1)
    raise TimeoutError(f"after {PATIENCE} s still not: {what()}")


class Prometheus:
    """The project's configuration with the test's addresses, scraping twice a second. Starts with `with`."""

    def __init__(self, folder, options):
        config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "500ms", "scrape_timeout": "400ms", "evaluation_interval": "500ms"}
        config["rule_files"] = [str(ROOT / "deploy/prometheus" / file) for file in config["rule_files"]]
        jobs = {job["job_name"]: job for job in config["scrape_configs"]}
        jobs["graft-server"]["static_configs"][0]["targets"] = [options["metrics"]]
        targets = jobs["graft-worker"]["file_sd_configs"][0]
        assert targets["files"] == ["/var/lib/graft/targets/worker-*.json"]
        targets["files"] = [options["data"] + "/targets/worker-*.json"]
        self.config = folder / "prometheus.yml"
        self.config.write_text(yaml.safe_dump(config), encoding="utf-8")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log, self.tsdb = folder / "prometheus.log", folder / "tsdb"
        self.process = self.start = None

    def __enter__(self):
        command = [PROGRAMS / "prometheus", f"--config.file={self.config}", f"--storage.tsdb.path={self.tsdb}"]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([*command, f"--web.listen-address={self.url[7:]}"], stderr=log)
        try:
            wait_for(self.targets_are_up, lambda: f"targets up; {self.log.read_text(encoding='utf-8')}")
        except BaseException:
            self.__exit__()
            raise
        self.start = time.time()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def get(self, path, **parameters):
        """The answer's data; an error of the query fails the test with Prometheus' own words."""
        try:
            return self._data(path, **parameters)
        except urllib.error.HTTPError as error:
            pytest.fail(f"{parameters}: {error.read().decode()}")

    def _data(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    def targets_are_up(self):
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            active = self._data("targets")["activeTargets"]
        except OSError:  # does not listen yet, or answers 503 while it starts
            return False
        return sorted(one["labels"]["job"] for one in active if one["health"] == "up") == ["graft-server", "graft-worker"]

    def ask(self, expression):
        """Series since the start that have a value, as [(labels, numbers)]."""
        expression = expression.replace("$__rate_interval", "5s").replace("$__interval", "1s")
        answer = self.get("query_range", query=expression, start=self.start, end=time.time(), step="0.5")
        series = [(one["metric"], [float(v) for _, v in one["values"] if v != "NaN"]) for one in answer["result"]]
        return [(labels, values) for labels, values in series if values]


class Exported:
    """What /metrics said at any time: {name: (type, labels)} for the server and for the worker."""

    def __init__(self, options):
        self.families = {"server": {}, "worker": {}}
        self.options = options

    def look(self):
        (target,) = pathlib.Path(self.options["data"], "targets").glob("worker-*.json")
        worker = json.loads(target.read_text(encoding="utf-8"))[0]["targets"][0]
        for program, address in (("server", self.options["metrics"]), ("worker", worker)):
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
                text = answer.read().decode()
            for family in prometheus_client.parser.text_string_to_metric_families(text):
                name = family.name + ("_total" if family.type == "counter" else "")
                labels = {label for sample in family.samples for label in sample.labels} - {"le", "quantile"}
                if family.samples:
                    self.families[program][name] = (family.type, labels)


def graft(options, *words):
    command = [options["graft"], "--server", options["server"], *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)


def train_and_classify(options):
    """A job of each kind, traffic and a call that fails; what went wrong otherwise."""
    photos = sorted(str(file) for file in pathlib.Path(options["photos"]).rglob("*.*"))
    train = ["train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--model", "colours", "--alias", "production"]
    commands = [
        ["dataset", "push", "colours", options["photos"]],
        [*train, "--epochs", "3"],
        [*train, "--preset", "balanced", "--trainable", "blocks:1", "--epochs", "2"],
        *[["classify", "colours@production", *photos]] * 4,
    ]
    graft(options, "job", "show", "nosuchjob")
    outcomes = [graft(options, *command) for command in commands]
    graft(options, "job", "show", "nosuchjob")  # once more: a counter that has just appeared has no rate
    return [outcome.stderr for outcome in outcomes if outcome.returncode != 0]


@pytest.fixture(scope="session")
def exported(options, prometheus):
    """After jobs and traffic, which Prometheus has seen."""
    seen = Exported(options)
    with concurrent.futures.ThreadPoolExecutor() as executor:
        work = executor.submit(train_and_classify, options)
        while not work.done():
            seen.look()
            time.sleep(0.1)
    assert work.result() == []
    time.sleep(2)  # four scrapes, so that rates see the last of it
    seen.look()
    assert prometheus.targets_are_up()
    return seen


@pytest.fixture(scope="session")
def prometheus(options, tmp_path_factory):
    with Prometheus(tmp_path_factory.mktemp("prometheus"), options) as server:
        yield server

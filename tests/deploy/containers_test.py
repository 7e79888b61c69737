"""Dockerfiles and docker-compose.yml, as far as they can be checked without an engine; long: docker_stages.sh."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from free_port import free_port
from nginx_proxy import Nginx

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKER = ROOT / "deploy/docker"
VENV = pathlib.Path(sys.executable).parent.parent


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, **more)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def dockerfiles():
    return sorted(DOCKER.glob("*Dockerfile"))


@pytest.mark.parametrize("path", dockerfiles(), ids=lambda path: path.name)
def test_hadolint_finds_nothing(path):
    run(VENV / "bin/hadolint", path)


@pytest.mark.parametrize("path", dockerfiles(), ids=lambda path: path.name)
def test_what_is_copied_is_there_and_not_ignored(path):
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sources = re.findall(r"^COPY (?!--from)(\S+) ", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source == "." or "!" + source.split("/")[0] in ignore, source


def composed(*profiles):
    """The services as Docker Compose itself resolves them."""
    flags = [word for profile in profiles for word in ("--profile", profile)]
    text = run(VENV / "bin/docker-compose", *flags, "config", "--format", "json")
    return json.loads(text)


@pytest.mark.parametrize("profile, suffix", [("cpu", ""), ("gpu", "-gpu")])
def test_compose_file_is_valid_and_tight(profile, suffix):
    services = composed(profile)["services"]
    assert set(services) == {"graft" + suffix, "nginx" + suffix, "prometheus" + suffix, "grafana"}
    for name, service in services.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "privileged" not in service, name
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", name
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert volume["read_only"] and volume["source"].startswith(str(ROOT)), name
    for name in ("nginx", "prometheus"):  # the server listens on loopback
        assert services[name + suffix]["network_mode"] == f"service:graft{suffix}"
    gpus = services["graft" + suffix].get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
    assert [gpu["capabilities"] for gpu in gpus] == ([["gpu"]] if profile == "gpu" else [])


def test_compose_builds_what_is_there():
    for service in composed("cpu", "gpu")["services"].values():
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_image_runs_as_nobody_in_particular_with_labels_and_a_health_check():
    for path in dockerfiles():
        final = path.read_text(encoding="utf-8").split("\nFROM ")[-1]
        assert re.search(r"^USER 1000[12]:1000[12]$", final, re.MULTILINE), path.name
        assert "org.opencontainers.image.title=" in final, path.name
    assert "HEALTHCHECK" in (DOCKER / "Dockerfile").read_text(encoding="utf-8")


def test_bill_of_materials_is_cyclonedx_and_names_packages_and_wheels():
    text = run(sys.executable, DOCKER / "sbom.py", "--version", "0.1.0", "--dpkg-status", "/var/lib/dpkg/status",
               "--venv", VENV)
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    purls = {component["purl"].split("?")[0].split("@")[0] for component in json.loads(text)["components"]}
    assert {"pkg:deb/debian/libsqlite3-0", "pkg:pypi/numpy"} <= purls
    assert "pkg:pypi/pip" not in purls


@pytest.fixture
def prometheus(server, tmp_path):
    """The image's command on the image's configuration, with the addresses and folders of here; its URL."""
    shutil.copytree(ROOT / "deploy/prometheus", tmp_path / "prometheus")
    config = tmp_path / "prometheus/prometheus.yml"
    text = config.read_text(encoding="utf-8")
    for written, here in (("127.0.0.1:9464", server.metrics_address), ("/var/lib/graft", str(server.data))):
        assert written in text
        text = text.replace(written, here)
    config.write_text(text, encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    image = (DOCKER / "prometheus.Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    command = json.loads(re.search(r"^ENTRYPOINT (.*)$", image, re.MULTILINE)[1])
    places = {"/usr/bin/prometheus": VENV / "bin/prometheus", "/etc/graft-prometheus": config.parent,
              "/var/lib/prometheus-graft": tmp_path / "tsdb", "=:9090": "=" + address}
    for written, here in places.items():
        assert any(written in word for word in command), written
        command = [word.replace(written, str(here)) for word in command]
    with open(tmp_path / "prometheus.log", "w", encoding="utf-8") as log, subprocess.Popen(command, stderr=log) as process:
        yield f"http://{address}"
        process.terminate()


def test_smoke_script_passes_on_the_real_programs(server, installed, prometheus, tmp_path):
    """nginx is started as its image does, certificate included."""
    with Nginx(tmp_path / "proxy", [server.address], entrypoint=DOCKER / "nginx-entrypoint.sh") as proxy:
        address = proxy.address.replace("127.0.0.1", "localhost")
        more = {"GRAFT_ADDRESS": address, "GRAFT_CA": proxy.ca_file, "PYTHON": sys.executable,
                "PROMETHEUS_URL": prometheus}
        environment = {**os.environ, **more, "PYTHONPATH": str(installed)}
        out = run("bash", DOCKER / "smoke.sh", "--running", env=environment)
    assert "models/smoke/versions/1" in out and out.rstrip().endswith("All of it works")

"""What README.md says about letting others reach a server, with its own commands."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import time

import pytest
from nginx_proxy import Nginx
from other_host import OtherHost
from python_fixtures import graft_server

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"


def readme_commands():
    section = README.read_text(encoding="utf-8").split("## Let others reach it")[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1]
    return [shlex.split(line, comments=True) for line in block.splitlines()]


@pytest.fixture(scope="module")
def asking(build, tmp_path_factory, photos):
    """The README's server, with a model; where it listens is the test's choice."""
    (command,) = [words for words in readme_commands() if words[0] == "./graft-server" and "token" not in words]
    assert command[1:3] == ["--data-dir", "~/graft"] and command[-1] == "&"
    data = tmp_path_factory.mktemp("asking")
    graft_server.import_weights(build, data, "mobilenet_v2")
    with graft_server.Server(build, data) as teaching:  # nobody is asked yet
        teaching.graft("dataset", "push", "animals", photos)
        teaching.train("animals", "animals", "mobilenet_v2", "--alias", "production", "--epochs", "1")
        teaching.train("plants", "animals", "mobilenet_v2", "--epochs", "1")
    with graft_server.Server(build, data, command[3:-1]) as running:
        yield running


def run_here(asking, words):
    done = subprocess.run([str(asking.bin / words[0]), *words[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def other_host():
    if not OtherHost.possible():
        pytest.skip("a network namespace needs iproute2 and root")
    with OtherHost() as host:
        yield host


def test_a_machine_beyond_the_network_reaches_the_proxy_alone(asking, other_host, tmp_path, photos):
    (create,) = [words for words in readme_commands() if "token" in words]
    words = [str(asking.data) if word == "~/graft" else word for word in create]
    token = run_here(asking, ["far" if word == "shop" else word for word in words]).strip()
    time.sleep(1)
    picture = str(sorted(photos.rglob("*.png"))[0])
    with Nginx(tmp_path / "proxy", [asking.address], host=other_host.near) as proxy:

        def there(*words, token=token):
            environment = {"GRAFT_SERVER": proxy.address, "GRAFT_CA_FILE": proxy.ca_file, "GRAFT_TOKEN": token, "PATH": os.environ["PATH"]}
            command = other_host.command([asking.bin / "graft", *words])
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
            return done.returncode, done.stdout + done.stderr

        code, out = there("classify", "animals@production", picture)
        assert code == 0 and "%" in out, out
        code, out = there("classify", "animals@production", picture, token="graft_guessed")
        assert code == 4, out
        # The server itself listens for its own machine alone.
        assert other_host.connects(proxy.address)
        assert not other_host.connects(f"{other_host.near}:{asking.address.rsplit(':', 1)[1]}")


def test_another_host_classifies_safely(asking, tmp_path, photos, photo):
    import graft

    (create,) = [words for words in readme_commands() if "token" in words]
    words = [str(asking.data) if word == "~/graft" else word for word in create]
    token = run_here(asking, words).strip()
    assert re.fullmatch(r"graft_[A-Za-z0-9_-]{43}", token)
    time.sleep(1)  # what docs/access.md promises
    picture = str(sorted(photos.rglob("*.png"))[0])
    with Nginx(tmp_path / "proxy", [asking.address]) as proxy:
        settings = {"GRAFT_SERVER": proxy.address, "GRAFT_CA_FILE": proxy.ca_file, "GRAFT_TOKEN": token}

        def there(*words, **changed):
            environment = {name: value for name, value in {**settings, **changed}.items() if value}
            command = [asking.bin / "graft", *words]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
            return done.returncode, done.stdout + done.stderr

        code, out = there("classify", "animals@production", picture)
        assert code == 0 and "%" in out, out
        assert there("health", "animals@production") == (0, "SERVING\n")
        code, out = there("classify", "animals@production", picture, GRAFT_TOKEN=None)
        assert code == 4 and "graft-server token create" in out
        code, out = there("classify", "plants", picture)
        assert code == 6 and "no model 'plants'" in out
        code, out = there("dataset", "push", "animals", str(photos))
        assert code == 4 and "trainer or admin" in out
        code, out = there("classify", "animals@production", picture, GRAFT_CA_FILE=None, GRAFT_SERVER="192.0.2.1:8443")
        assert code == 2 and "plaintext" in out
        with graft.Client(proxy.address, tls=graft.Tls(ca_file=proxy.ca_file), token=token) as client:
            assert client.classify("animals@production", photo).predictions
        with graft.Client(proxy.address, tls=graft.Tls(ca_file=proxy.ca_file)) as client:
            with pytest.raises(graft.Unauthenticated):
                client.classify("animals@production", photo)
        assert there("health") == (0, "SERVING\n")
        run_here(asking, ["graft-server", "token", "revoke", "shop", "--data-dir", str(asking.data)])
        time.sleep(1)
        assert there("classify", "animals@production", picture)[0] == 4
    lines = run_here(asking, ["graft-server", "audit", "--data-dir", str(asking.data)]).splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["sequence"] for entry in entries] == list(range(1, len(entries) + 1))
    actions = {(entry["principal"], entry["action"], entry["decision"].split(":")[0]) for entry in entries}
    assert ("anonymous", "graft.v1.DatasetService/UploadDataset", "allowed") in actions
    assert ("shop", "graft.v1.DatasetService/UploadDataset", "denied") in actions
    assert any(action == "token revoke" and "uid" in who for who, action, _ in actions)


def test_a_server_that_others_reach_says_what_it_needs(asking, tmp_path):
    command = [asking.bin / "graft-server", "--data-dir", tmp_path / "data", "--listen", "0.0.0.0:0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "--tls-certificate" in done.stderr and "token create" in done.stderr


@pytest.mark.parametrize("words, reason", [
    (["token", "create", "a", "--role", "boss"], "viewer, predictor, trainer, admin"),
    (["token", "create", "a", "--role", "admin", "--expires", "soon"], "--expires"),
    (["token", "create", "A!", "--role", "admin"], "name"),
    (["token", "create", "a"], "--role"),
    (["token"], "subcommand"),
    (["audit", "--after", "-1"], "--after"),
])
def test_wrong_usage_names_what_is_wrong(asking, tmp_path, words, reason):
    command = [asking.bin / "graft-server", *words, "--data-dir", tmp_path / "data"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and reason in done.stderr and done.stdout == "", done.stderr

"""deploy/backup.sh beside a server at work, and a server on what it restored."""

import os
import pathlib
import shutil
import sqlite3
import subprocess
import threading

import pytest

import server as graft_server

BACKUP = pathlib.Path(__file__).resolve().parents[2] / "deploy/backup.sh"
LONG = {"epochs": 600, "patience": 600}
PASSING = 6  # versions that are deleted while the copy is made


def backup(*words, **more):
    return subprocess.run(["bash", BACKUP, *words], capture_output=True, text=True, check=False, **more)


def with_slow_cp(folder):
    """An environment in which every cp of the script takes half a second longer: a small folder copied as a large one."""
    folder.mkdir()
    (folder / "cp").write_text(f'#!/bin/sh\nsleep 0.5\nexec {shutil.which("cp")} "$@"\n', encoding="utf-8")
    (folder / "cp").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


class ComeAndGo(threading.Thread):
    """Deletes `versions`, one after the other, and publishes data sets, until stop(); `done` names them."""

    def __init__(self, client, versions, photos):
        super().__init__(name="come-and-go", daemon=True)
        self.done, self.error, self.first = [], None, threading.Event()
        self._client, self._versions, self._photos = client, list(versions), photos
        self._stop_it = threading.Event()

    def run(self):
        try:
            while not self._stop_it.wait(0.1):
                self._step()
                self.first.set()
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.error = error
        finally:
            self.first.set()

    def _step(self):
        from graft.v1 import model_pb2

        if self._versions:
            request = model_pb2.DeleteModelVersionRequest(name=self._versions.pop())
            self._client.call(self._client.models.DeleteModelVersion, request)
            self.done.append(request.name)
        pushed = self._client.push_dataset(f"passing-{len(self.done)}", self._photos)
        self.done.append(pushed.version.name)

    def stop(self):
        self._stop_it.set()
        self.join()


def passing_versions(client):
    spec = {"dataset": "shapes", "backbone": "mobilenet_v2", "model": "passing", "epochs": 1}
    jobs = [client.submit_job({**spec, "seed": seed}) for seed in range(1, PASSING + 1)]
    return [client.follow_job(job.name).result.model_version for job in jobs]


def test_copy_of_a_server_at_work_restores_to_one_that_goes_on(server, client, model, photos, photo, build, tmp_path):
    import graft

    before = client.classify(model, photo)
    others = ComeAndGo(client, passing_versions(client), photos)
    job = client.submit_job({"dataset": "shapes", "backbone": "mobilenet_v2", "model": "kept", **LONG})
    assert any(event.HasField("epoch_done") for event in client.watch_job(job.name))  # it runs
    others.start()
    others.first.wait(60)
    earlier = len(others.done)
    made = backup(server.data, tmp_path / "backup", env=with_slow_cp(tmp_path / "slow"))
    meanwhile = others.done[earlier:]
    others.stop()
    assert others.error is None
    assert any(name.startswith("models/passing/") for name in meanwhile)
    assert any(name.startswith("datasets/passing-") for name in meanwhile)
    assert made.returncode == 0, made.stderr
    assert not (tmp_path / "backup/features").exists()
    assert backup("--restore", tmp_path / "backup", tmp_path / "restored").returncode == 0
    with graft_server.Server(build, tmp_path / "restored") as other, graft.Client(other.address) as restored:
        after = restored.classify(model, photo)
        assert after.predictions == before.predictions and after.model_version == before.model_version
        assert restored.follow_job(job.name).result.epochs_run == LONG["epochs"]
        events = [event.sequence for event in restored.watch_job(job.name)]
        assert events == list(range(1, len(events) + 1))
    client.follow_job(job.name)


@pytest.mark.parametrize("words, reason", [
    ([], "deploy/backup.sh DATA_DIR BACKUP_DIR"),
    (["/", "/tmp/new"], "has no graft.db"),
])
def test_wrong_use_is_named(words, reason):
    refused = backup(*words)
    assert refused.returncode != 0 and reason in refused.stderr


def test_nothing_is_written_over(server, tmp_path):
    refused = backup(server.data, tmp_path)
    assert refused.returncode == 1 and "exists already" in refused.stderr


def test_copy_that_lacks_a_file_is_no_backup(server, model, tmp_path):
    assert model and backup(server.data, tmp_path / "good").returncode == 0
    next((tmp_path / "good/blobs").rglob("*.seg")).unlink()
    refused = backup("--restore", tmp_path / "good", tmp_path / "restored")
    assert refused.returncode == 1 and "missing in the copy: blobs/segments/" in refused.stderr
    assert not (tmp_path / "restored").exists()


@pytest.mark.parametrize("change, reason", [
    ("UPDATE model_versions SET backbone_size_bytes = 1", "/backbone.safetensors"),
    ("DROP TABLE blobs", "failed at: SELECT DISTINCT 'blobs/segments/'"),
])
def test_copy_with_another_database_is_no_backup(server, model, tmp_path, change, reason):
    assert model and backup(server.data, tmp_path / "good").returncode == 0
    database = sqlite3.connect(tmp_path / "good/graft.db")
    database.execute(change)
    database.commit()
    database.close()
    refused = backup("--restore", tmp_path / "good", tmp_path / "restored")
    assert refused.returncode == 1 and reason in refused.stderr
    assert not (tmp_path / "restored").exists()

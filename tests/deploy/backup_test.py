"""deploy/backup.sh beside a server at work, and a server on what it restored."""

import pathlib
import subprocess
import threading

import pytest

import server as graft_server

BACKUP = pathlib.Path(__file__).resolve().parents[2] / "deploy/backup.sh"
LONG = {"epochs": 600, "patience": 600}


def backup(*words):
    return subprocess.run(["bash", BACKUP, *words], capture_output=True, text=True, check=False)


def publish_and_delete(client, stop, done):
    """Versions come and go while the copy is made."""
    from graft.v1 import model_pb2

    for seed in range(1, 1000):
        if stop.is_set():
            return
        job = client.submit_job({"dataset": "shapes", "backbone": "mobilenet_v2", "model": "passing", "epochs": 1,
                                 "seed": seed, "priority": "high"})
        version = client.follow_job(job.name).result.model_version
        client.call(client.models.DeleteModelVersion, model_pb2.DeleteModelVersionRequest(name=version))
        done.append(version)


def test_copy_of_a_server_at_work_restores_to_one_that_goes_on(server, client, model, photo, build, tmp_path):
    import graft

    before = client.classify(model, photo)
    stop, done = threading.Event(), []
    worker = threading.Thread(target=publish_and_delete, args=(client, stop, done))
    worker.start()
    while not done:
        assert worker.is_alive()
    job = client.submit_job({"dataset": "shapes", "backbone": "mobilenet_v2", "model": "kept", **LONG})
    made = backup(server.data, tmp_path / "backup")
    stop.set()
    worker.join()
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

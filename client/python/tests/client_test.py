"""The package against a real graft-server: what a user of it relies on."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
README = ROOT / "client/python/README.md"
EPOCHS = {"epochs": 150, "patience": 150}


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def some_photo(photos):
    return sorted(photos.rglob("*.png"))[0]


@pytest.fixture(scope="session")
def model(server, installed, photos):
    """What the README's example prints; from then on there is animals@production."""
    words = [sys.executable, "-c", python_blocks()[0], server.address, photos, some_photo(photos)]
    done = subprocess.run(words, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_readme_example_trains_and_classifies(model, photos):
    lines = model.splitlines()
    assert lines[0] == "datasets/animals/versions/1: 60 photos, 60 of them new"
    assert lines[1].startswith("epoch 1: validation loss ")
    assert any(line.startswith("models/animals/versions/1: test accuracy ") for line in lines)
    labels = {line.partition(":")[0] for line in lines[-3:]}
    assert labels < {folder.name for folder in photos.iterdir()}


def test_example_of_the_repositorys_readme(server, model, photos, monkeypatch, tmp_path, capsys):
    assert model
    (code,) = re.findall(r"```python\n(from graft import Client.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert "127.0.0.1:50051" in code
    shutil.copy(some_photo(photos), tmp_path / "some-photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(code.replace("127.0.0.1:50051", server.address), {})  # pylint: disable=exec-used
    assert "(models/animals/versions/1)" in capsys.readouterr().out


def test_readme_names_what_failed(client, model, capsys):
    assert model
    exec(python_blocks()[1], {"client": client, "picture": b"not a picture"})  # pylint: disable=exec-used
    assert capsys.readouterr().out.startswith("image: ")


def test_paths_bytes_and_references_classify_alike(client, model, photos):
    assert model
    photo = some_photo(photos)
    by_path = client.classify("animals@production", photo)
    by_bytes = client.classify("animals:1", photo.read_bytes(), top_k=2)
    assert by_path.model_version == by_bytes.model_version == "models/animals/versions/1"
    assert [one.label for one in by_path.predictions[:2]] == [one.label for one in by_bytes.predictions]


def layouts(photos, folder):
    """Folders of the same pictures: one per class in two wrappers, and with splits."""
    shutil.copytree(photos, folder / "wrapped/more/shapes")
    (folder / "wrapped/more/.hidden.png").write_bytes(b"x")
    yield folder / "wrapped"
    for split in ("train", "Val", "testing"):
        shutil.copytree(photos, folder / "split" / split)
    label = next((folder / "split/train").iterdir())
    (label / "deeper").mkdir()
    (label / "deeper/notes.txt").write_text("no picture", encoding="utf-8")
    shutil.move(sorted(label.glob("*.png"))[0], label / "deeper")
    yield folder / "split"


def test_folders_mean_what_they_mean_to_the_command_line_client(server, client, photos, tmp_path):
    for number, folder in enumerate(layouts(photos, tmp_path)):
        by_graft = json.loads(server.graft("-o", "json", "dataset", "push", f"layout{number}", folder))
        again = client.push_dataset(f"layout{number}", folder)
        assert again.already_existed and again.blobs_received == 0
        assert again.version.digest == by_graft["digest"]


def test_unclear_folders_are_refused_with_the_remedy(client, photos, tmp_path):
    label = next(photos.iterdir())
    with pytest.raises(ValueError, match="no class folders: .*put the pictures of each class into a folder"):
        client.push_dataset("unclear", label)
    shutil.copytree(photos, tmp_path / "loose")
    shutil.copy(some_photo(photos), tmp_path / "loose/stray.png")
    with pytest.raises(ValueError, match="stray.png lies beside the class folders"):
        client.push_dataset("unclear", tmp_path / "loose")
    shutil.copytree(photos, tmp_path / "mixed/train")
    shutil.copytree(photos, tmp_path / "mixed/others")
    with pytest.raises(ValueError, match="folder 'others' lies beside train"):
        client.push_dataset("unclear", tmp_path / "mixed")
    shutil.copytree(label, tmp_path / "one" / label.name)
    with pytest.raises(ValueError, match="only one class"):
        client.push_dataset("unclear", tmp_path / "one")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures"):
        client.push_dataset("unclear", tmp_path / "empty")


def test_errors_have_the_type_of_their_code_and_the_details_as_fields(client, model, photos):
    import graft
    from graft.v1 import training_pb2

    assert model
    with pytest.raises(graft.NotFound) as missing:
        client.classify("nobody", some_photo(photos))
    assert (missing.value.resource_type, missing.value.resource_name) == ("model", "nobody")
    assert missing.value.request_id and missing.value.retry_delay is None

    spec = {"dataset": "animals", "backbone": "mobilenet_v2"}
    with pytest.raises(graft.InvalidArgument) as invalid:
        client.submit_job({**spec, "epochs": 1001}, validate_only=True)
    assert invalid.value.field == "spec.epochs" and "1000" in invalid.value.reason

    job = client.submit_job(spec, request_id="once")
    assert client.submit_job(spec, request_id="once").name == job.name
    with pytest.raises(graft.AlreadyExists):
        client.submit_job({**spec, "seed": 5}, request_id="once")
    assert client.follow_job(job.name).result.images_from_cache == 60
    with pytest.raises(graft.FailedPrecondition) as over:
        client.call(client.training.CancelJob, training_pb2.CancelJobRequest(name=job.name))
    assert over.value.subject == job.name

    with pytest.raises(graft.DeadlineExceeded):
        client.classify("animals", some_photo(photos), deadline=0)
    with graft.Client("127.0.0.1:1", reconnect_for=1) as nobody, pytest.raises(graft.Unavailable):
        nobody.server_info()


def test_cancelled_job_is_told_apart(client, model):
    import graft
    from graft.v1 import training_pb2

    assert model
    job = client.submit_job({"dataset": "animals", "backbone": "mobilenet_v2", "epochs": 1000, "patience": 1000})

    def cancel(event):
        if event.HasField("epoch_done"):
            client.call(client.training.CancelJob, training_pb2.CancelJobRequest(name=job.name))

    with pytest.raises(graft.JobEnded, match="CANCELLED") as ended:
        client.follow_job(job.name, on_event=cancel)
    assert ended.value.job.state == training_pb2.JOB_STATE_CANCELLED


def test_watch_goes_on_where_a_killed_server_broke_it(server, client, model):
    assert model
    job = client.submit_job({"dataset": "animals", "backbone": "mobilenet_v2", **EPOCHS})
    sequences = []
    for event in client.watch_job(job.name):
        sequences.append(event.sequence)
        if event.HasField("epoch_done") and event.epoch_done.epoch == 3:
            server.kill()
            server.__enter__()
    assert sequences == list(range(1, len(sequences) + 1))
    assert client.follow_job(job.name, after_sequence=sequences[-1]).result.epochs_run == EPOCHS["epochs"]


def test_upload_goes_on_after_a_killed_server(server, client, tmp_path):
    subprocess.run([sys.executable, ROOT / "deploy/make_pictures.py", tmp_path / "many", "60"], check=True)
    killed = []

    def kill_once(progress):
        if not killed:
            killed.append(progress)
            server.kill()
            server.__enter__()

    pushed = client.push_dataset("many", tmp_path / "many", on_progress=kill_once)
    assert killed and pushed.version.image_count == 300
    assert client.push_dataset("many", tmp_path / "many").already_existed


def test_exception_in_on_progress_commits_nothing(client, photos, tmp_path, monkeypatch):
    """The last photo is held back until the exception is out: without a cancelled call it would be sent, and committed."""
    import graft
    from graft import upload
    from graft.v1 import dataset_pb2

    shutil.copytree(photos, tmp_path / "shapes")
    for file in (tmp_path / "shapes").rglob("*.png"):
        file.write_bytes(file.read_bytes() + b"unknown to the server")
    files, _ = upload.announced(graft.photos_in(tmp_path / "shapes"))
    last, raised = max(file.sha256 for file in files), threading.Event()
    chunks = upload.UploadStream._chunks

    def held_back(self, digest):
        if digest == last:
            raised.wait(60)
        yield from chunks(self, digest)

    def fail(progress):
        raise RuntimeError(f"after {progress.blobs_stored} photos")

    monkeypatch.setattr(upload.UploadStream, "_chunks", held_back)
    with pytest.raises(RuntimeError, match="after"):
        client.push_dataset("broken-off", tmp_path / "shapes", on_progress=fail)
    raised.set()
    time.sleep(1)
    with pytest.raises(graft.NotFound):
        client.call(client.datasets.GetDataset, dataset_pb2.GetDatasetRequest(name="broken-off"))
    assert client.push_dataset("broken-off", tmp_path / "shapes").version.name == "datasets/broken-off/versions/1"


def test_photos_that_change_under_way_are_named(photos, tmp_path):
    import graft
    from graft import upload
    from graft.v1.dataset_pb2 import UploadDatasetResponse

    shutil.copytree(photos, tmp_path / "shapes")
    files, by_digest = upload.announced(graft.photos_in(tmp_path / "shapes"))
    some_photo(tmp_path / "shapes").write_bytes(b"other")
    stream = upload.UploadStream(None, files, by_digest)
    stream.take(UploadDatasetResponse(missing={"sha256": [file.sha256 for file in files], "last": True}))
    with pytest.raises(ValueError, match="changed while it was uploaded"):
        list(stream.requests())


def test_token_does_not_cross_the_network_in_plaintext():
    import graft

    with pytest.raises(ValueError, match="plaintext"):
        graft.Client("graft.example.org:50051", token="secret")
    with graft.Client("127.0.0.1:1", token="secret") as client:
        assert client.metadata == (("authorization", "Bearer secret"),)
    with pytest.raises(ValueError, match="belong together"):
        graft.Client("graft.example.org:443", tls=graft.Tls(cert_file="client.pem"))

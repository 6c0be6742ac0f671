"""A model that is pushed comes back the same in another process; a push that breaks off leaves the one before."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch
from hub_factories import CODE, HERE, SENTENCE, push, run_python, shift, write_run
from model_factories import tiny_batch

PULL = """
import json, sys, torch
from huggingface_hub import HfApi
from transformers import AutoModelForSeq2SeqLM, AutoProcessor
import hf_slt
batch = torch.load(sys.argv[1], weights_only=True)
answers = []
for revision in sys.argv[2:]:
    model = AutoModelForSeq2SeqLM.from_pretrained("someone/translation", revision=revision)
    processor = AutoProcessor.from_pretrained("someone/translation", revision=revision)
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    with torch.no_grad():
        logits = model(**batch).logits
        ids = model.generate(**inputs)
    answers.append({"logits": logits.tolist(), "text": processor.tokenizer.batch_decode(ids), "file": model.__module__})
try:
    HfApi(token=False).model_info("someone/translation")
    refused = None
except Exception as error:
    refused = type(error).__name__
print(json.dumps({"answers": answers, "refused": refused}))
"""


@pytest.fixture
def run(tmp_path):
    """A run that is pushed, with the model and processor in it."""
    folder = tmp_path / "home of a person" / "run"
    return folder, *write_run(folder)


def expected(model, processor, batch):
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    with torch.no_grad():
        return model(**batch).logits, processor.tokenizer.batch_decode(model.generate(**inputs))


def pose_batch():
    return {
        "pose_values": torch.rand(2, 6, 99, generator=torch.Generator().manual_seed(1)),
        "pose_mask": torch.ones(2, 6, 33, dtype=torch.long),
        "attention_mask": torch.ones(2, 6, dtype=torch.long),
        "labels": tiny_batch(("pose",))["labels"],
    }


def test_what_is_pushed_loads_the_same_elsewhere_even_after_a_push_that_was_killed(hub, run, tmp_path):
    folder, model, processor = run
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (done,) = push(hub, tmp_path / "home", [folder, "someone/translation", "--private"])
    assert done["code"] == 0, done["err"]
    first = hub.repository("someone/translation").at("main").oid
    assert f"{hub.endpoint}/someone/translation (commit {first[:8]})" in done["out"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before

    shift(folder, 1.0)
    hub.hold("upload")
    killed = subprocess.Popen(
        [sys.executable, HERE.parents[1] / "scripts" / "push_model.py", folder, "someone/translation"],
        env=hub.environment(tmp_path / "home", TMPDIR=str(tmp_path)),  # what it leaves there
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert hub.held.wait(60)
    killed.kill()
    killed.wait()
    assert hub.repository("someone/translation").at("main").oid == first

    batch = pose_batch()
    torch.save(batch, tmp_path / "batch.pt")
    pulled = json.loads(run_python(hub, tmp_path / "other home", "-c", PULL, tmp_path / "batch.pt", "main", first))
    logits, text = expected(model, processor, batch)
    assert pulled["refused"] == "RepositoryNotFoundError"
    for answer in pulled["answers"]:
        assert torch.equal(torch.tensor(answer["logits"]), logits)
        assert answer["text"] == text
        assert answer["file"] == "hf_slt.models.multistream.modeling_multistream"  # not the code that travelled


def test_a_push_holds_the_model_its_code_card_and_scores_and_nothing_else(hub, run, tmp_path):
    folder = run[0]
    info = tmp_path / "info.yml"
    info.write_text("dataset_name: Signs of a village\n")
    token_file = tmp_path / "token"
    token_file.write_text(f"{hub.token}\n")
    home = tmp_path / "home"
    done, again = push(
        hub,
        home,
        ([folder, "translation", "--token-file", token_file, "--commit-message", "First"], None),
        [folder, "someone/translation", "--revision", "dev", "--card-info", info],
    )
    assert (done["code"], again["code"]) == (0, 0), done["err"] + again["err"]
    files = hub.files("someone/translation")
    python = {name for name in files if name.endswith(".py")}
    assert set(CODE) <= python
    pictures = {name for name in files if name.endswith(".png")}
    assert pictures <= {"training_curves.png"}
    assert set(files) - python - pictures - {"special_tokens_map.json"} == {
        *(".gitattributes", "README.md", "config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "run_config.json", "train_log.csv", "eval_test/metrics.json"),
    } | {name for name in ("preprocessor_config.json", "processor_config.json") if (folder / name).is_file()}
    for secret in (SENTENCE, str(tmp_path), os.sep + "home of a person", hub.token, "hf_secret"):
        assert [name for name, content in files.items() if secret.encode() in content] == []
    assert [path for path in home.rglob("*") if path.is_file() and hub.token.encode() in path.read_bytes()] == []
    assert b"someone/translation" in files["README.md"]
    assert "auto_map" in json.loads(files["config.json"])
    history = hub.repository("someone/translation").history("main")
    assert [commit.title for commit in history] == ["First", "initial commit"]
    branch = hub.files("someone/translation", revision="dev")
    assert b"Signs of a village" in branch["README.md"] and b"Signs of a village" not in files["README.md"]
    assert {**branch, "README.md": b""} == {**files, "README.md": b""}


def test_pushes_that_fail_leave_the_last_one_and_can_be_repeated(hub, run, tmp_path):
    folder, home = run[0], tmp_path / "home"
    hub.fail("upload", at=2)
    hub.fail("commit", at=2, status=500)
    other = tmp_path / "changed" / "run"
    write_run(other)
    shift(other, 1.0)
    first, lost, refused, second = push(
        hub, home, [folder, "someone/m"], [other, "someone/m"], [other, "someone/m"], [other, "someone/m"]
    )
    assert (first["code"], lost["code"], refused["code"], second["code"]) == (0, 2, 2, 0)
    assert "HubError: expected to upload all files, found status 403 (this upload fails on purpose)" in lost["err"]
    assert "nothing in the repository was changed: push again" in lost["err"]
    assert "expected an answer of the hub, found status 500 (this commit fails on purpose)" in refused["err"]
    repository = hub.repository("someone/m")
    titles = [commit.title for commit in repository.history("main")]
    assert titles == ["Push model with hf_slt", "Push model with hf_slt", "initial commit"]
    uploads = [status for method, path, status in hub.requests if method == "PUT"]
    assert uploads == [200, 403, 200]  # what had arrived was not sent again
    assert hub.files("someone/m")["model.safetensors"] == (other / "model.safetensors").read_bytes()
    before = hub.files("someone/m", revision=repository.history("main")[1].oid)
    assert before["model.safetensors"] == (folder / "model.safetensors").read_bytes()


def test_what_the_hub_refuses_is_said_without_the_token(hub, run, tmp_path):
    folder = run[0]
    hub.storage.create("model", "someone/public", private=False)
    wrong = "hf_thisisnotatoken"
    (tmp_path / "two").write_text("hf_one hf_two")
    (tmp_path / "odd").write_text("hf_\u4e2d", encoding="utf-8")
    plain = [folder, "someone/m"]
    cases = [
        ((plain, wrong), "HubError: expected a token that the hub at .* knows, found status 401"),
        ((plain, None), "HubError: expected a token that may write to the hub, found none; .*hf auth login"),
        ((plain, hub.read_token), "HubError: expected a token that may write to someone/m, found status 403"),
        ([folder, "another/m"], "expected a token that may write to another/m, found status 403 .*member of 'another'"),
        ([folder, "someone/public", "--private"], "expected a private repository, found the public someone/public"),
        ([folder, "not//a name"], "ConfigurationError: expected a repository, user/name or name, found 'not//a name'"),
        ([tmp_path / "none", "someone/m"], "ConfigurationError: expected the folder of a trained model, found none"),
        ([*plain, "--token-file", tmp_path / "none"], "ConfigurationError: expected a token in the file .*none"),
        (
            [*plain, "--token-file", tmp_path / "two"],
            "expected a file that holds a token and nothing else, found",
        ),
        ([*plain, "--token-file", tmp_path / "odd"], "ConfigurationError: expected a file that holds a token and noth"),
        ((plain, "hf_\u4e2d"), "HubError: expected a token of letters, digits and signs in HF_TOKEN .*found other"),
    ]
    answers = push(hub, tmp_path / "home", *(given for given, _ in cases))
    for answer, (_, message) in zip(answers, cases, strict=True):
        assert answer["code"] == 2, answer
        assert re.search(message, answer["err"], re.DOTALL), answer["err"]
        assert "Traceback" not in answer["err"] and hub.token not in answer["err"] and wrong not in answer["err"]
    assert list(hub.storage.repositories) == [("model", "someone/public")]
    assert set(hub.files("someone/public")) == {".gitattributes"}

"""`Trainer.push_to_hub`, `model.push_to_hub` and `processor.push_to_hub` of our classes."""

import json
from pathlib import Path

import pytest
from hub_factories import CODE, HERE, run_python
from huggingface_hub import ModelCard
from run_factories import SENTENCES, translation_parts, translation_trainer

from hf_slt.errors import ConfigurationError
from hf_slt.hub.errors import HubError
from hf_slt.model_card.card import MARK

LOADING = {"config.json", "model.safetensors", "README.md", ".gitattributes"}


def published(hub, name, folder):
    """Return the files of a repository; the corpus, pickles, the token and paths of a folder are in none of them."""
    files = hub.files(name)
    assert not [path for path in files if path.endswith("training_args.bin") or "splits" in path]
    for text in (*SENTENCES, hub.token, str(folder)):
        assert not [path for path, content in files.items() if text.encode() in content]
    return files


def test_what_trainers_and_models_push(hub, tmp_path):
    run_python(hub, tmp_path / "home", HERE / "train_and_push.py", tmp_path)

    files = published(hub, "someone/translation", tmp_path)
    assert LOADING | set(CODE) | {"tokenizer.json", "last-checkpoint/optimizer.pt"} <= set(files)
    state = json.loads(files["last-checkpoint/trainer_state.json"])
    assert state["best_model_checkpoint"] == "checkpoint-2" and state["global_step"] == 2
    card = files["README.md"].decode()
    assert "license: mit" in card and "someone/translation" in card
    assert files["model.safetensors"] == (tmp_path / "translation" / "model.safetensors").read_bytes()
    assert "auto_map" in json.loads(files["config.json"])
    titles = [commit.title for commit in hub.repository("someone/translation").history("main")]
    assert titles[:2] == ["By hand", "Model save"]
    assert {"Training in progress, step 2", "Training in progress, step 2, checkpoint"} <= set(titles)

    files = published(hub, "someone/gloss-run", tmp_path)
    assert LOADING | {"preprocessor_config.json", "modeling_sign_transformer.py"} <= set(files)

    files = published(hub, "someone/parts", tmp_path)
    assert LOADING | set(CODE) | {"tokenizer.json", "processing_multistream.py"} <= set(files)
    assert "auto_map" in json.loads(files["config.json"])
    card = ModelCard(files["README.md"].decode())
    assert MARK in card.text and "someone/parts" in card.text and "More Information Needed" not in card.text
    assert {"mine", "sign-language"} <= set(card.data.tags)

    runs = (tmp_path / "translation", tmp_path / "gloss-run")
    saved = [path for run in runs for path in run.rglob("*") if path.is_file()]
    assert len(saved) > 20
    assert [path for path in saved if hub.token.encode() in path.read_bytes()] == []


def trainer_folder(trainer):
    return Path(trainer.args.output_dir)


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """A trainer whose folder holds a saved run."""
    parts = translation_parts(tmp_path / "corpus")
    trainer = translation_trainer(parts, tmp_path / "run")
    trainer.save_model()
    parts[1].save_pretrained(tmp_path / "run")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
    return trainer


def test_the_card_of_a_trainer_is_ours(trainer, caplog):
    trainer.create_model_card("es", "mit", ["x"], "A name", tasks="y", dataset="A corpus")  # as transformers orders it
    card = (trainer_folder(trainer) / "README.md").read_text()
    assert "hf_slt" in card and "A name" in card and "A corpus" in card
    assert "language:\n- es\n" in card and "license: mit\n" in card
    assert "the model card has no place for tags, tasks; edit README.md after this" in caplog.text


def test_a_push_that_fails_does_not_end_the_run(trainer, caplog):
    trainer.push_saved("Model save")  # the run does not push: nothing is tried
    assert "nothing was pushed" not in caplog.text
    trainer.args.push_to_hub, trainer.hub_model_id, trainer.push_in_progress = True, "someone/m", None
    (trainer_folder(trainer) / "model.safetensors").unlink()
    trainer.push_saved("Model save")
    assert "nothing was pushed to the hub (the model is in" in caplog.text
    assert "expected weights (model.safetensors), found none" in caplog.text


def test_a_trainer_says_that_there_is_no_token(trainer, monkeypatch):
    monkeypatch.setattr("hf_slt.hub.push.get_token", lambda: None)
    with pytest.raises(HubError, match="expected a token that may write to the hub, found none"):
        trainer.push_to_hub()


def test_a_trainer_says_what_the_folder_lacks(trainer):
    trainer.hub_model_id, trainer.push_in_progress = "someone/m", None
    (trainer_folder(trainer) / "tokenizer.json").rename(trainer_folder(trainer) / "gone.json")
    trainer.processing_class = None
    with pytest.raises(ConfigurationError, match=r"expected the tokenizer \(tokenizer.json\), found none"):
        trainer.push_to_hub()

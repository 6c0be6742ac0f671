"""Which files of a folder are published, and what is wrong with a folder that cannot be."""

import json
import re
import shutil

import pytest
from hub_factories import METRICS, SENTENCE, write_gloss_model, write_run

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.hub.contents import check_model, published_files, report_gaps, stage_model
from hf_slt.hub.push import push_model, stale_files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_run(folder)
    return folder


@pytest.fixture
def gloss_run(tmp_path):
    folder = tmp_path / "gloss"
    write_gloss_model(folder)
    return folder


def test_a_dry_run_lists_the_files_and_needs_neither_token_nor_network(run, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    pushed = push_model(run, "someone/m", dry_run=True)
    assert pushed.commit is None
    assert pushed.files["model.safetensors"] == (run / "model.safetensors").stat().st_size
    assert {"README.md", "config.json", "tokenizer.json", "eval_test/metrics.json"} <= set(pushed.files)
    assert not [path for path in pushed.files if re.search(r"splits|predictions|html|\.bin|\.pt$|checkpoint", path)]


def test_what_would_be_uploaded_can_be_written_to_a_folder(run, tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    output, info = tmp_path / "preview", tmp_path / "card.yml"
    info.write_text("limits: [Few clips.]\n", encoding="utf-8")
    pushed = push_model(run, "someone/m", card_info=info, output=output)
    assert pushed.commit is None and set(pushed.files) | {".hf_slt_model"} == set(published_files(output))
    assert (output / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert not any(path.is_symlink() for path in output.rglob("*"))
    assert "- Few clips." in (output / "README.md").read_text() and not (run / "README.md").exists()
    info.write_text("limits: [One signer.]\n", encoding="utf-8")
    push_model(run, "someone/m", card_info=info, output=output)
    assert "- One signer." in (output / "README.md").read_text()


def test_a_preview_replaces_nothing_else(run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="expected a model of --output to overwrite .*found other content"):
        push_model(run, "someone/m", output=tmp_path)
    for output in (run, run / "preview", run.parent):
        with pytest.raises(ConfigurationError, match="expected a folder outside of that of the model in --output"):
            push_model(run, "someone/m", output=output)
    assert not (run / "preview").exists()


def test_the_weights_are_linked_and_the_settings_are_cleaned(run, tmp_path):
    stage_model(run, tmp_path / "staged", "someone/m", {"name": "A name"})
    staged = tmp_path / "staged"
    assert (staged / "model.safetensors").resolve() == (run / "model.safetensors").resolve()
    settings = json.loads((staged / "run_config.json").read_text())
    assert settings == {"pose_dir": "D/pose", "output_dir": "runs/run"}
    assert json.loads((staged / "eval_test" / "metrics.json").read_text()) == METRICS
    assert "A name" in (staged / "README.md").read_text()
    assert not [path for path in published_files(staged) if SENTENCE in (staged / path).read_text(errors="ignore")]


def test_names_of_folders_that_parts_were_loaded_from_stay_here(gloss_run, tmp_path):
    config = json.loads((gloss_run / "config.json").read_text())
    local = {**config, "_name_or_path": "/home/person/model", "extra": [{"_name_or_path": "facebook/dinov2-small"}]}
    (gloss_run / "config.json").write_text(json.dumps(local))
    stage_model(gloss_run, tmp_path / "staged", "someone/m")
    published = json.loads((tmp_path / "staged" / "config.json").read_text())
    assert "_name_or_path" not in published
    assert published["extra"] == [{"_name_or_path": "facebook/dinov2-small"}]


def test_a_checkpoint_of_a_run_that_goes_on_is_copied_with_the_card_of_a_person(gloss_run, tmp_path):
    checkpoint = gloss_run / "checkpoint-2"
    checkpoint.mkdir()
    for name in ("config.json", "model.safetensors"):
        (gloss_run / name).rename(checkpoint / name)
    stage_model(gloss_run, tmp_path / "staged", "someone/m", weights=checkpoint)
    staged = tmp_path / "staged"
    assert (staged / "model.safetensors").read_bytes() == (checkpoint / "model.safetensors").read_bytes()
    assert not (staged / "model.safetensors").is_symlink()
    assert {"config.json", "preprocessor_config.json", "modeling_sign_transformer.py"} <= set(published_files(staged))
    assert "someone/m" in (staged / "README.md").read_text()

    (gloss_run / "README.md").write_text("By hand")
    stage_model(gloss_run, tmp_path / "again", "someone/m", weights=checkpoint)
    assert (tmp_path / "again" / "README.md").read_text() == "By hand"


def test_signers_are_numbers_in_the_scores_too(gloss_run, tmp_path):
    scores = {
        "split": "test",
        "accuracy": 0.5,
        "per_signer": [{"signer": "Ada Lovelace", "accuracy": 0.5}, {"signer": "Bo", "accuracy": 0.25}],
        "signers_shared_with_training": ["Ada Lovelace"],
        "note": "/home/ada/runs",
    }
    write_json(gloss_run / "eval_test" / "metrics.json", scores)
    stage_model(gloss_run, tmp_path / "staged", "someone/m")
    published = json.loads((tmp_path / "staged" / "eval_test" / "metrics.json").read_text())
    assert published["per_signer"] == [{"signer": "1", "accuracy": 0.5}, {"signer": "2", "accuracy": 0.25}]
    assert published["signers_shared_with_training"] == 1 and published["note"] == "runs"
    texts = [(tmp_path / "staged" / path).read_text(errors="ignore") for path in published_files(tmp_path / "staged")]
    assert not [text for text in texts if "Ada" in text]
    assert json.loads((gloss_run / "eval_test" / "metrics.json").read_text()) == scores
    stage_model(gloss_run, tmp_path / "named", "someone/m", {"show_signers": True})
    named = json.loads((tmp_path / "named" / "eval_test" / "metrics.json").read_text())
    assert named == {**scores, "note": "runs"} and "| Ada Lovelace |" in (tmp_path / "named" / "README.md").read_text()


def test_scores_of_other_weights_are_not_published(run, gloss_run, tmp_path):
    checkpoint = run / "checkpoint-4"
    (run / "eval_test" / "length.png").write_bytes(b"png")
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(run / name, checkpoint / name)
    stage_model(run, tmp_path / "interim", "someone/m", weights=checkpoint)
    stage_model(run, tmp_path / "final", "someone/m")
    (run / "eval_test" / "length.png").unlink()
    interim, final = (published_files(tmp_path / name) for name in ("interim", "final"))
    assert {"eval_test/metrics.json", "eval_test/length.png"} <= set(final)
    assert not [path for path in interim if path.startswith("eval_")]
    card = (tmp_path / "interim" / "README.md").read_text()
    assert "Scores: not measured." in card and "model-index" not in card and "length.png" not in card

    write_json(gloss_run / "eval_test" / "metrics.json", {"split": "test", "accuracy": 1.0, "model_hash": "sha256:0"})
    stage_model(gloss_run, tmp_path / "old", "someone/m")
    assert "eval_test/metrics.json" not in published_files(tmp_path / "old")


def test_an_export_has_no_code_for_pytorch(gloss_run, tmp_path):
    (gloss_run / "model.safetensors").unlink()
    config = json.loads((gloss_run / "config.json").read_text()) | {"_name_or_path": "/home/person/model"}
    for folder in (gloss_run, gloss_run / "int8"):
        folder.mkdir(exist_ok=True)
        (folder / "model.onnx").touch()
        write_json(folder / "config.json", config)
    stage_model(gloss_run, tmp_path / "staged", "someone/m")
    published = published_files(tmp_path / "staged")
    assert {"model.onnx", "int8/model.onnx", "int8/config.json"} <= set(published)
    assert not [path for path in published if path.endswith(".py")]
    for path in ("config.json", "int8/config.json"):
        assert not {"_name_or_path", "auto_map"} & json.loads((tmp_path / "staged" / path).read_text()).keys()
    assert "trust_remote_code" not in (tmp_path / "staged" / "README.md").read_text()


def test_exports_go_along_with_what_loads_them(gloss_run, tmp_path):
    export = gloss_run / "onnx" / "int8"
    export.mkdir(parents=True)
    for name in ("model.onnx", "model.onnx_data", "config.json", "splits.json", "model.pt"):
        (export / name).write_text("{}")
    (gloss_run / "earlier_run_1").mkdir()
    (gloss_run / "earlier_run_1" / "model.onnx").write_text("")
    stage_model(gloss_run, tmp_path / "staged", "someone/m")
    folders = [path for path in published_files(tmp_path / "staged") if "/" in path]
    assert folders == ["onnx/int8/config.json", "onnx/int8/model.onnx", "onnx/int8/model.onnx_data"]


def test_all_that_is_missing_is_said_at_once(tmp_path):
    folder = tmp_path / "checkpoint-7"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "multistream_slt"}')
    message = (
        r"checkpoint-7 cannot be pushed \(a checkpoint-N is only a part of its run: push the folder of the run\): "
        r"expected weights \(model.safetensors\), found none; expected the feature extractor "
        r"\(preprocessor_config.json\), found none; expected the tokenizer \(tokenizer.json\), found none"
    )
    with pytest.raises(ConfigurationError, match=message):
        check_model(folder)


def test_a_model_of_another_library_is_refused(gloss_run):
    (gloss_run / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ConfigurationError, match="expected a model type out of multistream_slt, .*, found 'bert'"):
        check_model(gloss_run)


@pytest.mark.parametrize("content", ["[1]", "{", "3"])
def test_a_damaged_configuration_is_named(gloss_run, content):
    (gloss_run / "config.json").write_text(content)
    with pytest.raises(ConfigurationError, match="expected a JSON object in config.json, found: "):
        check_model(gloss_run)


def test_weights_that_were_cut_off_are_refused(gloss_run):
    path = gloss_run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ConfigurationError, match="expected whole weights in model.safetensors, found: "):
        check_model(gloss_run)


def test_every_shard_has_to_be_there(gloss_run):
    (gloss_run / "model.safetensors").rename(gloss_run / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (gloss_run / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(
        ConfigurationError, match="expected the weights model-00002-of-00002.safetensors of .*found none"
    ):
        check_model(gloss_run)


@pytest.mark.parametrize("content", ["{", "[]", '{"weight_map": 3}', "{}"])
def test_a_damaged_index_of_weights_is_named(gloss_run, content):
    (gloss_run / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ConfigurationError, match="expected an index of weights in model.safetensors.index.json"):
        check_model(gloss_run)


def test_what_the_card_cannot_tell_is_said(gloss_run, caplog):
    report_gaps(gloss_run)
    assert "has no run_config.json: the card cannot say how the model was trained" in caplog.text
    assert "has no scores: the card says 'not measured'" in caplog.text


def test_weights_and_code_of_an_earlier_push_are_taken_away_and_nothing_else():
    there = ["README.md", "model-00001-of-00002.safetensors", "hf_slt_old.py", "notes.txt", "hf_slt_kept.py", "demo.py"]
    assert stale_files(there, ["model.safetensors", "hf_slt_kept.py"]) == [
        "hf_slt_old.py",
        "model-00001-of-00002.safetensors",
    ]

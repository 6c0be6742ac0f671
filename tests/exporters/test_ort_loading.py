"""Folders of exports: threads, variants inside a folder, and what is no export."""

import shutil

import pytest
from model_factories import tiny_model
from transformers import AutoConfig

from hf_slt import ORTGlossClassifier, ORTMultiStreamForConditionalGeneration
from hf_slt.errors import ConfigurationError
from hf_slt.exporters.ort_encoder import ORTMultiStreamEncoder
from hf_slt.exporters.ort_loading import session_options

CLASSES = [ORTGlossClassifier, ORTMultiStreamForConditionalGeneration]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_those_of_every_session(translator, classifier, threads):
    model = ORTMultiStreamForConditionalGeneration.from_pretrained(translator.folder, num_threads=threads)
    small = ORTGlossClassifier.from_pretrained(classifier.folder, num_threads=threads)
    sessions = [model.encoder.session, model.decoder.session, model.decoder_with_past.session, small.session]
    assert [session.get_session_options().intra_op_num_threads for session in sessions] == [threads] * 4


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_other_numbers_of_threads_say_so(classifier, threads):
    with pytest.raises(
        ConfigurationError, match=rf"num_threads .* 1 or more, or None for all cores, found {threads!r}$"
    ):
        ORTGlossClassifier.from_pretrained(classifier.folder, num_threads=threads)


def test_options_of_a_users_own_are_kept(classifier):
    options = session_options(3)
    options.log_severity_level = 4
    model = ORTGlossClassifier.from_pretrained(classifier.folder, session_options=options)
    assert model.session.get_session_options().log_severity_level == 4


def test_variants_inside_the_folder_are_not_looked_at(classifier, tmp_path):
    shutil.copytree(classifier.folder, tmp_path / "out")
    shutil.copytree(classifier.folder, tmp_path / "out" / "int8")
    (tmp_path / "out/int8/model.onnx").write_bytes(b"of a variant")
    assert ORTGlossClassifier.from_pretrained(tmp_path / "out", num_threads=1).config.num_labels == 5


def test_only_the_folders_own_files_are_loaded(classifier, translator, tmp_path):
    shutil.copytree(classifier.folder, tmp_path / "gloss")
    shutil.copytree(classifier.folder, tmp_path / "gloss" / "int8")
    shutil.copytree(translator.folder, tmp_path / "run" / "export")
    shutil.copy(translator.folder / "config.json", tmp_path / "run")
    (tmp_path / "gloss" / "model.onnx").unlink()
    message = r"found no .onnx file in '.*gloss'; there are some in its folders \['int8'\]: load one of these"
    with pytest.raises(ConfigurationError, match=message):
        ORTGlossClassifier.from_pretrained(tmp_path / "gloss")
    with pytest.raises(ConfigurationError, match=r"in '.*run'; there are some in its folders \['export'\]"):
        ORTMultiStreamForConditionalGeneration.from_pretrained(tmp_path / "run")
    for name in ("int8", "int8/"):
        assert ORTGlossClassifier.from_pretrained(tmp_path / "gloss", subfolder=name).path.parent.name == "int8"
    model = ORTMultiStreamForConditionalGeneration.from_pretrained(str(tmp_path / "run"), subfolder="export")
    assert model.encoder.path.parent.name == "export" and model.decoder_with_past is not None


def test_a_folder_whose_name_begins_like_that_of_another_is_not_it(classifier, tmp_path):
    for name in ("int8-static", "int8"):
        shutil.copytree(classifier.folder, tmp_path / name)
        assert ORTGlossClassifier.from_pretrained(tmp_path, subfolder=name).path.parent.name == name
    (tmp_path / "int8" / "model.onnx").unlink()
    with pytest.raises(ConfigurationError, match="found no .onnx file in '.*int8'; export the model first"):
        ORTGlossClassifier.from_pretrained(tmp_path, subfolder="int8")


@pytest.mark.parametrize("subfolder", ["", "int8"])
def test_names_on_the_hub_have_files_of_their_own(classifier, monkeypatch, subfolder):
    files = ["int8-static/model.onnx", "int8/model.onnx", "model.onnx"]
    fetched = []

    def fetch(model_id, filename, subfolder="", **_):
        fetched.append((model_id, filename, subfolder))
        return classifier.folder / filename

    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", lambda *a, **k: files)
    monkeypatch.setattr(ORTGlossClassifier, "_cached_file", fetch)
    config = AutoConfig.from_pretrained(classifier.folder)
    ORTGlossClassifier._from_pretrained("me/mine", config, subfolder=subfolder)
    assert fetched == [("me/mine", "model.onnx", subfolder or ".")]
    files.remove(f"{subfolder}/model.onnx".lstrip("/"))
    with pytest.raises(ConfigurationError, match="found no .onnx file in .*; there are some in its folders"):
        ORTGlossClassifier._from_pretrained("me/mine", config, subfolder=subfolder)


def test_nothing_is_traced_on_the_fly(classifier):
    with pytest.raises(ConfigurationError, match="exported already .*found export=True .*; export the model first"):
        ORTGlossClassifier.from_pretrained(classifier.folder, export=True)


@pytest.mark.parametrize("kind", [*CLASSES, ORTMultiStreamEncoder])
@pytest.mark.parametrize("name", [None, "", 3])
def test_what_is_no_name_says_so(kind, name):
    with pytest.raises(
        ConfigurationError, match=f"expected the folder of an export for {kind.__name__}, found {name!r}$"
    ):
        kind.from_pretrained(name)


@pytest.mark.parametrize("kind", CLASSES)
def test_what_is_no_export_says_so(kind, tmp_path):
    message = f"expected the folder of an export .* for {kind.__name__}, found '.*', which does not load"
    (tmp_path / "file").write_text("{}")
    for name in ("absent", "file"):
        with pytest.raises(ConfigurationError, match=message):
            kind.from_pretrained(tmp_path / name, num_threads=1)
    # A trained model is not traced on the fly: nobody would have compared it.
    tiny_model(("pose",)).save_pretrained(tmp_path / "run")
    with pytest.raises(ConfigurationError, match="found no .onnx file in '.*run'; export the model first"):
        kind.from_pretrained(tmp_path / "run")


def test_damaged_and_missing_files_say_so(translator, tmp_path):
    folder = shutil.copytree(translator.folder, tmp_path / "out")
    (folder / "encoder_model.onnx").write_bytes(b"half")
    with pytest.raises(ConfigurationError, match="does not load.*encoder_model.onnx"):
        ORTMultiStreamForConditionalGeneration.from_pretrained(folder)
    (folder / "encoder_model.onnx").unlink()
    with pytest.raises(ConfigurationError, match="does not load.*Could not find any ONNX model file"):
        ORTMultiStreamForConditionalGeneration.from_pretrained(folder)


def test_a_saved_copy_loads(classifier, tmp_path):
    ORTGlossClassifier.from_pretrained(classifier.folder).save_pretrained(tmp_path)
    assert ORTGlossClassifier.from_pretrained(tmp_path).config.num_categories == 3

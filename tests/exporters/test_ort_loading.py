"""Folders of exports: threads, variants inside a folder, and what is no export."""

import shutil

import pytest
from model_factories import tiny_model

from hf_slt import ORTGlossClassifier, ORTMultiStreamForConditionalGeneration
from hf_slt.errors import ConfigurationError
from hf_slt.exporters.ort_loading import session_options

CLASSES = [ORTGlossClassifier, ORTMultiStreamForConditionalGeneration]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_those_of_every_session(translator, classifier, threads):
    model = ORTMultiStreamForConditionalGeneration.from_pretrained(translator.folder, num_threads=threads)
    small = ORTGlossClassifier.from_pretrained(classifier.folder, num_threads=threads)
    sessions = [model.encoder.session, model.decoder.session, model.decoder_with_past.session, small.session]
    assert [session.get_session_options().intra_op_num_threads for session in sessions] == [threads] * 4


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

"""`transformers.pipeline` knows both tasks: single clips, lists, generators, batches, files, and exports."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from factories import write_corpus
from model_factories import tiny_model, tiny_processor, tiny_text_config
from onnx_stack import skip_without_onnx
from transformers import pipeline

from hf_slt.data.gloss.clips import write_clip
from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.inference.gloss import GlossPredictor
from hf_slt.inference.translation import TranslationPredictor
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.remote_code import write_remote_code
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification

SIGNS, SENTENCES = "sign-recognition", "sign-language-translation"


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translator")
    processor = tiny_processor(("pose",))
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(("pose",), gain=20.0, num_pose_landmarks=33, text_config=text_config)
    model.generation_config.max_length = 10
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recognizer")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    names = {"id2label": dict(enumerate("ABCDEFG")), "category_id2label": {0: "X", 1: "Y"}}
    torch.manual_seed(0)
    model = SignTransformerForGlossClassification(SignTransformerConfig(**sizes, **names, num_categories=2))
    model.save_pretrained(folder)
    GlossFeatureExtractor().save_pretrained(folder)
    return folder


def poses(count=3):
    rng = np.random.default_rng(0)
    return [rng.uniform(0.1, 0.9, (4 + i, 33, 3)).astype(np.float32) for i in range(count)]


def signs(count=3):
    rng = np.random.default_rng(0)
    return [rng.uniform(0.2, 0.8, (4 + i, 156)).astype(np.float32) for i in range(count)]


def test_sentences_are_those_of_the_predictor(translator):
    pipe = pipeline(SENTENCES, model=str(translator), device="cpu")
    expected = TranslationPredictor.from_pretrained(translator).predict(poses(), num_beams=3, top_k=2)
    found = pipe(poses(), num_beams=3, top_k=2)
    for here, said in zip(found, expected, strict=True):
        assert [one["translation_text"] for one in here] == [one.text for one in said.alternatives]
        scores = [one.probability for one in said.alternatives]
        assert [one["score"] for one in here] == pytest.approx(scores, abs=1e-4) and 0 < scores[0] <= 1
    assert [one["translation_text"] for one in pipe(poses()[0], num_beams=3)] == [expected[0].text]


@pytest.mark.parametrize(("top_k", "beams"), [(2, 1), (4, 3), (0, 1)])
def test_no_more_sentences_than_beams(translator, top_k, beams):
    pipe = pipeline(SENTENCES, model=str(translator), device="cpu")
    with pytest.raises(ConfigurationError, match=f"a top_k of 1 to {beams}, the number of beams, found {top_k}"):
        pipe(poses()[0], top_k=top_k, num_beams=beams)


def test_glosses_are_those_of_the_predictor(recognizer):
    pipe = pipeline(SIGNS, model=str(recognizer), device="cpu")
    expected = GlossPredictor.from_pretrained(recognizer).predict(signs(), top_k=3)
    for here, said in zip(pipe(signs(), top_k=3), expected, strict=True):
        assert [one["label"] for one in here] == [one.name for one in said.glosses]
        assert [one["score"] for one in here] == pytest.approx([one.score for one in said.glosses], abs=1e-5)
        assert {one["category"] for one in here} == {said.categories[0].name}
    assert len(pipe(signs()[0])) == 5


@pytest.mark.parametrize("task", [SENTENCES, SIGNS])
def test_batches_lists_generators_and_single_clips_give_the_same(task, translator, recognizer):
    folder, sources = (translator, poses()) if task == SENTENCES else (recognizer, signs())
    pipe = pipeline(task, model=str(folder), device="cpu", batch_size=2)
    batches, forward = [], pipe._forward
    pipe._forward = lambda inputs, **options: batches.append(len(inputs["clips"])) or forward(inputs, **options)
    together = pipe(sources)
    assert batches == [2, 1]
    answers = pipe(clip for clip in sources)
    assert not isinstance(answers, list) and next(iter(answers)) and batches == [2, 1, 2]  # read when wanted
    for other in (list(pipe(clip for clip in sources)), [pipe(clip) for clip in sources]):
        for left, right in zip(together, other, strict=True):
            assert [{**one, "score": 0} for one in left] == [{**one, "score": 0} for one in right]
            assert left[0]["score"] == pytest.approx(right[0]["score"], abs=1e-5)


def test_files_and_folders_are_read(translator, recognizer, tmp_path):
    write_corpus(tmp_path, {"a": "x", "b": "y"}, streams=("pose",))
    pipe = pipeline(SENTENCES, model=str(translator), device="cpu", num_beams=2)
    assert pipe(str(tmp_path), clip="b") == pipe(tmp_path / "pose" / "b.npz")
    with pytest.raises(DataContractError, match="2 clips: a, b"):
        pipe(str(tmp_path))
    write_clip(tmp_path / "k.npz", signs()[0], np.ones((4, 78)), key="K")
    assert pipeline(SIGNS, model=str(recognizer), device="cpu")(str(tmp_path / "k.npz"), key="K", top_k=1)


def test_what_cannot_be(translator, recognizer):
    pipe = pipeline(SIGNS, model=str(recognizer), device="cpu")
    with pytest.raises(ConfigurationError, match=r"options out of .*'top_k'.*, found \['num_beams'\]"):
        pipe(signs()[0], num_beams=2)
    with pytest.raises(ConfigurationError, match="a top_k of 1 or more, found 0"):
        pipe(signs()[0], top_k=0)
    with pytest.raises(ConfigurationError, match="a batch_size of 1 or more, found -1"):
        pipe(signs(), batch_size=-1)
    with pytest.raises(ConfigurationError, match="array, or dictionary of .*, found list"):
        pipe([[1, 2]])
    strict = pipeline(SENTENCES, model=str(translator), device="cpu", strict=True)
    with pytest.raises(DataContractError, match="expected: a file"):
        strict("gone.mp4")


def test_the_package_goes_before_the_pipeline_that_travelled(translator, tmp_path):
    pipe = pipeline(SENTENCES, model=str(translator), device="cpu")
    for part in (pipe.model, pipe.tokenizer, pipe.feature_extractor):
        part.save_pretrained(tmp_path)
    write_remote_code(tmp_path)
    pulled = pipeline(SENTENCES, model=str(tmp_path), device="cpu")  # nothing to trust
    assert type(pulled) is type(pipe) and pulled(poses()) == pipe(poses())


@pytest.mark.parametrize(
    "first",
    ["import hf_slt, transformers", "import transformers.pipelines, hf_slt", "import hf_slt.inference.pipelines"],
)
def test_the_tasks_are_registered_whichever_import_comes_first(first):
    program = f"{first}\nfrom transformers.pipelines import PIPELINE_REGISTRY as r\n"
    program += "assert {'sign-recognition', 'sign-language-translation'} <= set(r.get_supported_tasks())"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_the_package_imports_no_transformers():
    program = "import sys, hf_slt; assert not {'transformers', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_exports_are_opened_by_their_folder_or_as_a_model(translator, recognizer, tmp_path):
    skip_without_onnx()
    from hf_slt.exporters.arguments import ExportArguments
    from hf_slt.exporters.export import run_export
    from hf_slt.exporters.exported_models import load_exported_classifier
    from hf_slt.training.arguments import DataArguments

    for task, folder, sources in ((SENTENCES, translator, poses()), (SIGNS, recognizer, signs())):
        run_export(ExportArguments(checkpoint=str(folder), output=str(tmp_path / task)), DataArguments())
        expected = pipeline(task, model=str(folder), device="cpu")(sources)
        found = pipeline(task, model=str(tmp_path / task), device="cpu")(sources, batch_size=3)
        for left, right in zip(expected, found, strict=True):
            assert [{**one, "score": 0} for one in left] == [{**one, "score": 0} for one in right]
            assert left[0]["score"] == pytest.approx(right[0]["score"], abs=1e-4)
    model, extractor = load_exported_classifier(tmp_path / SIGNS)
    assert pipeline(SIGNS, model=model, feature_extractor=extractor, device="cpu")(signs()) == found


@pytest.mark.parametrize(
    "meta", ["of another tool", "[1]", '{"width": null, "height": 4}', '{"width": 1, "height": 0}']
)
def test_meta_of_other_tools_is_no_aspect_ratio(recognizer, meta):
    pipe = pipeline(SIGNS, model=str(recognizer), device="cpu")
    arrays = {"X": signs(1)[0], "meta": np.array(meta)}
    assert pipe.unpack(arrays, None)["aspect_ratio"] == 1.0  # where the code alone is there
    arrays["meta"] = np.array('{"width": 640, "height": 320}')
    assert pipe.unpack(arrays, None)["aspect_ratio"] == 2.0

"""How a card says to use the model: as what lies in its folder can be used."""

import os

from card_runs import CONFIG, METRICS, SETTINGS, SPLITS

from hf_slt.model_card import render_model_card


def test_usage_says_what_the_model_reads(make_run):
    text = render_model_card(make_run(), repo_id="me/mine")
    assert 'processor(pose=pose, return_tensors="pt")' in text and "`(T, 33, 3)`" in text and "uint8" not in text
    assert 'from_pretrained("me/mine", trust_remote_code=True)' in text and "# mine\n" in text
    own = {**CONFIG, "streams": ["face", "pose"], "text_config": {"model_type": "custom_decoder", "vocab_size": 9}}
    text = render_model_card(make_run("own", config=own))
    assert "trust_remote_code" not in text and "has to be on `PYTHONPATH`" in text and "face=face, pose=pose" in text


def test_an_export_is_used_with_the_classes_of_onnx_runtime(make_run):
    folder = make_run(metrics={**METRICS, "runtime": "onnxruntime"})
    (folder / "model.safetensors").unlink()
    for name in ("encoder_model.onnx", "decoder_model_merged.onnx", "int8/encoder_model.onnx"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    text = render_model_card(folder, repo_id="me/mine")
    usage = text.partition("## How to use")[2].partition("## Data")[0]
    assert 'model = ORTMultiStreamForConditionalGeneration.from_pretrained("me/mine")\n' in usage
    assert "trust_remote_code" not in usage and "AutoModel" not in usage and "processor(pose=pose, return" in usage
    assert (
        'Variants lie in `int8`: `ORTMultiStreamForConditionalGeneration.from_pretrained("me/mine", subfolder="int8")`'
        in usage
    )
    assert "export_onnx.py --checkpoint runs/mine --output out\n" in text and "eval_slt.py --onnx out " in text
    (folder / "decoder_model_merged.onnx").unlink()
    text = render_model_card(folder)
    assert "from hf_slt import ORTMultiStreamEncoder\n" in text and "generate(" not in text
    gloss = make_run("gloss", config={"model_type": "sign_transformer"}, metrics=None)
    (gloss / "model.safetensors").rename(gloss / "model.onnx")
    text = render_model_card(gloss)
    assert "model = ORTGlossClassifier.from_pretrained(" in text and "trust_remote_code" not in text


def test_exports_inside_of_a_run_are_named(make_run):
    folder = make_run()
    for name in ("onnx", "earlier_run_1"):
        (folder / name).mkdir()
        (folder / name / "encoder_model.onnx").touch()
    text = render_model_card(folder)
    assert "ONNX files lie in `onnx`: `ORT" in text and "trust_remote_code=True" in text and "earlier_run" not in text


def test_the_demo_says_that_it_is_synthetic(make_run):
    folder = make_run(settings={"demo": True, **{key: SETTINGS[key] for key in ("seed", "output_dir")}}, splits=SPLITS)
    text = render_model_card(folder, {"summary": "My words."})
    assert "**Trained on synthetic clips: its scores say nothing about a real sign language.**" in text
    assert "My words." in text and "Corpus: the demo corpus of hf_slt (synthetic)." in text
    assert (
        "# eval_test\npython scripts/eval_slt.py --checkpoint runs/mine --demo --num-beams 4" in text
        and "folder of the corpus" not in text
    )


def test_a_smoke_test_has_nothing_to_evaluate_on(make_run):
    text = render_model_card(make_run(settings={"smoke_test": True, "keypoints_train": None}))
    assert "--config run_config.json --output_dir runs/mine\n```" in text and "scripts/eval_" not in text

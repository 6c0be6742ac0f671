"""Which files of an earlier push a new one takes away."""

import pytest
from hub_factories import write_gloss_model, write_run

from hf_slt.hub.contents import published_files, stage_model
from hf_slt.hub.push import stale_files

OF_A_PERSON = [
    *(".gitattributes", "LICENSE", "notes.txt", "demo.py", "modeling_mine.py", "photo.png", "data/config.json"),
    *("eval_test/my_plot.png", "eval_test/predictions.csv", "eval/metrics.json", "a/eval_test/metrics.json"),
    *("last-checkpoint/config.json", "last-checkpoint/model.safetensors", "onnx-notes/README.md", "onnx/notes.txt"),
]


@pytest.mark.parametrize(("write", "other"), [(write_run, write_gloss_model), (write_gloss_model, write_run)])
def test_a_push_of_another_model_leaves_nothing_of_the_one_before(write, other, tmp_path):
    pushed = []
    for number, one in enumerate((write, other)):
        folder, staged = tmp_path / f"run{number}", tmp_path / f"staged{number}"
        one(folder)
        stage_model(folder, staged, "someone/m")
        pushed.append(published_files(staged))
    before, new = pushed
    exported = ["onnx/model.onnx", "onnx/model.onnx_data", "onnx/config.json", "onnx/int8/model.onnx", "model.onnx"]
    before = {
        *before,
        *exported,
        "eval_test/calibration.png",
        "training_curves.png",
        "model-00001-of-00002.safetensors",
    }
    assert set(stale_files([*before, *OF_A_PERSON], new)) == before - new.keys()
    assert {"config.json", "README.md"} <= new.keys() and len(before - new.keys()) > len(exported) + 5


def test_what_is_pushed_again_stays():
    files = [
        "onnx/model.onnx",
        "onnx/config.json",
        "eval_test/metrics.json",
        "modeling_multistream.py",
        "tokenizer.json",
    ]
    assert stale_files(files, files) == []
    assert stale_files(files, files[:2]) == files[2:]

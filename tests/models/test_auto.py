"""The Auto classes of transformers load our directories after nothing but `import hf_slt`, in whatever order."""

import json
import subprocess
import sys

import pytest
import torch
from model_factories import inputs_of, tiny_batch, tiny_model, tiny_processor

import hf_slt

PROBE = """
import json, sys
import {first}
import {second}
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForSeq2SeqLM, AutoProcessor
import torch
folder, inputs = sys.argv[1:]
model = AutoModelForSeq2SeqLM.from_pretrained(folder)
processor = AutoProcessor.from_pretrained(folder)
with torch.no_grad():
    states = AutoModel.from_pretrained(folder)(**torch.load(inputs, weights_only=True)).last_hidden_state
names = [type(AutoConfig.from_pretrained(folder)), type(AutoFeatureExtractor.from_pretrained(folder)), type(model)]
names += [type(processor), type(processor.feature_extractor)]
print(json.dumps([[n.__name__ for n in names], states.sum().item(), processor.tokenizer("pan")["input_ids"]]))
"""


@pytest.mark.parametrize("order", [("hf_slt", "transformers"), ("transformers", "hf_slt")], ids="-then-".join)
def test_auto_classes_in_a_fresh_process(order, tmp_path):
    model, processor, batch = tiny_model(("pose",)), tiny_processor(("pose",)), inputs_of(tiny_batch(("pose",)))
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    torch.save(batch, tmp_path / "inputs.pt")
    command = [sys.executable, "-c", PROBE.format(first=order[0], second=order[1]), tmp_path, tmp_path / "inputs.pt"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    names, states, ids = json.loads(done.stdout.splitlines()[-1])
    assert names == [
        "MultiStreamConfig",
        "MultiStreamFeatureExtractor",
        "MultiStreamForConditionalGeneration",
        "MultiStreamProcessor",
        "MultiStreamFeatureExtractor",
    ]
    with torch.no_grad():
        assert states == pytest.approx(model.encoder(**batch).last_hidden_state.sum().item(), abs=1e-3)
    assert ids == processor.tokenizer("pan")["input_ids"]
    assert "newly initialized" not in done.stderr


def test_every_public_name_resolves_and_an_unknown_one_is_an_attribute_error():
    assert len(hf_slt.__all__) <= 25
    assert all(getattr(hf_slt, name) is not None for name in hf_slt.__all__)
    assert dir(hf_slt) == sorted(hf_slt.__all__)
    with pytest.raises(AttributeError, match="module 'hf_slt' has no attribute 'MultiStreamModel'"):
        hf_slt.MultiStreamModel  # noqa: B018

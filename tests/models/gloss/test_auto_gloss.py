"""The Auto classes of transformers load every classifier after nothing but `import hf_slt`, in whatever order."""

import json
import subprocess
import sys

import pytest
import torch
from models.gloss.classifier_mixin import gloss_batch, inputs_of

import hf_slt

FAMILIES = {
    "SignTransformer": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8},
    "InceptionGRU": {"gru_hidden_sizes": [4]},
    "ConvTransformer": {"hidden_size": 16, "num_blocks": 1},
}
PROBE = """
import json, sys
import {first}
import {second}
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForSequenceClassification
import torch
inputs = torch.load(sys.argv[1], weights_only=True)
found = []
for folder in sys.argv[2:]:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    parts = [AutoConfig.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder), model]
    parts.append(AutoModel.from_pretrained(folder))
    found.append([[type(part).__name__ for part in parts], model(**inputs).gloss_logits.tolist()])
print(json.dumps(found))
"""


@pytest.mark.parametrize("order", [("hf_slt", "transformers"), ("transformers", "hf_slt")], ids="-then-".join)
def test_auto_classes_in_a_fresh_process(order, tmp_path):
    batch, expected = inputs_of(gloss_batch()), []
    torch.save(batch, tmp_path / "inputs.pt")
    for family, sizes in FAMILIES.items():
        config = getattr(hf_slt, f"{family}Config")(input_size=6, num_labels=5, num_categories=2, **sizes)
        model = getattr(hf_slt, f"{family}ForGlossClassification")(config).eval()
        model.save_pretrained(tmp_path / family)
        hf_slt.GlossFeatureExtractor().save_pretrained(tmp_path / family)
        expected.append([type(config), hf_slt.GlossFeatureExtractor, type(model), type(model)])
        expected[-1] = [[part.__name__ for part in expected[-1]], model(**batch).gloss_logits]
    command = [sys.executable, "-c", PROBE.format(first=order[0], second=order[1]), tmp_path / "inputs.pt"]
    command += [tmp_path / family for family in FAMILIES]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for (names, logits), (expected_names, expected_logits) in zip(
        json.loads(done.stdout.splitlines()[-1]), expected, strict=True
    ):
        assert names == expected_names
        assert torch.allclose(torch.tensor(logits), expected_logits, atol=1e-6)
    assert "newly initialized" not in done.stderr

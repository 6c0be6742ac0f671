"""Folders of runs to push, and processes that push them."""

import json
import subprocess
import sys
from pathlib import Path

from model_factories import tiny_model, tiny_processor, tiny_text_config
from safetensors.torch import load_file, save_file

from hf_slt.evaluation.reports import write_json
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification

HERE = Path(__file__).parent
SENTENCE = "El niño come pan en casa"  # of the corpus: never on the hub
CODE = ("configuration_multistream.py", "feature_extraction_multistream.py", "modeling_multistream.py")
METRICS = {"model": "run", "task": "translation", "split": "test", "n": 4, "bleu": 12.5, "bleu_interval": [3.0, 21.0]}


def write_run(folder):
    """Write what a run of translation leaves: a tiny model, and beside it what is nobody's business."""
    processor = tiny_processor(("pose",))
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(("pose",), num_pose_landmarks=33, text_config=text_config)
    model.generation_config.max_length = 8
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    settings = {"pose_dir": str(folder / "D" / "pose"), "output_dir": str(folder), "hub_token": "hf_secret"}
    write_json(folder / "run_config.json", settings)
    write_json(folder / "splits.json", {"train": {"video_ids": ["clip1"], "sentences": [SENTENCE]}})
    write_json(folder / "contract_report.json", {"splits": {"test": {"clips": 4}}, "folder": str(folder)})
    (folder / "test_predictions.csv").write_text(f"video_id,prediction,reference\nclip1,pan,{SENTENCE}\n")
    (folder / "train_log.csv").write_text("epoch,step,train_loss,learning_rate\n1,2,3.5,0.001\n2,4,3.0,0.0005\n")
    (folder / "training_args.bin").write_bytes(b"pickle")
    (folder / "checkpoint-4").mkdir()
    (folder / "checkpoint-4" / "optimizer.pt").write_bytes(b"pickle")
    write_json(folder / "eval_test" / "metrics.json", METRICS)
    (folder / "eval_test" / "predictions.csv").write_text(f"video_id,prediction,reference\nclip1,pan,{SENTENCE}\n")
    (folder / "eval_test" / "report.html").write_text(SENTENCE)
    return model, processor


def write_gloss_model(folder):
    """Write a tiny model of four glosses with its feature extractor, as a conversion leaves it: without a run."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = SignTransformerConfig(num_labels=4, num_categories=2, head_hidden_size=8, **sizes)
    SignTransformerForGlossClassification(config).save_pretrained(folder)
    GlossFeatureExtractor().save_pretrained(folder)


def push(hub, home, *pushes):
    """Run pushes in a process; each is the flags, or a pair of the flags and the token (None: no token)."""
    pairs = [one if isinstance(one, tuple) else (one, hub.token) for one in pushes]
    given = [{"argv": list(map(str, flags)), "token": token} for flags, token in pairs]
    return json.loads(run_python(hub, home, HERE / "many_pushes.py", stdin=json.dumps(given)))


def run_python(hub, home, *arguments, stdin="", token="valid"):
    """Run Python with this hub; return what it printed, after a look for the token in its output."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, env=hub.environment(home, token), check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert hub.token not in done.stdout + done.stderr
    return done.stdout


def shift(folder, by):
    """Change the weights of a saved model."""
    weights = load_file(folder / "model.safetensors")
    name = min(weights)
    weights[name] = weights[name] + by
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

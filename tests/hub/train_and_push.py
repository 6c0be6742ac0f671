"""Trains tiny models of both tasks and pushes them, as a person does in a notebook; `train_and_push.py FOLDER`."""

import os
import sys
from pathlib import Path

from huggingface_hub import HfApi
from run_factories import gloss_report, gloss_trainer, translation_parts, translation_trainer

from hf_slt.evaluation.reports import write_json


def translation(folder, token):
    """Push while training, with the checkpoint, then once more by hand."""
    parts = translation_parts(folder / "corpus")
    run = folder / "translation"
    parts[1].save_pretrained(run)
    write_json(run / "splits.json", {"train": {"sentences": parts[0].with_format(None)["text"][:]}})
    pushing = {"push_to_hub": True, "hub_model_id": "someone/translation", "hub_token": token, "hub_always_push": True}
    saving = {"save_strategy": "steps", "save_steps": 1, "max_steps": 2, "hub_strategy": "checkpoint"}
    saving |= {"eval_strategy": "steps", "eval_steps": 1, "metric_for_best_model": "eval_loss"}
    trainer = translation_trainer(parts, run, **pushing, **saving)
    trainer.train()
    trainer.save_model()
    pushed = trainer.push_to_hub(commit_message="By hand", license="mit", language="es", tags="none")
    assert pushed.repo == "someone/translation"
    parts[1].push_to_hub("someone/parts", token=token)
    assert "README.md" not in HfApi(token=token).list_repo_files("someone/parts")
    trainer.model.push_to_hub("someone/parts", token=token, tags=["mine"])


def gloss(folder, token):
    """Push a run that was trained without any thought of it; the repository is called like its folder."""
    plain = {"max_steps": 1, "save_strategy": "no", "eval_strategy": "no", "load_best_model_at_end": False}
    trainer = gloss_trainer(gloss_report(folder / "clips"), folder / "gloss-run", **plain)
    trainer.train()
    job = trainer.push_to_hub(blocking=False, token=token)
    assert job.result().commit


if __name__ == "__main__":
    token = os.environ.pop("HF_TOKEN")
    translation(Path(sys.argv[1]), token)
    gloss(Path(sys.argv[1]), token)

"""What the files of a run say about its model, its data and its training, as a template shows it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from hf_slt.model_card.portable import base_name, is_hub_id, portable_value
from hf_slt.model_card.run_files import TRANSLATION, RunFiles, count_clips, count_weights
from hf_slt.model_card.scores import number

logger = logging.getLogger(__name__)

CUSTOM_DECODER = "custom_decoder"
# Flags whose value is a pretrained model -> what it is used for.
PRETRAINED = {
    "decoder_model": "text decoder",
    "backbone": "image backbone",
    "face_backbone": "backbone of the face",
    "hand_backbone": "backbone of the hands",
    "tokenizer": "tokenizer",
    "init_checkpoint": "first weights of the whole model",
}
_IMAGENET = "InceptionV3 with ImageNet weights"
# What a card lists of the training -> its name there. The rest is in run_config.json.
_SETTINGS = {
    "seed": "seed",
    "num_train_epochs": "epochs (planned)",
    "max_steps": "steps (planned)",
    "per_device_train_batch_size": "batch size (a device)",
    "gradient_accumulation_steps": "batches a step",
    "learning_rate": "learning rate",
    "lr_scheduler_type": "schedule",
    "warmup_ratio": "warm-up (share of the steps)",
    "weight_decay": "weight decay",
    "optim": "optimizer",
    "optimizer": "optimizer class",
    "label_smoothing_factor": "label smoothing",
    "ctc_weight": "CTC weight",
    "early_stop": "early stop (evaluations)",
    "precision": "precision",
    "subset_size": "clips of train and validation at most",
    "allow_overlap": "overlap with the test split allowed",
}
_UNSET = {"max_steps": -1, "optimizer": None, "early_stop": None, "precision": None, "subset_size": None}
_UNSET |= {"ctc_weight": 0.0, "label_smoothing_factor": 0.0, "allow_overlap": False, "gradient_accumulation_steps": 1}
_SECONDS_AN_HOUR = 3600
_SAME_FPS = 0.02  # share by which rates may differ: 29.97 and 30 are one
_LOWER_IS_BETTER = ("loss", "cer", "wer", "ter", "looping")  # of both tasks


def model_facts(run: RunFiles) -> dict[str, Any]:
    """Return kind, sizes and inputs of the model."""
    weights, config = count_weights(run.folder), run.config
    facts = {
        "type": config["model_type"],
        "architecture": (config.get("architectures") or [None])[0],
        "parameters": number(weights / 1e6, 2) if weights else None,
        "is_export": run.is_export,
        "has_decoder": any(run.folder.glob("decoder*.onnx")),
        "exports": run.exports,
        "extractor": run.extractor.get("extractor"),
    }
    if run.task != TRANSLATION:
        names = config.get("id2label") or {}
        return facts | {
            "glosses": len(names) or None,
            "categories": config.get("num_categories"),
            "input_type": run.extractor.get("input_type"),
            "features": run.extractor.get("features"),
            "normalization": run.extractor.get("normalization"),
            "num_frames": run.extractor.get("num_frames"),
        }
    decoder = config.get("text_config") or {}
    backbones = {name: config.get(f"{name}_config") for name in ("backbone", "face_backbone", "hand_backbone")}
    return facts | {
        "streams": list(config.get("streams") or ("face", "left_hand", "right_hand", "pose")),
        "backbone": ", ".join(sorted({found["model_type"] for found in backbones.values() if found})) or None,
        "decoder": decoder.get("model_type"),
        "vocabulary": decoder.get("vocab_size"),
        "sequence_length": run.extractor.get("sequence_length"),
        "image_size": config.get("image_size"),
        "landmarks": config.get("num_pose_landmarks"),
        "ctc": bool(config.get("ctc_weight")),
        "custom_decoder": decoder.get("model_type") == CUSTOM_DECODER,
    }


def split_facts(run: RunFiles, fps: float | None) -> list[dict[str, Any]]:
    """Return sizes of every split: `name`, `clips`, `sentences` (different ones), `signers`, `frames`, `hours`.

    Args:
        run: The run.
        fps: Frames a second, as a person says; hours follow from it only where the data do not tell the length of
            their clips. Where they do, and it is another one, a warning says so.
    """
    rows = []
    for name in ("train", "validation", "test"):
        members, counted = run.splits.get(name), run.contract.get("splits", {}).get(name, {})
        if members is None and not counted:
            continue
        clips = count_clips(name, run.splits, run.contract)
        frames = counted.get("frames") if counted.get("clips") == clips else None  # of the clips that were used
        seconds = counted.get("seconds") if frames else None
        if seconds and fps and abs(frames / seconds - fps) > _SAME_FPS * fps:
            logger.warning(
                f"the info of the model card says {fps:g} frames a second, the data of the {name} split "
                f"{frames / seconds:.4g}: its hours are those of the data; correct `fps`, or leave it out"
            )
        seconds = seconds or (frames / fps if frames and fps else None)
        rows.append(
            {
                "name": name,
                "clips": clips,
                "sentences": _size(members, "sentences"),
                "signers": _size(members, "signers"),
                "frames": frames,
                "hours": number(seconds / _SECONDS_AN_HOUR, 2) if seconds else None,
            }
        )
    return rows


def _size(members: Mapping[str, Any] | None, key: str) -> int | None:
    return len(members[key]) if members and members.get(key) else None


def data_hashes(run: RunFiles) -> dict[str, str]:
    """Return split -> hash of the clips that the run used; those that were not recorded are left out."""
    return {name: members["data_hash"] for name, members in run.splits.items() if members.get("data_hash")}


def shared_facts(run: RunFiles) -> dict[str, Any]:
    """Return what the test split shares with the clips that chose the weights; None where that is not recorded.

    `sentences` and `test_sentences` are counts of different sentences, `signers` a count of people.
    """
    test, seen = run.splits.get("test", {}), [run.splits.get(name, {}) for name in ("train", "validation")]
    facts: dict[str, Any] = {"sentences": None, "test_sentences": None, "signers": None}
    if test.get("sentences"):
        facts["sentences"] = len(set(test["sentences"]) & {text for part in seen for text in part.get("sentences", ())})
        facts["test_sentences"] = len(test["sentences"])
    if test.get("signers") and seen[0].get("signers"):
        facts["signers"] = len(set(test["signers"]) & {name for part in seen for name in part.get("signers", ())})
    return facts


def selection_facts(run: RunFiles) -> dict[str, Any]:
    """Return how the weights were chosen: `split`, `metric`, `mode` and a sentence, `rule`; None where not recorded.

    An evaluation that says it is believed; otherwise the flags of the run tell.
    """
    from hf_slt.training.evaluation_provenance import describe_selection

    said = [one.metrics["selection"] for one in run.evaluations if isinstance(one.metrics.get("selection"), Mapping)]
    told = said[0] if said else describe_selection(run.folder, run.settings, run.splits, _LOWER_IS_BETTER)
    return {"split": None, "metric": None, "mode": None, "rule": None, **told}


def pretrained_parts(run: RunFiles, licenses: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """Return the parts that were not trained from random weights: `name`, `use`, `license`, and `hub` for an id."""
    parts = []
    for flag, use in PRETRAINED.items():
        value = run.settings.get(flag)
        if value:
            on_hub = flag != "init_checkpoint" and is_hub_id(value)
            name = value if on_hub else base_name(str(value))
            parts.append({"name": name, "use": use, "hub": on_hub and flag != "tokenizer"})
    if run.config.get("train_from_frames") and run.config.get("use_pretrained_backbone"):
        parts.append({"name": _IMAGENET, "use": "image backbone", "hub": False})
    return [{**part, "license": (licenses or {}).get(part["name"])} for part in parts]


def training_settings(run: RunFiles) -> list[tuple[str, Any]]:
    """Return name and value of what a card lists: how far the training went, and its settings."""
    done = {"epochs (trained)": run.progress.get("epoch"), "steps (trained)": run.progress.get("global_step")}
    shown: list[tuple[str, Any]] = [
        (label, f"{round(value, 2):.10g}") for label, value in done.items() if value is not None
    ]
    planned_by_steps = (run.settings.get("max_steps") or 0) > 0  # then the number of epochs plans nothing
    for name, label in _SETTINGS.items():
        value = portable_value(run.settings.get(name))
        silent = (name in _UNSET and value == _UNSET[name]) or (name == "num_train_epochs" and planned_by_steps)
        if name in run.settings and not silent:
            shown.append((label, f"{value:g}" if isinstance(value, float) else "none" if value is None else value))
    return shown

"""What the files of a run say about its model, its data and its training, as a template shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_slt.model_card.portable import base_name, data_paths, is_hub_id, portable_value
from hf_slt.model_card.run_files import TRANSLATION, RunFiles, count_weights
from hf_slt.model_card.scores import number

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
    "num_train_epochs": "epochs",
    "max_steps": "steps",
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
_LOWER_IS_BETTER = ("loss", "cer", "wer", "ter", "looping")  # of both tasks


def model_facts(run: RunFiles) -> dict[str, Any]:
    """Return kind, sizes and inputs of the model."""
    weights, config = count_weights(run.folder), run.config
    facts = {
        "type": config["model_type"],
        "architecture": (config.get("architectures") or [None])[0],
        "parameters": number(weights / 1e6, 2) if weights else None,
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
            "frames": run.extractor.get("input_type") == "frames",
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
    """Return sizes of every split: `name`, `clips`, `sentences` (different ones), `signers`, `frames`, `hours`."""
    rows = []
    for name in ("train", "validation", "test"):
        members, counted = run.splits.get(name), run.contract.get("splits", {}).get(name, {})
        if members is None and not counted:
            continue
        clips = _size(members, "video_ids", "files") or counted.get("clips")
        frames = counted.get("frames") if counted.get("clips") == clips else None  # of the clips that were used
        seconds = frames / fps if frames and fps else None
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


def _size(members: Mapping[str, Any] | None, *keys: str) -> int | None:
    for key in keys:
        if members and members.get(key):
            return len(members[key])
    return None


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
            name = value if is_hub_id(value) else base_name(str(value))
            parts.append({"name": name, "use": use, "hub": is_hub_id(value) and flag != "tokenizer"})
    if run.extractor.get("input_type") == "frames" and run.settings.get("pretrained_backbone"):
        parts.append({"name": _IMAGENET, "use": "image backbone", "hub": False})
    return [{**part, "license": (licenses or {}).get(part["name"])} for part in parts]


def training_settings(run: RunFiles) -> list[tuple[str, Any]]:
    """Return name and value of the settings that a card lists."""
    shown = []
    for name, label in _SETTINGS.items():
        value = portable_value(run.settings.get(name))
        if name in run.settings and not (name in _UNSET and value == _UNSET[name]):
            shown.append((label, f"{value:g}" if isinstance(value, float) else "none" if value is None else value))
    return shown


def commands(run: RunFiles) -> dict[str, str | None]:
    """Return the command lines that train and evaluate such a model; None where there is nothing to tell.

    `data` is whether they read a corpus of files, in the folder `D`.
    """
    if not run.settings:
        return {"train": None, "evaluate": None, "data": False}
    task, paths = ("slt" if run.task == TRANSLATION else "gloss"), data_paths(run.settings)
    folder = "runs/mine"
    flags = [f"--{name.replace('_', '-')} {place}" for name, place in paths.items()]
    train = [f"accelerate launch scripts/train_{task}.py --config run_config.json", *flags, f"--output_dir {folder}"]
    evaluates = bool(paths or run.settings.get("demo"))
    evaluate = _wrapped(_evaluation_flags(run, paths, folder)) if evaluates else None
    return {"train": _wrapped(train), "evaluate": evaluate, "data": bool(paths)}


def _evaluation_flags(run: RunFiles, paths: Mapping[str, str], folder: str) -> list[str]:
    if run.task == TRANSLATION:
        start = [f"python scripts/eval_slt.py --checkpoint {folder}"]
        if run.settings.get("demo"):
            return [*start, "--demo"]
        data = [f"--{name.replace('_', '-')} {place}" for name, place in paths.items() if not name.endswith("_index")]
        return [*start, *data, f"--index {paths.get('test_index', paths.get('val_index', 'D/test.csv'))}"]
    start = [f"python scripts/eval_gloss.py --checkpoint {folder}"]
    kind = "features" if paths.get("features_train") else "keypoints"
    clips = paths.get(f"{kind}_test", paths.get(f"{kind}_train", "D/clips"))
    labels = paths.get("labels_test_csv", paths.get("labels_val_csv", "D/test.csv"))
    unlabelled = ["--allow-unlabelled-files"] if run.settings.get("allow_unlabelled_files") else []
    return [*start, f"--{kind} {clips}", f"--labels-csv {labels}", *unlabelled]


def _wrapped(parts: list[str]) -> str:
    """Lay a command line out on lines of 110 characters at most, where its flags allow that."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 1 > 110:
            lines.append(f"  {part}")
        else:
            lines[-1] += f" {part}"
    return " \\\n".join(lines)

"""Flags of the older tools that are left out on purpose, and what to use in their place."""

from __future__ import annotations

import re

# Pattern of a flag, without dashes and with underscores -> what its error says.
_LEFT_OUT = {
    r".*curriculum.*": "curricula are left out; the nearest is a first run on short clips (--sequence-length, "
    "--subset-size) whose weights the next one takes (--init-checkpoint)",
    r".*grad_?norm_(alpha|lr|weight.*)|(use_)?grad_?norm": "GradNorm is left out; the nearest is a fixed weight for "
    "each loss (--alpha and --beta of glosses, --ctc-weight of translation)",
    r".*scheduled_sampling.*|teacher_forcing.*|sampling_prob.*": "scheduled sampling is left out; the nearest is "
    "--label-smoothing, with generated sentences as the criterion (--metric_for_best_model eval_bleu)",
    r"(use_|no_)?mska.*|gloss_csv|keypoints_dir": "the keypoint branch with gloss supervision is left out; the nearest "
    "is --ctc-weight, with landmarks as --pose-dir",
    r"keypoint_scale_range": "use --augment-scale, the largest relative change",
    r"keypoint_rotate_range": "use --augment-rotation, in degrees",
    r"keypoint_translate_range": "use --augment-shift, as a share of the signing space",
    r"keypoint_resample_range": "use --augment-speed, the largest relative change",
    r"(no_)?keypoint_normalize_center": "poses are always normalised to the signing space",
    r"pretrained(_checkpoint)?": "use --init-checkpoint with a folder or a .pt file",
    r"hand_(left|right)_backbone": "use --hand-backbone, for both hands",
    r"freeze_(face|hand_left|hand_right)_backbone": "use --freeze-backbone, for all image backbones",
    r"projector_dropout|fusion_dropout": "use --temporal-dropout, the dropout of the encoder",
    r"(best|last)_pt": "no such files are written: the best model is --output_dir itself, and --resume takes the last "
    "checkpoint-N in it",
    r"no_pin_memory": "use --dataloader_pin_memory false",
    r"no_compile": "leave --compile out",
    r"no_amp": "leave --amp out, or use --precision fp32",
    r"train_samples|val_samples|seq_length|smoke_batch_size|smoke_t": "--smoke-test makes a corpus of its own; for a "
    "quick try on yours use --subset-size",
}
# What the older tools had to be told when they evaluated; flags of training here.
_SAID_BY_THE_CHECKPOINT = (
    r"image_size|sequence_length|projector_dim|d_model|pose_landmarks|temporal_(nhead|layers|dim_feedforward|dropout)|"
    r"decoder_(layers|heads|dropout|model|config|class|kwargs)|max_target_length|hidden[12]|num_gloss|num_cat"
)


def why_left_out(flag: str, evaluates: bool = False) -> str | None:
    """Return why a script has no such flag and what is nearest to it; None if the older tools had none by that name.

    Args:
        flag: The flag, as it was given.
        evaluates: Whether the script reads a checkpoint, which says what the model is.
    """
    name = flag.split("=")[0].lstrip("-").replace("-", "_").lower()
    if evaluates and re.fullmatch(_SAID_BY_THE_CHECKPOINT, name):
        return "leave it out, the checkpoint says it"
    return next((why for pattern, why in _LEFT_OUT.items() if re.fullmatch(pattern, name)), None)

r"""Train a gloss classifier: one sign a clip.

To see it work, in seconds, without data:
    accelerate launch scripts/train_gloss.py --model transformer --smoke-test --num-gloss 105 --num-cat 10
On your own clips, landmarks or image features:
    accelerate launch scripts/train_gloss.py --model transformer --keypoints-train D/train --keypoints-val D/val \
        --labels-train-csv D/train.csv --labels-val-csv D/val.csv --num-gloss 105 --num-cat 10 --epochs 30 \
        --batch-size 32 --output_dir runs/gloss
    accelerate launch scripts/train_gloss.py --model iv3_gru --features-train D/train --features-val D/val \
        --feature-key X2048 --labels-train-csv D/train.csv --labels-val-csv D/val.csv --num-gloss 105 --num-cat 10 \
        --output_dir runs/iv3
"""

from hf_slt.cli import run_script
from hf_slt.training.gloss_arguments import (
    GlossAugmentationArguments,
    GlossDataArguments,
    GlossFeatureArguments,
    GlossLossArguments,
    GlossModelArguments,
)
from hf_slt.training.gloss_run_arguments import GlossRunArguments
from hf_slt.training.parsing import parse_arguments, print_help

GROUPS = [
    GlossDataArguments,
    GlossFeatureArguments,
    GlossModelArguments,
    GlossAugmentationArguments,
    GlossLossArguments,
]


def main(argv: list[str]) -> None:
    """Parse the command line and train."""
    if {"-h", "--help"} & set(argv):
        print_help(__doc__, [GlossRunArguments, *GROUPS])
        return
    from hf_slt.training.gloss_smoke import SMOKE_PRESET, run_smoke_test
    from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
    from hf_slt.training.train_gloss import run_train_gloss

    types = [*GROUPS, GlossTrainingArguments]
    arguments, effective = parse_arguments(types, argv)
    if effective["smoke_test"]:  # however it was spelled, in a --config file too
        arguments, effective = parse_arguments(types, argv, SMOKE_PRESET)
        run_smoke_test(*arguments, effective)
        return
    run_train_gloss(*arguments, effective)


if __name__ == "__main__":
    run_script(main)

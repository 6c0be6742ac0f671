"""Early stopping that survives a restart."""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState, TrainingArguments


class ResumableEarlyStopping(EarlyStoppingCallback):
    """Early stopping that goes on counting when a run is resumed; transformers' own starts again at 0.

    Args:
        early_stopping_patience: Evaluations without a better score after which training stops.
    """

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Count the evaluations since the best one in what the run did before it was cut off."""
        super().on_train_begin(args, state, control, **kwargs)
        self.early_stopping_patience_counter = 0
        name = f"eval_{args.metric_for_best_model.removeprefix('eval_')}"
        scores = np.array([entry[name] for entry in state.log_history if name in entry])
        if len(scores):
            best = int(scores.argmax() if args.greater_is_better else scores.argmin())
            self.early_stopping_patience_counter = len(scores) - 1 - best
        if self.early_stopping_patience_counter >= self.early_stopping_patience:
            control.should_training_stop = True  # it had stopped, and was cut off before it had written its results

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Count an evaluation of the validation split; that of the test split, after training, has other names."""
        if f"eval_{args.metric_for_best_model.removeprefix('eval_')}" in (metrics or {}):
            super().on_evaluate(args, state, control, metrics, **kwargs)

"""Loaders of evaluations: one for each data set, also where the processes that read stay alive."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader


class OwnEvalLoader:
    """Mixin of a [`Trainer`]: an evaluation reads the data set that it is asked for.

    With `--dataloader_persistent_workers` transformers keeps the loader of the first evaluation and takes it for every
    later data set too: what it calls the test score would be that of the validation clips.
    """

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Return the loader of a data set, by default that of the Trainer; a kept one only if it is its own."""
        kept = getattr(self, "_eval_dataloaders", {})
        wanted = self.eval_dataset if eval_dataset is None else eval_dataset
        if "eval" in kept and kept["eval"].dataset is not wanted:
            del kept["eval"]
        # What is dropped for training, so that batches are whole, is scored all the same.
        drops, self.args.dataloader_drop_last = self.args.dataloader_drop_last, False
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.args.dataloader_drop_last = drops

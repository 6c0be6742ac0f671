"""What the trainers of both tasks share, on top of HuggingFace's."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader

from hf_slt.errors import ConfigurationError
from hf_slt.training.evaluation_loaders import OwnEvalLoader
from hf_slt.training.guards import FiniteLoss
from hf_slt.training.interruption import shield_workers
from hf_slt.training.optimization import OwnOptimization
from hf_slt.training.publishing import Publishing
from hf_slt.training.resumption import ExactRuns


class RunTrainer(FiniteLoss, ExactRuns, OwnOptimization, OwnEvalLoader, Publishing):
    """Mixin of a [`Trainer`]: any optimizer and schedule, finite losses, runs that can be stopped anywhere and pushed.

    Its arguments are [`RunSettings`].
    """

    def get_train_dataloader(self) -> DataLoader:
        """Return the loader of the training clips; its workers leave signals to the run.

        Raises:
            ConfigurationError: Not one batch is left.
        """
        loader = shield_workers(super().get_train_dataloader())
        if not len(loader):
            raise ConfigurationError(
                f"expected clips for a whole batch with --dataloader_drop_last true, found "
                f"{len(self.train_dataset)} for batches of {self._train_batch_size}"
            )
        return loader

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Return the loader of a data set, by default that of the Trainer; its workers leave signals to the run."""
        return shield_workers(super().get_eval_dataloader(eval_dataset))

    def get_test_dataloader(self, test_dataset: Any) -> DataLoader:
        """Return the loader of clips to predict, which is that of an evaluation in everything."""
        return self.get_eval_dataloader(test_dataset)

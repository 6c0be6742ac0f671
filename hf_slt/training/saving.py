"""Checkpoints and models that are written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from hf_slt.errors import HfSltError
from hf_slt.training.checkpoints import FILES, RUN_STATE, SAVING, STATE, checkpoints_of, replace_folder, rotate
from hf_slt.training.ema import WeightAverage


class CheckpointError(HfSltError):
    """A checkpoint or a model could not be written."""


class WholeSaving:
    """Mixin of a [`Trainer`] that writes beside what is there and then renames; the best checkpoint is never deleted.

    Attributes:
        average: The moving average of the weights while training, with `--use-ema`: the model that is saved.
        skipped_batches: Batches that training left out.
        limit: Checkpoints to keep while training; transformers' own `save_total_limit` is off meanwhile.
    """

    average: WeightAverage | None = None
    skipped_batches = 0
    limit: int | None = None
    _staging = False

    def run_state(self) -> dict[str, Any]:
        """Return what a checkpoint has to hold beside transformers' own state, as JSON; called on every process."""
        return {"skipped_batches": self.skipped_batches, **self.optimization_state()}

    def load_run_state(self, state: dict[str, Any]) -> None:
        """Take over what `run_state` returned when the checkpoint was saved."""
        self.skipped_batches = state.get("skipped_batches", 0)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the model; each file is the old one or the whole new one, weights first.

        Raises:
            CheckpointError: It cannot be written.
        """
        folder = Path(output_dir or self.args.output_dir)
        if _internal_call:  # a part of a checkpoint, which is whole as a folder
            super().save_model(str(folder), _internal_call=True)
            return
        staged = folder / SAVING / "model"
        with self._writing(folder / SAVING, f"the model in {folder}"):
            super().save_model(str(staged), _internal_call=True)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                for path in sorted(staged.iterdir(), key=lambda path: path.suffix != ".safetensors"):
                    os.replace(path, folder / path.name)
                shutil.rmtree(folder / SAVING)
        self.push_saved("Model save")

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        run_dir, step = Path(self.args.output_dir), self.state.global_step
        final, staged = run_dir / f"checkpoint-{step}", run_dir / SAVING / f"checkpoint-{step}"
        if self.state.best_global_step == step:
            self.state.best_model_checkpoint = str(final)
        best, own_state = self.state.best_model_checkpoint, self.run_state()
        with self._writing(run_dir / SAVING, str(final)):
            with contextlib.nullcontext() if self.average is None else self.average.applied():
                self._write_checkpoint(model, trial)
            self.state.best_model_checkpoint = best
            if self.args.should_save:
                if self.average is not None:
                    self.average.save_weights(staged)
                    own_state["average_updates"] = self.average.updates
                self.state.save_to_json(str(staged / STATE))
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                own_state[FILES] = sorted(path.name for path in staged.iterdir())
                (staged / RUN_STATE).write_text(json.dumps(own_state), encoding="utf-8")
                replace_folder(staged, final)
                shutil.rmtree(run_dir / SAVING)
        if self.args.should_save:
            rotate(run_dir, self.limit, [Path(best)] if best else [])
        if self.args.push_to_hub:
            self._push_from_checkpoint(str(final))

    def _write_checkpoint(self, model: Any, trial: Any) -> None:
        """Have transformers write its checkpoint beside the others, where it finds none to delete or to upload."""
        pushes, self.args.push_to_hub = self.args.push_to_hub, False
        self._staging = True
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self._staging, self.args.push_to_hub = False, pushes

    def _get_output_dir(self, trial: Any) -> str:
        return str(Path(self.args.output_dir) / SAVING) if self._staging else super()._get_output_dir(trial)

    @contextlib.contextmanager
    def _writing(self, staging: Path, what: str) -> Iterator[None]:
        """Turn what goes wrong while files are written into an error, and leave nothing half-written."""
        try:
            yield
        # A full disk is a RuntimeError of torch, and an error of its own of safetensors.
        except (OSError, RuntimeError, SafetensorError) as error:
            if self.args.should_save:
                shutil.rmtree(staging, ignore_errors=True)
            whole = checkpoints_of(Path(self.args.output_dir))
            left = f"{whole[0].name} is whole" if whole else "there is no checkpoint yet"
            raise CheckpointError(
                f"expected to save {what}, found: {error}; {left}: make room, or the folder writable, and go on with "
                f"--resume"
            ) from error

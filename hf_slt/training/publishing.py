"""What a Trainer pushes to the hub: the model, its card, its code and its scores, never the corpus or a token.

transformers' own Trainer uploads the whole folder of a run, in which there are sentences of the corpus, pickles and
paths of the machine, and writes the token of `--hub_token` into `training_args.bin`.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi
from transformers.trainer_utils import HubStrategy, SaveStrategy
from transformers.utils import PushInProgress

from hf_slt.errors import HfSltError
from hf_slt.hub.contents import PUBLISHED_SETTINGS, check_model, stage_model
from hf_slt.hub.errors import hub_errors
from hf_slt.hub.push import PushedModel, find_token, upload_model
from hf_slt.model_card import write_model_card
from hf_slt.model_card.run_files import read_object

logger = logging.getLogger(__name__)

_LATER = "nothing was pushed to the hub (the model is in {0}; scripts/push_model.py pushes it)"
_PICKLE = "training_args.bin"
# Argument of transformers' create_model_card -> fact of the card.
_FACTS = {
    "model_name": "name",
    "language": "language",
    "license": "license",
    "finetuned_from": "base_models",
    "dataset": "dataset_name",
    "dataset_tags": "dataset_ids",
}


class Publishing:
    """Mixin of a [`Trainer`]: `push_to_hub` and the pushes of `hub_strategy` upload what `push_model.py` does.

    A token given as an argument is kept out of `args`, which are saved.
    """

    _token: str | None = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._token, self.args.hub_token = self.args.hub_token, None

    def init_hf_repo(self, token: str | None = None, **kwargs: Any) -> None:
        """Make the repository of the run, if there is none.

        Raises:
            HubError: The hub refuses, or cannot be reached.
        """
        name = self.args.hub_model_id or Path(self.args.output_dir).absolute().name
        token = token or self._token or self.args.hub_token
        if not token and self.is_world_process_zero():
            find_token()  # says what to do if there is none
        with hub_errors(name, token):
            super().init_hf_repo(token=token, **kwargs)

    def create_model_card(
        self,
        language: str | None = None,
        license: str | None = None,
        tags: Any = None,
        model_name: str | None = None,
        finetuned_from: str | None = None,
        tasks: Any = None,
        dataset_tags: str | list[str] | None = None,
        dataset: str | list[str] | None = None,
        dataset_args: Any = None,
        **more: Any,
    ) -> None:
        """Write the card of the run, README.md in its folder, unless a person wrote one.

        Args:
            language: Language of the sentences.
            license: Licence of the model.
            tags: Has no place in this card, as `tasks`, `dataset_args` and `more`.
            model_name: Name of the model.
            finetuned_from: The model on the hub that this one started from.
            tasks: See `tags`.
            dataset_tags: The data sets on the hub.
            dataset: Name of the data.
            dataset_args: See `tags`.
            more: See `tags`.
        """
        facts = {"language": language, "license": license, "tags": tags, "model_name": model_name}
        facts |= {"finetuned_from": finetuned_from, "tasks": tasks, "dataset_tags": dataset_tags, "dataset": dataset}
        facts |= {"dataset_args": dataset_args, **more}
        if not self.is_world_process_zero():
            return
        if left_out := sorted(name for name, value in facts.items() if value is not None and name not in _FACTS):
            logger.warning(f"the model card has no place for {', '.join(left_out)}; edit README.md after this")
        write_model_card(self.args.output_dir, _card_info(facts), repo_id=self.hub_model_id)

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        **card: Any,
    ) -> PushedModel | Future | None:
        """Save the model, write its card and upload both as one commit, from the first process.

        Args:
            commit_message: First line of the commit.
            blocking: Whether to wait for the upload.
            token: The token (default: `hub_token`, HF_TOKEN or that of `hf auth login`).
            revision: The branch (default: `hub_revision`, main).
            card: Arguments of `create_model_card`; `private` (bool) of the repository.

        Returns:
            Where the model is, or with `blocking=False` the future of it; None on other processes.

        Raises:
            ConfigurationError: The folder of the run lacks what loads the model, for example its feature extractor.
            HubError: The hub refuses, or cannot be reached.
        """
        private = card.pop("private", None)
        if self.hub_model_id is None:
            self.init_hf_repo(token=token, **({} if private is None else {"private": private}))
        pushes, self.args.push_to_hub = self.args.push_to_hub, False
        try:
            self.save_model()
        finally:
            self.args.push_to_hub = pushes
        if not self.is_world_process_zero():
            return None
        self.create_model_card(**card)
        check_model(Path(self.args.output_dir))
        self._finish_current_push()
        job = self._upload(commit_message, token, revision, card)
        return job.result() if blocking else job

    def push_saved(self, commit_message: str) -> None:
        """Push the saved model, with the scores that are there by now, if the run pushes at all (`--push_to_hub`).

        A push that fails does not end the run: the log says why, and the model can be pushed later.
        """
        if not self.args.push_to_hub or not self.is_world_process_zero():
            return
        try:
            check_model(Path(self.args.output_dir))
            self._finish_current_push()
            self._upload(commit_message).result()
        except HfSltError as error:
            logger.warning(f"{_LATER.format(self.args.output_dir)}: {error}")

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        strategy = HubStrategy(self.args.hub_strategy)
        if not self.is_world_process_zero() or strategy == HubStrategy.END:
            return
        busy = self.push_in_progress is not None and not self.push_in_progress.is_done()
        if busy and not self.args.hub_always_push:
            return
        by_steps = SaveStrategy(self.args.save_strategy) == SaveStrategy.STEPS
        position = f"step {self.state.global_step}" if by_steps else f"epoch {int(self.state.epoch)}"
        message, checkpoint = f"Training in progress, {position}", Path(checkpoint_folder)
        try:
            jobs = [self._upload(message, weights=checkpoint)]
        except HfSltError as error:
            logger.warning(f"{_LATER.format(self.args.output_dir)}: {error}")
            return
        if strategy in (HubStrategy.CHECKPOINT, HubStrategy.ALL_CHECKPOINTS):
            name = "last-checkpoint" if strategy == HubStrategy.CHECKPOINT else checkpoint.name
            api = HfApi(token=self._token)
            place = (self.hub_model_id, name, self.args.hub_revision, f"{message}, checkpoint")
            jobs.append(api.run_as_future(_upload_checkpoint, api, checkpoint, *place))
        for job in jobs:
            job.add_done_callback(self._report)
        if busy:
            self.push_in_progress.jobs.extend(jobs)
        else:
            self.push_in_progress = PushInProgress(jobs)

    def _upload(
        self,
        message: str | None,
        token: str | None = None,
        revision: str | None = None,
        card: dict[str, Any] | None = None,
        weights: Path | None = None,
    ) -> Future:
        """Stage the run, then upload it in the background; with `weights`, a checkpoint of it."""
        staged = Path(tempfile.mkdtemp(prefix="hf_slt_push_"))
        try:
            if weights is not None and self.processing_class is not None:
                self.processing_class.save_pretrained(staged)
            stage_model(Path(self.args.output_dir), staged, self.hub_model_id, _card_info(card or {}), weights)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        api = HfApi(token=token or self._token)
        revision = revision or self.args.hub_revision
        job = api.run_as_future(upload_model, api, staged, self.hub_model_id, None, revision, message)
        job.add_done_callback(lambda _: shutil.rmtree(staged, ignore_errors=True))
        return job

    def _report(self, job: Future) -> None:
        if error := job.exception():
            logger.warning(f"{_LATER.format(self.args.output_dir)}: {error}")


def _upload_checkpoint(
    api: HfApi, checkpoint: Path, repo: str, name: str, revision: str | None, message: str
) -> CommitInfo:
    """Upload all that a run is resumed from; `training_args.bin`, a pickle, is not read for that."""
    paths = [path for path in sorted(checkpoint.rglob("*")) if path.is_file() and path.name != _PICKLE]
    operations = [
        CommitOperationAdd(f"{name}/{path.relative_to(checkpoint).as_posix()}", _public(path)) for path in paths
    ]
    return api.create_commit(repo, operations, commit_message=message, revision=revision)


def _public(path: Path) -> str | bytes:
    """Return a file of a checkpoint for the upload; settings without the folders of this machine."""
    clean = PUBLISHED_SETTINGS.get(path.name)
    if clean is None:
        return str(path)
    return f"{json.dumps(clean(read_object(path)), indent=2)}\n".encode()


def _card_info(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of a card out of the arguments of transformers' `create_model_card`."""
    return {_FACTS[name]: value for name, value in facts.items() if name in _FACTS and value is not None}

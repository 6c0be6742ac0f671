"""Push a corpus of clips as a data set whose rows hold their frames, so that it streams back; see `hub_dataset.py`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

import datasets
from huggingface_hub import DatasetCard, HfApi, constants

from hf_slt.data.builder import build_datasets
from hf_slt.data.hub_dataset import embed_clips
from hf_slt.errors import ConfigurationError
from hf_slt.hub.dataset_arguments import PushDatasetArguments
from hf_slt.hub.errors import HubError, hub_errors
from hf_slt.hub.push import check_repo_name, find_token, full_name
from hf_slt.streams import STREAMS
from hf_slt.training.arguments import DataArguments

logger = logging.getLogger(__name__)

_MESSAGE = "Push clips with hf_slt"
_CARD = """
# {repo}

Clips of sign language with their sentences. The rows hold the frames themselves, so the data set streams.

| split | clips | frames | signers |
|---|---|---|---|
{splits}

## Columns

- `video_id`, `text`, `n_frames`; `signer`, `duration` (s) and `fps` where they are known.
- `face`, `left_hand`, `right_hand`: `images` and `frames`, the number of each picture in the clip; a number that is not
  there is a frame without a picture. None: the clip lacks the stream.
- `pose`: `values`, x, y and confidence (0 = undetected) of each landmark in each frame; `norm`, the name of their
  normalisation (none: image coordinates); `layout`, the name of their layout.

## Use

```python
import datasets
from hf_slt import ClipTransform, MultiStreamFeatureExtractor

transform = ClipTransform(MultiStreamFeatureExtractor(streams={streams}, num_pose_landmarks={landmarks}))
for row in datasets.load_dataset("{repo}", split="{split}", streaming=True):
    inputs = transform.load(row)
```

## Licence, signers and consent

Not documented. Write here where the recordings come from and under which licence, who signs, and what the signers
agreed to: the pictures show people.
"""


def run_push_dataset(data_args: DataArguments, args: PushDatasetArguments) -> str:
    """Check a corpus and push it; returns the URL of the data set.

    Raises:
        DataContractError: The corpus is not usable; nothing was pushed.
        ConfigurationError: The name of the repository or the token file is not usable.
        HubError: No token, or the hub refuses it or the upload, or cannot be reached.
    """
    if args.repo is None:
        raise ConfigurationError(
            "expected a repository, found none; give its name first: push_dataset.py user/name ..."
        )
    check_repo_name(args.repo)
    token = find_token(args.token_file)
    repo = full_name(HfApi(token=token), args.repo)
    clips, _ = build_datasets(
        data_args.corpus_paths(),
        report_path=args.report,
        skip_invalid=data_args.skip_invalid,
        allow_missing_streams=data_args.allow_missing_streams,
    )
    return push_clips(clips, repo, token, args.private, args.revision, data_args.pose_key)


def push_clips(
    clips: Mapping[str, datasets.Dataset],
    repo: str,
    token: str,
    private: bool = False,
    revision: str | None = None,
    pose_key: str = "pose",
) -> str:
    """Push the splits of a corpus with their frames, and a card if the repository has none.

    Args:
        clips: Split -> its clips, as `build_datasets` returns them.
        repo: The repository, `user/name`; made if there is none.
        token: A token that may write to it.
        private: It has to be private.
        revision: The branch, made if there is none.
        pose_key: Key of the pose array in `.npz` files.

    Returns:
        The URL of the data set.

    Raises:
        DataContractError: A file of the corpus is missing or damaged; nothing was pushed.
        HubError: The hub refuses, or cannot be reached.
    """
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory(prefix="hf_slt_push_") as folder:
        embedded = datasets.DatasetDict(
            {
                split: embed_clips(rows, pose_key=pose_key, file=Path(folder) / f"{split}.arrow", show_progress=True)
                for split, rows in clips.items()
            }
        )
        with hub_errors(repo, token):
            api.create_repo(repo, repo_type="dataset", private=private or None, exist_ok=True)
            if private and not api.dataset_info(repo).private:
                raise HubError(
                    f"expected a private repository, found the public {repo}; nothing was uploaded: make it private in "
                    f"its settings, choose another name, or leave --private out"
                )
            embedded.push_to_hub(repo, revision=revision, token=token, commit_message=_MESSAGE)
            _add_card(api, repo, revision, card_text(repo, embedded))
    return f"{constants.ENDPOINT}/datasets/{repo}"


def _add_card(api: HfApi, repo: str, revision: str | None, text: str) -> None:
    """Give the data set a card, unless somebody wrote one; `datasets` has put its columns and splits into it."""
    card = DatasetCard.load(api.hf_hub_download(repo, "README.md", repo_type="dataset", revision=revision))
    if card.text.strip():
        logger.info("%s keeps the card that it has", repo)
        return
    card.text = text
    card.data.task_categories = ["translation"]
    card.data.tags = ["sign-language", "hf_slt"]
    # Not the card's own push_to_hub: it checks the text at huggingface.co, whatever HF_ENDPOINT says.
    api.upload_file(
        path_or_fileobj=str(card).encode(),
        path_in_repo="README.md",
        repo_id=repo,
        repo_type="dataset",
        revision=revision,
        commit_message="Add a card",
    )


def card_text(repo: str, clips: Mapping[str, datasets.Dataset]) -> str:
    """Return the text of the card of a data set.

    Args:
        repo: The repository.
        clips: Split -> its clips, as `embed_clips` returns them.
    """
    lines = []
    for split, rows in clips.items():
        signers = set(rows["signer"]) - {None}
        lines.append(f"| {split} | {len(rows)} | {sum(rows['n_frames'])} | {len(signers) or 'not known'} |")
    first = next(iter(clips))
    row = clips[first][0]
    streams = [stream for stream in STREAMS if row[stream] is not None]
    landmarks = len(row["pose"]["values"][0]) // 3 if row["pose"] else 33
    return _CARD.format(repo=repo, splits="\n".join(lines), streams=streams, landmarks=landmarks, split=first)

"""Push a corpus of clips as a data set whose rows hold their frames, so that it streams back; see `hub_dataset.py`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

import datasets
import pyarrow
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
# Between these, the text is made anew by each push; a person's is around them.
_BEGIN = "<!-- hf_slt data set: from here to the end mark, every push writes this text anew -->"
_END = "<!-- hf_slt data set: end -->"
_FACTS = """
Clips of sign language with their sentences. The rows hold the frames themselves, so the data set streams.

| split | clips | frames | signers |
|---|---|---|---|
{splits}

## Columns

- `video_id`, `text`, `n_frames`; where they are known: `signer`, `video` (name of the recording that the clip was cut
  from), `duration` (s) and `fps`.
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
"""
_CARD = """
# {repo}

{facts}

## Licence, signers and consent

Not documented. Write here where the recordings come from and under which licence, who signs, and what the signers
agreed to: the pictures show people. Later pushes keep what is written here.
"""


def run_push_dataset(data_args: DataArguments, args: PushDatasetArguments) -> str:
    """Check a corpus and push it.

    Returns:
        The URL of the data set; with `dry_run` the facts of its card, and nothing is pushed.

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
    token = None if args.dry_run else find_token(args.token_file)
    clips, _ = build_datasets(
        data_args.corpus_paths(),
        report_path=args.report,
        skip_invalid=data_args.skip_invalid,
        allow_missing_streams=data_args.allow_missing_streams,
    )
    if token is None:
        return preview(clips)
    repo = full_name(HfApi(token=token), args.repo)
    return push_clips(clips, repo, token, args.private, args.revision, data_args.pose_key)


def preview(clips: Mapping[str, datasets.Dataset]) -> str:
    """Return what would be pushed: splits with their sizes, and the streams; the files are not read for it."""
    streams = _streams(clips)
    return "\n".join([f"streams: {', '.join(streams)}", *map(" | ".join, split_sizes(clips))])


def split_sizes(clips: Mapping[str, datasets.Dataset]) -> list[list[str]]:
    """Return the rows of a table: split, clips, frames, signers; its head first."""
    lines = [["split", "clips", "frames", "signers"]]
    for split, rows in clips.items():
        signers = set(rows["signer"]) - {None}
        lines.append([split, str(len(rows)), str(sum(rows["n_frames"])), str(len(signers) or "not known")])
    return lines


def push_clips(
    clips: Mapping[str, datasets.Dataset],
    repo: str,
    token: str,
    private: bool = False,
    revision: str | None = None,
    pose_key: str = "pose",
) -> str:
    """Push the splits of a corpus with their frames, and a card unless a person wrote one.

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
            add_card(api, repo, revision, card_facts(repo, embedded))
    return f"{constants.ENDPOINT}/datasets/{repo}"


def add_card(api: HfApi, repo: str, revision: str | None, facts: str) -> None:
    """Give the data set a card, or the one of an earlier push new facts; `datasets` has put columns and splits into it.

    The card that a person wrote, which is one without our marks, stays as it is.

    Args:
        api: The client, with its token.
        repo: The repository.
        revision: The branch (None: main).
        facts: What `card_facts` returns.
    """
    card = DatasetCard.load(api.hf_hub_download(repo, "README.md", repo_type="dataset", revision=revision))
    before, begin, rest = card.text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if begin and end:
        card.text = f"{before}{facts}{after}"
    elif card.text.strip():
        logger.info("%s keeps the card that a person wrote", repo)
        return
    else:
        card.text = _CARD.format(repo=repo, facts=facts)
        card.data.task_categories = ["translation"]
        card.data.tags = ["sign-language", "hf_slt"]
    # Not the card's own push_to_hub: it checks the text at huggingface.co, whatever HF_ENDPOINT says.
    api.upload_file(
        path_or_fileobj=str(card).encode(),
        path_in_repo="README.md",
        repo_id=repo,
        repo_type="dataset",
        revision=revision,
        commit_message="Describe the clips",
    )


def card_facts(repo: str, clips: Mapping[str, datasets.Dataset]) -> str:
    """Return what the clips themselves tell for the card of a data set, between our marks.

    Args:
        repo: The repository.
        clips: Split -> its clips, as `embed_clips` returns them.
    """
    lines = [f"| {' | '.join(line)} |" for line in split_sizes(clips)[1:]]
    streams = _streams(clips)
    layouts = [len(pose["values"][0].as_py()) // 3 for rows in clips.values() for pose in _present(rows, "pose")[:1]]
    facts = _FACTS.format(
        repo=repo,
        splits="\n".join(lines),
        streams=streams,
        landmarks=layouts[0] if layouts else 33,
        split=next(iter(clips)),
    )
    return f"{_BEGIN}\n{facts}\n{_END}"


def _streams(clips: Mapping[str, datasets.Dataset]) -> list[str]:
    """Return the streams that any clip has."""
    return [stream for stream in STREAMS if any(_present(rows, stream) for rows in clips.values())]


def _present(rows: datasets.Dataset, stream: str) -> pyarrow.ChunkedArray:
    """Return what the clips that have a stream hold of it, nothing of which is decoded."""
    return rows.select_columns(stream).with_format("arrow")[:][stream].drop_null()

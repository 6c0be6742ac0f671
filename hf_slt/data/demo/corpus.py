"""The demo corpus as files of the data contract."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hf_slt.data.demo.clip import DemoClip, film_clip
from hf_slt.data.demo.grammar import Sentence, draw_sentences
from hf_slt.data.demo.signer import HELD_OUT_SIGNER, LAYOUT, SIGNERS
from hf_slt.data.readers import write_frames_array, write_pose
from hf_slt.data.staging import staged_folder
from hf_slt.errors import ConfigurationError

DEMO_VERSION = 1  # raise it whenever the same parameters give other files
FPS = 12.5
STREAM_FOLDERS = {"face": "face", "left_hand": "hand_l", "right_hand": "hand_r"}
SPLITS = ("train", "val", "test")
_FIRST_CLIP_SEED = 1  # [seed, 0] draws the sentences


@dataclass(frozen=True)
class DemoEntry:
    """One clip of the corpus before it is filmed: its number, id, split, sentence and signer (index in `SIGNERS`)."""

    number: int
    video_id: str
    split: str
    sentence: Sentence
    signer: int


def plan_corpus(num_train: int, num_validation: int, num_test: int, seed: int = 0) -> list[DemoEntry]:
    """Say who signs what in which split.

    No sentence comes twice, so that the test split holds no sentence of another split. The last signer films every
    other test clip and nothing else; the other two take turns.

    Raises:
        ConfigurationError: A split is empty, or the grammar holds too few sentences.
    """
    sizes = dict(zip(SPLITS, (num_train, num_validation, num_test), strict=True))
    if min(sizes.values()) < 1:
        raise ConfigurationError(f"expected at least one demo clip in each split, found {sizes}; ask for more clips")
    splits = [split for split, size in sizes.items() for _ in range(size)]
    entries = []
    for number, (split, sentence) in enumerate(zip(splits, draw_sentences(len(splits), seed), strict=True)):
        signer = HELD_OUT_SIGNER if split == "test" and number % 2 else (number // 2 if split == "test" else number) % 2
        entries.append(DemoEntry(number, f"demo_{number:05d}", split, sentence, signer))
    return entries


def film_entry(entry: DemoEntry, seed: int = 0, image_size: int = 32) -> DemoClip:
    """Film one clip of the plan; the same entry, seed and size always give the same clip."""
    rng = np.random.default_rng([seed, _FIRST_CLIP_SEED + entry.number])
    return film_clip(entry.sentence, entry.signer, rng, image_size)


def _write_clip(folder: Path, video_id: str, clip: DemoClip) -> None:
    for stream, subfolder in STREAM_FOLDERS.items():
        numbers = clip.frame_numbers[stream]
        complete = len(numbers) == clip.num_frames
        write_frames_array(folder / subfolder / f"{video_id}.npz", clip.frames[stream], None if complete else numbers)
    write_pose(folder / "pose" / f"{video_id}.npz", clip.points, clip.confidence, layout=LAYOUT.name)


def _progress(entries: list[DemoEntry], show: bool) -> Iterator[DemoEntry]:
    if not show:
        return iter(entries)
    from tqdm.auto import tqdm

    return iter(tqdm(entries, desc="Drawing the demo corpus", unit="clip"))


def write_demo_corpus(
    output_dir: str | Path,
    *,
    num_train: int = 600,
    num_validation: int = 80,
    num_test: int = 80,
    seed: int = 0,
    image_size: int = 32,
    show_progress: bool = True,
    overwrite: bool = False,
) -> Path:
    """Draw the demo corpus: synthetic clips of an invented sign language with Spanish translations.

    Args:
        output_dir: Folder to write; it is complete or absent. It gets `face/`, `hand_l/`, `hand_r/` and `pose/` (one
            `.npz` a clip), `meta.csv` (`video_id,text,signer,fps,frame_count,gloss`) and `index/{train,val,test}.csv`.
        num_train: Clips in the train split.
        num_validation: Clips in the validation split.
        num_test: Clips in the test split, half of them by a signer who is in no other split.
        seed: The same seed gives the same bytes.
        image_size: Side of the square crops in pixels.
        show_progress: Whether to show a progress bar.
        overwrite: Whether a corpus in `output_dir` is replaced.

    Returns:
        `output_dir`.

    Raises:
        ConfigurationError: `output_dir` holds something, or the numbers of clips cannot be had.
    """
    entries = plan_corpus(num_train, num_validation, num_test, seed)
    with staged_folder(output_dir, overwrite) as folder:
        for name in (*STREAM_FOLDERS.values(), "pose", "index"):
            (folder / name).mkdir()
        with open(folder / "meta.csv", "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["video_id", "text", "signer", "fps", "frame_count", "gloss"])
            for entry in _progress(entries, show_progress):
                clip = film_entry(entry, seed, image_size)
                _write_clip(folder, entry.video_id, clip)
                sentence, signer = entry.sentence, SIGNERS[entry.signer].name
                glosses = " ".join(sentence.glosses)
                rows.writerow([entry.video_id, sentence.text, signer, FPS, clip.num_frames, glosses])
        for split in SPLITS:
            ids = [entry.video_id for entry in entries if entry.split == split]
            (folder / "index" / f"{split}.csv").write_text("\n".join(["video_id", *ids]) + "\n", encoding="utf-8")
    return Path(output_dir)


def default_cache_dir() -> Path:
    """Return the folder of hf_slt's cache: `$HF_SLT_CACHE`, else `$HF_HOME/hf_slt`, else `~/.cache/hf_slt`."""
    if os.environ.get("HF_SLT_CACHE"):
        return Path(os.environ["HF_SLT_CACHE"]).expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".cache") / "hf_slt"


def cached_demo_corpus(
    cache_dir: str | Path | None = None,
    *,
    num_train: int = 600,
    num_validation: int = 80,
    num_test: int = 80,
    seed: int = 0,
    image_size: int = 32,
    show_progress: bool = True,
) -> Path:
    """Return the folder of the demo corpus, drawing it into the cache the first time.

    Several processes may ask at once: each one that finds nothing draws, and the first to finish wins.

    Args:
        cache_dir: Folder of the cache; None: `default_cache_dir()`.
        num_train: See `write_demo_corpus`, as for the rest.
        num_validation: Clips in the validation split.
        num_test: Clips in the test split.
        seed: The same seed gives the same bytes.
        image_size: Side of the square crops in pixels.
        show_progress: Whether to show a progress bar.
    """
    sizes = {"num_train": num_train, "num_validation": num_validation, "num_test": num_test}
    parameters = sizes | {"seed": seed, "image_size": image_size}
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:10]
    folder = Path(cache_dir or default_cache_dir()) / f"demo-v{DEMO_VERSION}-{digest}"
    if folder.is_dir():
        return folder
    try:
        return write_demo_corpus(folder, **parameters, show_progress=show_progress)
    except (ConfigurationError, OSError):
        if folder.is_dir():  # another process was faster: its files are the same
            return folder
        raise

"""What `benchmark.py` measures: the gloss classifier of hf_slt beside the plain one of `benchmark_baseline.py`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_baseline import NpzDataset, PlainTraining, PlainTransformer, collate, read_npz

from hf_slt.data.gloss.collator import DataCollatorForGlossClassification
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.data.gloss.labels import LabelRow
from hf_slt.data.gloss.sampler import LengthGroupedSampler
from hf_slt.data.gloss.table import build_clip_table
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification
from hf_slt.training.gloss_losses import GlossLoss
from hf_slt.training.gloss_trainer import evaluation_order

GLOSSES, CATEGORIES = 105, 10
FRAMES = (60, 150)  # of a clip, shortest and longest
WIDTHS = {"keypoints": 156, "features": 2048}
PLAIN, OURS = "plain", "hf_slt"

# Its name, and side -> what that side does in one round; the first side is the baseline.
Case = tuple[str, dict[str, Callable[[], Any]]]


def write_clips(folder: Path, count: int, width: int, seed: int = 0) -> tuple[list[Path], list[LabelRow]]:
    """Write clips of random numbers, `<i>.npz` with the key `X`; returns the files and their label rows."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    files, rows = [], []
    for index in range(count):
        files.append(folder / f"{index}.npz")
        frames = int(rng.integers(FRAMES[0], FRAMES[1] + 1))
        np.savez(files[-1], X=rng.uniform(0.05, 0.95, (frames, width)).astype(np.float32))
        gloss = int(rng.integers(GLOSSES))
        rows.append(LabelRow(index + 2, str(index), gloss, gloss % CATEGORIES))
    return files, rows


def open_dataset(folder: Path, rows: Sequence[LabelRow], kind: str = "keypoints") -> GlossDataset:
    """Build the memory-mapped table of the clips and open it as training does."""
    table = build_clip_table(folder, [row.file for row in rows], kind=kind, cache_dir=folder.parent / "cache")
    return GlossDataset(table, rows, GlossFeatureExtractor("landmarks" if kind == "keypoints" else "features"))


def build_model() -> SignTransformerForGlossClassification:
    """Build the sign transformer with its default sizes."""
    config = SignTransformerConfig(num_labels=GLOSSES, num_categories=CATEGORIES)
    return SignTransformerForGlossClassification(config)


class Training:
    """Training as `train_gloss.py` does it, without what is written and evaluated between epochs; a call is one epoch.

    Args:
        dataset: The clips.
        batch_size: Clips a step.
        workers: Processes that read.
        compiled: Whether torch compiles the model.
        bf16: Whether it runs in mixed precision.
    """

    def __init__(
        self, dataset: GlossDataset, batch_size: int, workers: int, compiled: bool = False, bf16: bool = False
    ):
        self.model = build_model().train()
        self.forward = torch.compile(self.model, dynamic=True) if compiled else self.model
        self.bf16 = bf16
        self.sampler = LengthGroupedSampler(dataset.lengths, batch_size)
        collator = DataCollatorForGlossClassification(dataset.feature_extractor.pad)
        self.loader = torch.utils.data.DataLoader(
            dataset, batch_size, sampler=self.sampler, num_workers=workers, collate_fn=collator
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
        self.loss = GlossLoss()

    def __call__(self, max_steps: int | None = None) -> float:
        """Train an epoch, or its first `max_steps` steps; returns the mean loss of a batch."""
        total = torch.zeros(())
        for step, batch in enumerate(self.loader, start=1):
            labels, categories = batch.pop("labels"), batch.pop("category_labels")
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                outputs = self.forward(**batch)
            loss = self.loss(outputs, labels, categories)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            total += loss.detach()
            if step == max_steps:
                break
        self.sampler.set_epoch(self.sampler.epoch + 1)
        return float(total) / step


def train_cases(args: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """Training, reading included; a round is one epoch."""
    files, rows = write_clips(folder / "clips", args.clips, WIDTHS["keypoints"])
    dataset = open_dataset(folder / "clips", rows)
    npz = NpzDataset(files, [row.gloss for row in rows], [row.cat for row in rows])
    plain = PlainTransformer(GLOSSES, CATEGORIES, WIDTHS["keypoints"])
    works = {PLAIN: PlainTraining(npz, plain, args.batch_size, args.num_workers)}
    for compiled in (False, True)[: 1 + args.compile]:
        for bf16 in (False, True)[: 1 + args.bf16]:
            name = ", ".join([OURS, *["compiled"] * compiled, *["bf16"] * bf16])
            works[name] = Training(dataset, args.batch_size, args.num_workers, compiled, bf16)
    for work in works.values():
        work(max_steps=3)  # memory is allocated, and code compiled for lengths that vary
    yield f"train, batch {args.batch_size}", works


def read_cases(args: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """Single clips in random order, read until all of a clip is in memory."""
    order = np.random.default_rng(1).permutation(args.clips).tolist()
    for kind, width in WIDTHS.items():
        files, rows = write_clips(folder / kind / "clips", args.clips, width)
        packed = [folder / kind / "packed" / file.name for file in files]
        packed[0].parent.mkdir()
        for file, path in zip(files, packed, strict=True):
            np.savez_compressed(path, X=read_npz(file))
        dataset = open_dataset(folder / kind / "clips", rows, kind)
        readers = {
            PLAIN: lambda index, files=files: read_npz(files[index]),
            f"{PLAIN}, compressed": lambda index, files=packed: read_npz(files[index]),
            OURS: lambda index, dataset=dataset: dataset.raw(index).values,
        }
        works = {name: partial(_read_all, read, order) for name, read in readers.items()}
        for work in works.values():
            work()
        yield f"read, {width} a frame", works


def _read_all(read: Callable[[int], np.ndarray], order: Sequence[int]) -> None:
    for index in order:
        read(index).ravel()[::1024].sum()  # a mapped page of the file comes into memory when it is looked at


def infer_cases(args: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """Scores of clips that are in memory, padding included, in batches and one by one."""
    _, rows = write_clips(folder / "clips", args.clips, WIDTHS["keypoints"])
    dataset = open_dataset(folder / "clips", rows)
    encoded = [{name: dataset[i][name] for name in ("input_values", "attention_mask")} for i in range(args.clips)]
    tensors = [(torch.from_numpy(clip["input_values"]), 0, 0) for clip in encoded]
    plain, model = PlainTransformer(GLOSSES, CATEGORIES).eval(), build_model().eval()
    order = evaluation_order(dataset).tolist()

    @torch.inference_mode()
    def infer_plain(size: int) -> None:
        for start in range(0, len(tensors), size):
            plain(*collate(tensors[start : start + size])[:2])

    @torch.inference_mode()
    def infer_ours(size: int) -> None:
        for start in range(0, len(order), size):
            batch = dataset.feature_extractor.pad([encoded[i] for i in order[start : start + size]])
            model(**{name: torch.from_numpy(array) for name, array in batch.items()})

    for size in (args.batch_size, 1):
        works = {PLAIN: partial(infer_plain, size), OURS: partial(infer_ours, size)}
        for work in works.values():
            work()
        yield f"infer, batch {size}", works


CASES = {"train": train_cases, "read": read_cases, "infer": infer_cases}

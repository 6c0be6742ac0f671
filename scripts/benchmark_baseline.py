"""What `benchmark.py` measures against: the same model and the same training written plainly.

One file a clip, opened anew for every item; batches of random clips, padded to the longest; softmax attention with its
matrix of weights in memory; a norm out of elementary operations; an optimizer that goes parameter by parameter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


class NpzDataset(Dataset):
    """Clips as single files.

    Args:
        files: The `.npz` files, key `X`.
        labels: Gloss of each clip.
        categories: Category of each clip.
    """

    def __init__(self, files: Sequence[Path], labels: Sequence[int], categories: Sequence[int]):
        self.files, self.labels, self.categories = files, labels, categories

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, int]:
        """Return a clip `(T, F)`, its gloss and its category."""
        return torch.from_numpy(read_npz(self.files[index])), self.labels[index], self.categories[index]


def read_npz(path: Path) -> np.ndarray:
    """Read the clip of a file, `(T, F)` float32."""
    with np.load(path) as file:
        return file["X"].astype(np.float32)


def collate(items: Sequence[tuple[torch.Tensor, int, int]]) -> Batch:
    """Pad clips: values `(B, T, F)`, mask `(B, T)` with 1 = real, glosses `(B,)`, categories `(B,)`."""
    clips, labels, categories = zip(*items, strict=True)
    values = nn.utils.rnn.pad_sequence(clips, batch_first=True)
    lengths = torch.tensor([len(clip) for clip in clips])
    mask = torch.arange(values.shape[1])[None] < lengths[:, None]
    return values, mask, torch.tensor(labels), torch.tensor(categories)


class PlainNorm(nn.Module):
    """`gamma * (x - mean) / sqrt(variance + eps) + beta` over the last axis of size `size`."""

    def __init__(self, size: int, eps: float = 1e-6):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))
        self.eps = eps

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Normalise states `(..., size)`."""
        mean = states.mean(dim=-1, keepdim=True)
        variance = states.var(dim=-1, keepdim=True, unbiased=False)
        return self.gamma * (states - mean) / torch.sqrt(variance + self.eps) + self.beta


class PlainAttention(nn.Module):
    """Multi-head attention of width `size` that keeps the weights `(B, N, T, T)`."""

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(size, size) for _ in range(4))

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Attend within states `(B, T, D)` to the frames of `mask (B, T)`."""
        batch, frames, size = states.shape
        query, key, value = (
            project(states).view(batch, frames, self.heads, size // self.heads).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-2, -1) / math.sqrt(size // self.heads)
        weights = torch.softmax(scores.masked_fill(~mask[:, None, None, :], -1e9), dim=-1)
        attended = (weights @ value).transpose(1, 2).contiguous().view(batch, frames, size)
        return self.output(attended)


class PlainLayer(nn.Module):
    """Pre-LN transformer layer."""

    def __init__(self, size: int, heads: int, inner: int, dropout: float):
        super().__init__()
        self.norm1, self.norm2 = PlainNorm(size), PlainNorm(size)
        self.attention = PlainAttention(size, heads)
        self.feed_forward = nn.Sequential(
            nn.Linear(size, inner), nn.ReLU(), nn.Dropout(dropout), nn.Linear(inner, size)
        )
        self.dropout1, self.dropout2 = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Transform states `(B, T, D)`."""
        states = states + self.dropout1(self.attention(self.norm1(states), mask))
        return states + self.dropout2(self.feed_forward(self.norm2(states)))


class PlainTransformer(nn.Module):
    """The default sign transformer (mean pooling) in elementary operations, with as many parameters.

    Args:
        num_labels: Glosses.
        num_categories: Categories.
        input_size: F, numbers a frame.
    """

    def __init__(self, num_labels: int = 105, num_categories: int = 10, input_size: int = 156):
        super().__init__()
        size, heads, inner, dropout, longest = 256, 8, 1024, 0.1, 2000
        self.embedding = nn.Linear(input_size, size)
        self.register_buffer("positions", self._positions(longest, size), persistent=False)
        self.dropout, self.norm = nn.Dropout(dropout), PlainNorm(size)
        self.layers = nn.ModuleList(PlainLayer(size, heads, inner, dropout) for _ in range(4))
        self.gloss, self.category = (
            nn.Sequential(nn.Linear(size, 128), nn.ReLU(), nn.Dropout(dropout), nn.Linear(128, count))
            for count in (num_labels, num_categories)
        )

    @staticmethod
    def _positions(longest: int, size: int) -> torch.Tensor:
        angles = torch.arange(longest)[:, None] * torch.exp(torch.arange(0, size, 2) * (-math.log(10000.0) / size))
        return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)  # (longest, D)

    def forward(self, values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Classify clips `(B, T, F)`; returns scores `(B, glosses)` and `(B, categories)`."""
        states = self.norm(self.dropout(self.embedding(values) + self.positions[: values.shape[1]]))
        for layer in self.layers:
            states = layer(states, mask)
        weights = mask[..., None].float()
        pooled = (states * weights).sum(dim=1) / weights.sum(dim=1)
        return self.gloss(pooled), self.category(pooled)


class PlainTraining:
    """A training loop as written by hand; a call is one epoch.

    Args:
        dataset: The clips.
        model: The model.
        batch_size: Clips a step.
        workers: Processes that read.
    """

    def __init__(self, dataset: NpzDataset, model: PlainTransformer, batch_size: int, workers: int):
        self.model = model.train()
        self.loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=workers, collate_fn=collate)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, weight_decay=0.01)

    def __call__(self, max_steps: int | None = None) -> float:
        """Train an epoch, or its first `max_steps` steps; returns the mean loss of a batch."""
        total = 0.0
        for step, (values, mask, labels, categories) in enumerate(self.loader, start=1):
            self.optimizer.zero_grad()
            gloss, category = self.model(values, mask)
            loss = F.cross_entropy(gloss, labels) + F.cross_entropy(category, categories)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            total += loss.item()
            if step == max_steps:
                break
        return total / step

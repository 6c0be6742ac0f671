"""Models of the older tools, written as they are described, and checkpoints of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn


class NaiveNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))

    def forward(self, x):
        variance = ((x - x.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True)
        return self.gamma * (x - x.mean(-1, keepdim=True)) / torch.sqrt(variance + 1e-6) + self.beta


class NaiveAttention(nn.Module):
    """Every score of every head is a number in memory."""

    def __init__(self, size, heads):
        super().__init__()
        self.heads = heads
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(size, size) for _ in range(4))

    def forward(self, x, mask):
        parts = []
        for q, k, v in zip(*(w(x).chunk(self.heads, dim=-1) for w in (self.W_q, self.W_k, self.W_v)), strict=True):
            scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
            parts.append(scores.masked_fill(~mask[:, None, :], -1e9).softmax(-1) @ v)
        return self.W_o(torch.cat(parts, dim=-1))


class NaiveLayer(nn.Module):
    def __init__(self, size, heads, hidden):
        super().__init__()
        self.attention = NaiveAttention(size, heads)
        self.feed_forward = nn.ModuleDict({"linear1": nn.Linear(size, hidden), "linear2": nn.Linear(hidden, size)})
        self.residual1 = nn.ModuleDict({"norm": NaiveNorm(size)})
        self.residual2 = nn.ModuleDict({"norm": NaiveNorm(size)})

    def forward(self, x, mask):
        x = x + self.attention(self.residual1["norm"](x), mask)
        hidden = self.feed_forward["linear1"](self.residual2["norm"](x)).relu()
        return x + self.feed_forward["linear2"](hidden)


class NaivePositions(nn.Module):
    """A table of sines and cosines, one number after the other."""

    def __init__(self, size, length=300):
        super().__init__()
        table = [
            [
                value
                for index in range(0, size, 2)
                for angle in [position / 10000 ** (index / size)]
                for value in (math.sin(angle), math.cos(angle))
            ]
            for position in range(length)
        ]
        self.register_buffer("pe", torch.tensor(table)[None])

    def forward(self, x):
        return x + self.pe[:, : x.shape[1]]


class NaiveTransformer(nn.Module):
    """The older gloss transformer; no dropout."""

    def __init__(
        self, pooling, inputs=6, size=16, heads=4, hidden=24, layers=2, glosses=5, categories=3, head_hidden=128
    ):
        super().__init__()
        self.pooling = pooling
        if pooling == "cls":
            self.cls_token = nn.Parameter(torch.zeros(1, 1, size))
        self.embedding = nn.Linear(inputs, size)
        self.pos_encoder = NaivePositions(size)
        self.input_norm = NaiveNorm(size)
        self.encoder_layers = nn.ModuleList(NaiveLayer(size, heads, hidden) for _ in range(layers))
        self.gloss_head, self.category_head = (
            nn.Sequential(nn.Linear(size, head_hidden), nn.ReLU(), nn.Identity(), nn.Linear(head_hidden, classes))
            for classes in (glosses, categories)
        )

    def forward(self, values, mask):
        x = self.embedding(values)
        if self.pooling == "cls":
            x = torch.cat([self.cls_token.repeat(len(x), 1, 1), x], dim=1)
            mask = torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)
        x = self.input_norm(self.pos_encoder(x))
        for layer in self.encoder_layers:
            x = layer(x, mask)
        if self.pooling == "cls":
            pooled = x[:, 0]
        else:
            clips = [states[seen] for states, seen in zip(x, mask, strict=True)]
            pooled = torch.stack([clip.mean(0) if self.pooling == "mean" else clip.max(0).values for clip in clips])
        return self.gloss_head(pooled), self.category_head(pooled)


class NaiveGRU(nn.Module):
    """The older GRU classifier over features of frames; no dropout."""

    def __init__(self, inputs=9, hidden1=8, hidden2=7, glosses=5, categories=3, backbone=None):
        super().__init__()
        if backbone is not None:
            self.feat_extractor = nn.ModuleDict({"backbone": backbone})
        self.gru1 = nn.GRU(inputs, hidden1, batch_first=True)
        self.gru2 = nn.GRU(hidden1, hidden2, batch_first=True)
        self.gloss_head, self.category_head = nn.Linear(hidden2, glosses), nn.Linear(hidden2, categories)

    def forward(self, values, mask):
        last = [self.gru2(self.gru1(clip[seen][None])[0])[0][0, -1] for clip, seen in zip(values, mask, strict=True)]
        return self.gloss_head(torch.stack(last)), self.category_head(torch.stack(last))


def randomized(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter a random value: norms must not be 1, nor biases 0; returns the model for evaluation."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def write_gloss_checkpoint(path: Path, model: nn.Module | dict[str, torch.Tensor], prefix: str = "") -> Path:
    """Write a checkpoint as the older gloss tool does."""
    state = model if isinstance(model, dict) else model.state_dict()
    values: dict[str, Any] = {
        "epoch": 7,
        "best_metric": 0.75,
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
    }
    torch.save({"model": {prefix + name: value for name, value in state.items()}, **values}, path)
    return path


class NaiveViTLayer(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.attn = nn.MultiheadAttention(size, heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(size, 2 * size), nn.GELU(), nn.Identity(), nn.Linear(2 * size, size), nn.Identity()
        )

    def forward(self, x):
        x = x + self.attn(self.norm1(x), self.norm1(x), self.norm1(x))[0]
        return x + self.mlp(self.norm2(x))


class NaiveViT(nn.Module):
    """The older tool's own image backbone: crops `(N, 3, P, P)` -> the CLS state `(N, size)`."""

    def __init__(self, size=128, layers=2, image_size=16, patch_size=8):
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, size, patch_size, stride=patch_size)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size))
        self.pos_embed = nn.Parameter(torch.zeros(1, (image_size // patch_size) ** 2 + 1, size))
        self.blocks = nn.ModuleList(NaiveViTLayer(size, size // 64) for _ in range(layers))
        self.norm = nn.LayerNorm(size)

    def forward(self, crops):
        patches = self.patch_embed["proj"](crops).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.repeat(len(crops), 1, 1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]


class PatchMeans(nn.Module):
    """A backbone of another design: means of colours, in a linear layer."""

    def __init__(self, size=128):
        super().__init__()
        self.stem = nn.Linear(3, size)

    def forward(self, crops):
        return self.stem(crops.mean(dim=(2, 3)))


class NaiveProjector(nn.Module):
    def __init__(self, inputs, size, dropout):
        super().__init__()
        dropouts = [nn.Dropout(0.1)] if dropout else []
        layers = [nn.Linear(inputs, size), nn.GELU(), *dropouts, nn.Linear(size, size)]
        self.layers = nn.Sequential(nn.LayerNorm(inputs, eps=1e-6), *layers)

    def forward(self, x):
        return self.layers(x)


class NaiveMultiStream(nn.Module):
    """The older multi-stream encoder over clips in which every stream is there."""

    def __init__(
        self, backbone=NaiveViT, projector=12, size=16, heads=8, layers=2, hidden=20, positions=9, landmarks=5,
        dropout=False, fusion_bias=True,
    ):  # fmt: skip
        super().__init__()
        self.face_backbone, self.hand_backbone_left, self.hand_backbone_right = (backbone() for _ in range(3))
        width = 128
        self.face_projector, self.hand_left_projector, self.hand_right_projector, self.pose_projector = (
            NaiveProjector(inputs, projector, dropout) for inputs in (width, width, width, 3 * landmarks)
        )
        self.fusion = nn.ModuleDict(
            {"norm": nn.LayerNorm(4 * projector), "proj": nn.Linear(4 * projector, size, bias=fusion_bias)}
        )
        self.positional = nn.ModuleDict({"embedding": nn.Embedding(positions, size)})
        layer = nn.TransformerEncoderLayer(size, heads, hidden, batch_first=True)
        self.temporal = nn.ModuleDict({"encoder": nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)})

    def forward(self, face, left_hand, right_hand, pose, mask):
        features = [
            projector(backbone(crops.flatten(0, 1)).unflatten(0, crops.shape[:2]))
            for projector, backbone, crops in (
                (self.face_projector, self.face_backbone, face),
                (self.hand_left_projector, self.hand_backbone_left, left_hand),
                (self.hand_right_projector, self.hand_backbone_right, right_hand),
            )
        ]
        x = self.fusion["norm"](torch.cat([*features, self.pose_projector(pose)], dim=-1))
        x = self.fusion["proj"](x) + self.positional["embedding"].weight[: pose.shape[1]]
        return self.temporal["encoder"](x, src_key_padding_mask=~mask)


def write_multistream_checkpoint(path: Path, model: nn.Module | dict[str, torch.Tensor], prefix: str = "") -> Path:
    """Write a checkpoint as the older multi-stream tool does."""
    state = model if isinstance(model, dict) else model.state_dict()
    content = {"encoder_state": {prefix + name: value for name, value in state.items()}, "epoch": 4, "best_val": 1.5}
    torch.save({**content, "decoder_state": {"model.shared.weight": torch.zeros(2)}, "optimizer_state": {}}, path)
    return path

"""Backbones that turn frames into features: tiny ones, from folders, and what does not load.

torchvision is not installed beside the CPU build of torch: a tiny network takes the place of InceptionV3.
"""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    ConvNextConfig,
    ConvNextImageProcessor,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
)

from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.inference.frame_encoders import load_encoder

SIZE = {"height": 32, "width": 32}
LAYER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
VIT = ViTConfig(**LAYER, image_size=32, patch_size=16)


def frames(count=3, height=60, width=80):
    return list(np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def saved(folder, model, processor=None):
    """Save a model and its image processor; returns the folder as text."""
    torch.manual_seed(0)
    model.save_pretrained(folder)
    (processor or ViTImageProcessor(size=SIZE)).save_pretrained(folder)
    return str(folder)


def expected_pixels(images):
    """Return what a ViT image processor makes of frames: mean and deviation are 1/2."""
    from PIL import Image

    resized = [np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)) for image in images]
    return torch.from_numpy(np.stack(resized) / 127.5 - 1).float().permute(0, 3, 1, 2)


def test_pooled_output_of_whole_frames(tmp_path):
    model = ViTModel(VIT).eval()
    encoder = load_encoder(saved(tmp_path / "vit", model))
    features = encoder.encode(frames())
    with torch.no_grad():
        expected = model(pixel_values=expected_pixels(frames())).pooler_output
    assert features.shape == (3, 16) and features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-5)
    assert encoder.name == "vit" and len(encoder.version) == 12


def test_class_token_where_the_checkpoint_has_no_pooler(tmp_path):
    model = ViTModel(VIT, add_pooling_layer=False).eval()
    path = saved(tmp_path / "vit", model)
    first, again = load_encoder(path), load_encoder(path)
    with torch.no_grad():
        expected = model(pixel_values=expected_pixels(frames())).last_hidden_state[:, 0]
    np.testing.assert_allclose(first.encode(frames()), expected, atol=1e-5)
    np.testing.assert_array_equal(first.encode(frames()), again.encode(frames()))
    assert first.version == again.version, "random weights of the pooler are in the hash"


def test_convolutions_and_pairs_of_models(tmp_path):
    sizes = {"hidden_sizes": [8, 8, 8, 12], "depths": [1, 1, 1, 1]}
    convnext = saved(tmp_path / "convnext", ConvNextModel(ConvNextConfig(**sizes)), ConvNextImageProcessor())
    assert load_encoder(convnext).encode(frames(2)).shape == (2, 12)
    clip = CLIPConfig(text_config=LAYER, vision_config={**LAYER, "image_size": 32, "patch_size": 16})
    assert load_encoder(saved(tmp_path / "clip", CLIPModel(clip))).encode(frames(2)).shape == (2, 16)


def test_image_size(tmp_path):
    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    path = saved(tmp_path / "dino", Dinov2Model(config))
    own, larger = (load_encoder(path, image_size=size).encode(frames(2)) for size in (None, 56))
    assert own.shape == larger.shape == (2, 16) and not np.allclose(own, larger)
    vit = load_encoder(saved(tmp_path / "vit", ViTModel(VIT)), image_size=56)
    with pytest.raises(
        ConfigurationError, match=r"frames of a size that vit takes, found \(3, 3, 56, 56\).*--image-si"
    ):
        vit.encode(frames())


def test_other_weights_are_another_version(tmp_path):
    torch.manual_seed(1)
    first = load_encoder(saved(tmp_path / "a", ViTModel(VIT)))
    second = load_encoder(saved(tmp_path / "b", ViTModel(VIT)))
    assert first.version != second.version


def test_what_does_not_load(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigurationError, match=r"an image model in --backbone.*nowhere(?s:.*)a folder .* never does"):
        load_encoder("someone/nowhere")
    with pytest.raises(ConfigurationError, match="expected an image model in --backbone .*, found"):
        load_encoder(str(tmp_path))
    config = BertConfig(**LAYER, vocab_size=9)
    with pytest.raises(ConfigurationError, match=r"text', a bert model that reads input_ids"):
        load_encoder(saved(tmp_path / "text", BertModel(config)))
    with pytest.raises(ConfigurationError, match="--weights with --backbone inception_v3 only, found it with 'a'"):
        load_encoder("a", weights="w.pt")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match="expected a GPU for --device cuda, found none"):
        load_encoder("a", device="cuda")


class TinyInception(nn.Module):
    """Stands for InceptionV3: the mean colour, seen through a linear layer."""

    def __init__(self):
        super().__init__()
        self.stem, self.fc, self.AuxLogits, self.aux_logits = nn.Linear(3, 5), nn.Linear(5, 2), nn.Linear(5, 2), True

    def forward(self, pixels):
        assert pixels.shape[2:] == (299, 299)
        return self.fc(self.stem(pixels.mean(dim=(2, 3))))


@pytest.fixture
def torchvision(monkeypatch):
    """Put a torchvision in place that has only the tiny network; its download fails."""

    def inception_v3(weights=None, **kwargs):
        if weights is not None:
            raise OSError("no network")
        return TinyInception()

    models = SimpleNamespace(inception_v3=inception_v3, Inception_V3_Weights=SimpleNamespace(IMAGENET1K_V1="imagenet"))
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(models=models))


def test_inception_takes_weights_of_a_file(tmp_path, torchvision):
    network = TinyInception()
    torch.save(network.state_dict(), tmp_path / "w.pt")
    encoder = load_encoder("inception_v3", str(tmp_path / "w.pt"))
    white = np.full((20, 30, 3), 255, np.uint8)
    normalised = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    np.testing.assert_allclose(encoder.encode([white])[0], network.stem(normalised).detach(), rtol=1e-4)
    assert encoder.name == "inception_v3" and len(encoder.version) == 12
    random = [load_encoder("inception_v3", "random") for _ in range(2)]
    np.testing.assert_array_equal(*(one.encode([white]) for one in random))
    assert random[0].version == "random"


def test_inception_refuses_other_weights(tmp_path, torchvision):
    torch.save({"stem.weight": torch.zeros(5, 3)}, tmp_path / "w.pt")
    with pytest.raises(ConfigurationError, match=r"state dict of torchvision's inception_v3 in .*w.pt.*stem.bias"):
        load_encoder("inception_v3", str(tmp_path / "w.pt"))
    with pytest.raises(ConfigurationError, match="expected a checkpoint file .*nowhere.pt"):
        load_encoder("inception_v3", str(tmp_path / "nowhere.pt"))
    with pytest.raises(ConfigurationError, match=r"no way to \(no network\); .* pass --weights FILE"):
        load_encoder("inception_v3")
    with pytest.raises(ConfigurationError, match="--image-size of 75 or more with inception_v3, found 74"):
        load_encoder("inception_v3", "random", image_size=74)


def test_without_torchvision_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingDependencyError, match=r"'torchvision'.*pip install 'hf_slt\[vision\]'"):
        load_encoder("inception_v3")

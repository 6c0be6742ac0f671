"""Device and precision of an evaluation, on machines with and without what is asked for."""

import pytest
import torch

from hf_slt.errors import ConfigurationError
from hf_slt.training import evaluation_device
from hf_slt.training.evaluation_device import autocast_dtype, resolve_device

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(("name", "has_gpu", "expected"), [
    ("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu"), ("cpu", False, "cpu"), ("cuda", True, "cuda"),
])  # fmt: skip
def test_device(monkeypatch, name, has_gpu, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert resolve_device(name).type == expected


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match="expected a GPU for --device cuda, found none that torch can use"):
        resolve_device("cuda")


@pytest.mark.parametrize(("precision", "device", "native", "expected"), [
    ("fp32", CPU, "bf16", None),
    ("amp", CPU, "bf16", torch.bfloat16),
    ("amp", GPU, "fp16", torch.float16),
    ("bf16", CPU, None, torch.bfloat16),
    ("bf16", GPU, "bf16", torch.bfloat16),
])  # fmt: skip
def test_precision(monkeypatch, precision, device, native, expected):
    monkeypatch.setattr(evaluation_device, "amp_dtype", lambda on_gpu: native)
    assert autocast_dtype(precision, device) is expected


def test_amp_on_a_device_that_is_fast_in_fp32_only(monkeypatch, caplog):
    monkeypatch.setattr(evaluation_device, "amp_dtype", lambda on_gpu: None)
    assert autocast_dtype("amp", CPU) is None
    assert [record.message for record in caplog.records] == [
        "--precision amp: this device has no fast bf16 or fp16; the evaluation is in fp32"
    ]


def test_bf16_on_a_gpu_that_cannot(monkeypatch):
    monkeypatch.setattr(evaluation_device, "amp_dtype", lambda on_gpu: "fp16")
    with pytest.raises(ConfigurationError, match="expected a GPU with bf16 for --precision bf16, found one without"):
        autocast_dtype("bf16", GPU)

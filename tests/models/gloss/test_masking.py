"""Masks and pooling of the gloss classifiers."""

import pytest
import torch

from hf_slt.models.gloss.masking import can_branch, masked_max, masked_mean, prepare_frames

STATES = torch.tensor([[[1.0, -5.0], [3.0, -7.0], [90.0, 90.0]], [[2.0, -1.0], [90.0, 90.0], [4.0, -3.0]]])
MASK = torch.tensor([[1, 1, 0], [1, 0, 1]]).bool()


def test_a_mask_of_ones_is_no_mask():
    values = torch.randn(2, 3, 4)
    for mask in (None, torch.ones(2, 3), torch.ones(2, 3, dtype=torch.bool)):
        frames, prepared = prepare_frames(values, mask, 4)
        assert frames is values and prepared is None


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_masked_frames_are_zero_and_every_clip_has_a_frame(dtype):
    values = torch.full((3, 3, 2), float("nan"))
    values[0, 0], values[1, 1:] = 1.0, 2.0
    mask = torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, 0]])
    frames, prepared = prepare_frames(values, mask.to(dtype), 2)
    assert frames[..., 0].tolist() == [[1, 0, 0], [0, 2, 2], [0, 0, 0]]
    assert prepared.dtype == torch.bool
    assert prepared.tolist() == [[True, False, False], [False, True, True], [True, False, False]]
    assert mask[2].tolist() == [0, 0, 0] and values.isnan().any()  # the caller's own are as they were


def prepare(values, mask):
    return prepare_frames(values, mask, 2)


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*:DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("way", ["trace", "compile"])
def test_a_graph_of_one_batch_holds_for_other_masks(way):
    values, ones = torch.ones(1, 3, 2), torch.ones(1, 3)
    compiled = torch.compile(prepare, backend="eager", fullgraph=True)
    graph = torch.jit.trace(prepare, (values, ones)) if way == "trace" else compiled
    assert graph(values, ones)[1].all()
    frames, mask = graph(values, torch.tensor([[1.0, 1.0, 0.0]]))
    assert frames[..., 0].tolist() == [[1, 1, 0]] and mask.tolist() == [[True, True, False]]


def test_only_values_on_the_cpu_are_looked_at():
    assert can_branch(torch.ones(1)) and not can_branch(torch.ones(1, device="meta"))


def test_pooling_takes_real_frames_only():
    assert masked_mean(STATES, MASK).tolist() == [[2, -6], [3, -2]]
    assert masked_max(STATES, MASK).tolist() == [[3, -5], [4, -1]]
    assert torch.equal(masked_mean(STATES, None), STATES.mean(1))
    assert torch.equal(masked_max(STATES, None), STATES.amax(1))
    half = STATES.bfloat16()
    assert masked_mean(half, MASK).dtype == masked_max(half, MASK).dtype == torch.bfloat16

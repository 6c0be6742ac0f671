"""Augmentation of classifier clips."""

from dataclasses import fields, replace

import numpy as np
import pytest

from hf_slt.data.gloss.clips import GlossClip
from hf_slt.data.gloss.transforms import (
    GlossAugmentation,
    add_passive_hand,
    augment_clip,
    drop_parts,
    rotate_hands,
    transform_points,
    trim_clip,
)
from hf_slt.errors import ConfigurationError
from hf_slt.keypoint_geometry import body_frame
from hf_slt.landmarks import LAYOUTS, generic_layout

LAYOUT = LAYOUTS["keypoints_78"]
LEFT, RIGHT = LAYOUT.hands
NOTHING = GlossAugmentation(**{item.name: 0.0 for item in fields(GlossAugmentation)})


def random_clip(frames=10, seed=0, missing=()):
    values = np.random.default_rng(seed).random((frames, 78, 2), dtype=np.float32) + 0.01
    mask = np.ones((frames, 78), bool)
    for part in missing:
        mask[:, part] = False
    return GlossClip(np.where(mask[..., None], values, 0).reshape(frames, -1), mask, 1.5)


def augment(clip, seed=0, num_frames=None, layout=LAYOUT, **changes):
    return augment_clip(clip, replace(NOTHING, **changes), layout, np.random.default_rng(seed), num_frames)


def test_no_augmentation_changes_nothing():
    clip = random_clip(missing=[LEFT])
    same = augment(clip)
    assert np.allclose(same.values, clip.values, atol=1e-6)
    assert np.array_equal(same.mask, clip.mask)
    assert same.aspect_ratio == 1.5


def test_the_draw_is_a_function_of_the_generator():
    clip = random_clip()
    one, two, other = (augment_clip(clip, GlossAugmentation(), LAYOUT, np.random.default_rng(s)) for s in (3, 3, 4))
    assert np.array_equal(one.values, two.values)
    assert one.values.shape != other.values.shape or not np.allclose(one.values, other.values)


def test_the_clip_itself_is_never_changed():
    clip = random_clip(missing=[LEFT])
    before = clip.values.copy(), clip.mask.copy()
    for seed in range(20):
        augment_clip(clip, GlossAugmentation(noise=0.1, landmark_dropout=0.3), LAYOUT, np.random.default_rng(seed))
    assert np.array_equal(clip.values, before[0]) and np.array_equal(clip.mask, before[1])


def test_flip_swaps_left_and_right_and_leaves_missing_points_missing():
    clip = random_clip(missing=[LEFT])
    flipped = augment(clip, flip=1.0)
    points, mirrored = clip.values.reshape(-1, 78, 2), flipped.values.reshape(-1, 78, 2)
    assert not flipped.mask[:, RIGHT].any() and flipped.mask[:, LEFT].all()
    assert not mirrored[:, RIGHT].any()
    assert np.allclose(mirrored[:, LEFT, 0], 1 - points[:, RIGHT, 0], atol=1e-6)
    assert np.allclose(mirrored[:, LEFT, 1], points[:, RIGHT, 1], atol=1e-6)
    assert np.allclose(mirrored[:, 11, 0], 1 - points[:, 12, 0], atol=1e-6)


def test_unnamed_points_cannot_be_mirrored():
    clip = random_clip()
    with pytest.raises(ConfigurationError, match="name left and right .*--augment-flip 0"):
        augment(clip, flip=1.0, layout=generic_layout(78))


def test_speed_changes_the_number_of_frames_within_its_bounds():
    clip = random_clip(40)
    lengths = {len(augment(clip, seed=seed, speed=0.5).values) for seed in range(60)}
    assert min(lengths) >= 20 and max(lengths) <= 60 and max(lengths) - min(lengths) > 20
    assert len(augment(clip, num_frames=16).values) == 16


def test_trimming_cuts_frames_off_at_both_ends():
    clip = GlossClip(np.repeat(np.arange(100, dtype=np.float32)[:, None], 3, axis=1))
    kept = [trim_clip(clip, 0.2, np.random.default_rng(seed)).values[:, 0] for seed in range(30)]
    assert all(np.array_equal(values, np.arange(values[0], values[-1] + 1)) for values in kept)
    assert 10 < max(values[0] for values in kept) < 20 and 80 <= min(values[-1] for values in kept) < 90
    ends = random_clip(10)
    ends.mask[1:] = False
    assert trim_clip(ends, 0.49, np.random.default_rng(1)).mask.any()


def test_rotation_is_in_the_picture_not_in_shares_of_its_sides():
    clip = random_clip()
    points = clip.values.reshape(-1, 78, 2) * np.array([1.5, 1])
    for seed in range(5):
        turned = augment(clip, seed=seed, rotation=40.0).values.reshape(-1, 78, 2) * np.array([1.5, 1])
        before = np.linalg.norm(points[:, 0] - points[:, 40], axis=-1)
        assert np.allclose(np.linalg.norm(turned[:, 0] - turned[:, 40], axis=-1), before, atol=1e-4)
        assert not np.allclose(turned, points, atol=1e-3)


def test_scale_shear_shift_and_noise_stay_in_their_bounds():
    clip = random_clip()
    points, mask = clip.values.reshape(-1, 78, 2), clip.mask
    width = np.ptp(points[..., 0])
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scaled = transform_points(points, mask, LAYOUT, replace(NOTHING, scale=0.2), rng)
        assert width / 1.2 - 1e-4 <= np.ptp(scaled[..., 0]) <= width * 1.2 + 1e-4
        moved = transform_points(points, mask, LAYOUT, replace(NOTHING, shift=0.1), rng) - points
        assert np.abs(moved).max() <= 0.1 + 1e-5 and np.ptp(moved[..., 0]) < 1e-5
        sheared = transform_points(points, mask, LAYOUT, replace(NOTHING, shear=0.3), rng)
        assert np.allclose(sheared[..., 1], points[..., 1], atol=1e-5)
        assert np.abs(sheared[..., 0] - points[..., 0]).max() <= 0.3
    noisy = transform_points(points, mask, LAYOUT, replace(NOTHING, noise=0.01), np.random.default_rng(0)) - points
    assert noisy.std() == pytest.approx(0.01 * body_frame(points, mask, LAYOUT)[1], rel=0.1)


def test_hands_turn_about_their_wrists():
    clip = random_clip()
    points = clip.values.reshape(-1, 78, 2)
    turned = rotate_hands(points, clip.mask, LAYOUT, 30.0, np.random.default_rng(0))
    assert np.array_equal(turned[:, LAYOUT.body], points[:, LAYOUT.body])
    for hand in (LEFT, RIGHT):
        assert np.allclose(turned[:, hand[0]], points[:, hand[0]])
        radius = np.linalg.norm(points[:, hand] - points[:, hand[:1]], axis=-1)
        assert np.allclose(np.linalg.norm(turned[:, hand] - turned[:, hand[:1]], axis=-1), radius, atol=1e-5)
        assert not np.allclose(turned[:, hand], points[:, hand])


def test_a_passive_hand_appears_below_where_only_one_hand_is():
    clip = random_clip(missing=[LEFT])
    points, mask = add_passive_hand(clip.values.reshape(-1, 78, 2), clip.mask, LAYOUT, np.random.default_rng(0))
    assert mask[:, LEFT].all()
    assert np.array_equal(points[:, RIGHT], clip.values.reshape(-1, 78, 2)[:, RIGHT])
    assert points[:, LEFT[0], 1].mean() > np.median(points[:, RIGHT[0], 1])
    frames = points[:, LEFT] - points[:, LEFT[:1]]
    assert frames.std(axis=0).max() < 0.1 * np.ptp(frames)  # it rests


@pytest.mark.parametrize("missing", [[], [LEFT, RIGHT]], ids=["two hands", "no hand"])
def test_other_clips_get_no_passive_hand(missing):
    clip = random_clip(missing=missing)
    points = clip.values.reshape(-1, 78, 2)
    same, mask = add_passive_hand(points, clip.mask, LAYOUT, np.random.default_rng(0))
    assert np.array_equal(same, points) and np.array_equal(mask, clip.mask)


def test_the_hand_that_moves_less_is_the_one_that_is_dropped():
    clip = random_clip()
    points = clip.values.reshape(-1, 78, 2).copy()
    points[:, RIGHT] = points[:1, RIGHT]
    mask = drop_parts(points, clip.mask, LAYOUT, replace(NOTHING, hand_dropout=1.0), np.random.default_rng(0))
    assert not mask[:, RIGHT].any() and mask[:, LEFT].all()
    alone = clip.mask.copy()
    alone[:, RIGHT] = False
    kept = drop_parts(points, alone, LAYOUT, replace(NOTHING, hand_dropout=1.0), np.random.default_rng(0))
    assert np.array_equal(kept, alone)


def test_body_landmark_and_frame_dropout():
    clip = random_clip(200)
    close = augment(clip, body_dropout=1.0)
    assert not close.mask[:, LAYOUT.body].any() and close.mask[:, LEFT].all()
    assert not close.values.reshape(-1, 78, 2)[:, LAYOUT.body].any()
    fewer = augment(clip, landmark_dropout=0.3).mask
    assert set(fewer.mean(axis=0)) == {0.0, 1.0} and 0.5 < fewer.mean() < 0.9
    shares = [augment(clip, seed=seed, frame_dropout=0.2).mask.all(axis=1).mean() for seed in range(40)]
    assert 10 < sum(share == 1 for share in shares) < 30
    assert all(share == 1 or 0.65 < share < 0.95 for share in shares)


@pytest.mark.parametrize("changes", [{"landmark_dropout": 1.0}, {"frame_dropout": 1.0}])
def test_a_clip_never_becomes_empty(changes):
    for seed in range(5):
        assert augment(random_clip(3), seed=seed, **changes).mask.any()


def test_a_close_up_of_no_hands_keeps_its_body():
    clip = random_clip(missing=[LEFT, RIGHT])
    assert augment(clip, body_dropout=1.0).mask.any()


def test_features_change_in_time_only():
    clip = GlossClip(np.random.default_rng(0).random((20, 5), dtype=np.float32))
    same = augment(clip, layout=None, rotation=30.0, flip=1.0)
    assert np.allclose(same.values, clip.values, atol=1e-6) and same.mask.shape == (20, 1)
    dropped = [augment(clip, seed=s, layout=None, frame_dropout=0.5).mask.all() for s in range(20)]
    assert 0 < sum(dropped) < 20
    lengths = {len(augment(clip, seed=s, layout=None, speed=0.5).values) for s in range(20)}
    assert len(lengths) > 5 and 10 <= min(lengths) and max(lengths) <= 30


def test_amounts_out_of_range_are_all_named():
    with pytest.raises(
        ConfigurationError,
        match=r"flip in \[0, 1\], found 2; speed in \[0, 1\), found 1; trim in \[0, 0.5\), found 0.5; rotation of 0",
    ):
        GlossAugmentation(flip=2, speed=1, trim=0.5, rotation=-1)

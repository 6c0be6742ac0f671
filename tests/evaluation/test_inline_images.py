"""Images within a page: frames, weights and poses."""

import base64
import io

import numpy as np
from PIL import Image

from hf_slt.evaluation.inline_images import data_address, frame_strip, image_address, weight_row
from hf_slt.evaluation.pose_drawing import draw_poses, pose_edges
from hf_slt.landmarks import LAYOUTS, generic_layout, get_layout


def decoded(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))


def test_frames_stand_side_by_side_and_a_missing_one_is_grey():
    red = np.zeros((4, 6, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    strip = frame_strip([red, None], side=8)
    assert strip.size == (16, 8)
    assert strip.getpixel((3, 3)) == (255, 0, 0) and strip.getpixel((12, 3)) == (160, 160, 160)


def test_weights_are_the_opacity_of_their_pixels():
    row = decoded(image_address(weight_row(np.array([0.0, 0.1, 0.2]), largest=0.2)))
    assert row.size == (3, 1)
    assert [row.getpixel((x, 0))[3] for x in range(3)] == [0, 128, 255]
    assert weight_row(np.zeros(2), largest=0.0).getpixel((1, 0))[3] == 0


def test_addresses_name_their_kind_and_repeat():
    assert data_address(b"abc", "jpeg") == "data:image/jpeg;base64,YWJj"
    image = Image.new("RGB", (4, 4), (1, 2, 3))
    assert image_address(image, "jpeg") == image_address(image, "jpeg")
    assert decoded(image_address(image)).getpixel((0, 0)) == (1, 2, 3)


def test_lines_join_named_joints():
    layout = LAYOUTS["keypoints_78"]
    edges = {tuple(layout.points[i] for i in edge) for edge in pose_edges(layout)}
    assert ("left_elbow", "left_wrist") in edges and ("right_hand_index_2", "right_hand_index_3") in edges
    across = {frozenset(edge) for edge in edges if "left" in " ".join(edge) and "right" in " ".join(edge)}
    pairs = [("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("mouth_left", "mouth_right")]
    assert across == set(map(frozenset, pairs))
    assert len(edges) == len(pose_edges(layout))
    assert pose_edges(generic_layout(78)) == []


def test_poses_fill_the_drawing_and_undetected_points_are_not_drawn():
    layout = get_layout("hands_nose", 3)
    points = np.array([[[0.2, 0.9], [0.8, 0.9], [0.5, 0.1]], [[-1, -1], [0.8, 0.9], [0.5, 0.1]]], np.float32)
    seen = np.array([[True, True, True], [False, True, True]])
    image = np.array(draw_poses(points, seen, layout, side=40))
    assert image.shape == (40, 80, 4)
    rows = np.flatnonzero(image[:, :40, 3].any(axis=1))
    assert rows.max() - rows.min() > 34
    orange = (image[..., 0] > 200) & (image[..., 2] < 90) & (image[..., 3] > 200)
    blue = (image[..., 2] > 180) & (image[..., 0] < 90) & (image[..., 3] > 200)
    assert orange[:, :40].any() and not orange[:, 40:].any()
    assert blue[:, :40].any() and blue[:, 40:].any()


def test_a_clip_without_points_is_an_empty_drawing():
    image = draw_poses(np.full((2, 5, 2), -1.0), np.zeros((2, 5), bool), generic_layout(5), side=10)
    assert image.size == (20, 10) and image.getextrema()[3] == (0, 0)

"""Landmarks that other tools wrote, as the layouts of this library: `.pose` files, 543-point arrays, COCO-WholeBody."""

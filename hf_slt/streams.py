"""The four streams of a clip. Every module that loops over streams takes their names and their order from here."""

STREAMS = ("face", "left_hand", "right_hand", "pose")
IMAGE_STREAMS = STREAMS[:3]

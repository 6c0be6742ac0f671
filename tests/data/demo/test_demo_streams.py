"""What each stream of the demo tells, measured with nearest class means: clean, and nothing that belongs to another."""

import numpy as np
import pytest

from hf_slt.data.demo.clip import film_clip
from hf_slt.data.demo.grammar import draw_sentences
from hf_slt.data.demo.signer import HELD_OUT_SIGNER, LAYOUT
from hf_slt.data.demo.signs import HANDSHAPES, SIGNS, STREAM_OF_CHANNEL, minimal_pairs
from hf_slt.signing_space import normalize_pose

STREAMS = tuple(STREAM_OF_CHANNEL.values())
MOUTH_REGION = (slice(17, 30), slice(7, 25))


def picture_feature(frames):
    grey = frames.mean(axis=(0, -1))
    return ((grey - grey.mean()) / grey.std()).ravel()


def sign_features(clip, number):
    """One vector a stream: the mean picture of a sign, the pose at its start, middle and end."""
    frames = np.flatnonzero(clip.timeline.sign == number)
    pose = normalize_pose(clip.points, clip.confidence, LAYOUT)[:, :23]
    features = {"pose": pose[[frames[0], frames[len(frames) // 2], frames[-1]]].ravel()}
    for stream, pictures in clip.frames.items():
        chosen = pictures[np.isin(clip.frame_numbers[stream], frames)]
        if len(chosen) == 0:
            return None
        features[stream] = picture_feature(chosen[:, *MOUTH_REGION] if stream == "face" else chosen)
    return features


def collect(sentences, signers, seed):
    rows, glosses = [], []
    for i, sentence in enumerate(sentences):
        clip = film_clip(sentence, signers[i % len(signers)], np.random.default_rng([seed, i]))
        for number, gloss in enumerate(sentence.glosses):
            features = sign_features(clip, number)
            if features is not None:
                rows.append(features)
                glosses.append(gloss)
    return {stream: np.stack([row[stream] for row in rows]) for stream in STREAMS}, np.array(glosses)


@pytest.fixture(scope="module")
def data():
    sentences = draw_sentences(320, 0)
    return {
        "train": collect(sentences[:160], (0, 1), 1),
        "seen": collect(sentences[160:240], (0, 1), 2),
        "unseen": collect(sentences[240:], (HELD_OUT_SIGNER,), 3),
    }


def accuracy(data, split, stream, label):
    """Accuracy of nearest class means; `label` maps a gloss to a class, or to None to leave it out."""
    (train, glosses), (test, test_glosses) = data["train"], data[split]
    labels, truth = (np.array([label(gloss) or "" for gloss in names]) for names in (glosses, test_glosses))
    classes = sorted(set(labels) - {""})
    means = np.stack([train[stream][labels == name].mean(axis=0) for name in classes])
    used = truth != ""
    distances = ((test[stream][used, None] - means) ** 2).sum(axis=-1)
    return float(np.mean(np.array(classes)[distances.argmin(axis=1)] == truth[used]))


@pytest.mark.parametrize("split", ["seen", "unseen"])
@pytest.mark.parametrize("channel, expected", [("right", 0.97), ("left", 0.93), ("mouth", 0.85), ("movement", 0.97)])
def test_a_channel_is_plain_in_its_stream(data, split, channel, expected):
    stream = STREAM_OF_CHANNEL[channel]
    assert accuracy(data, split, stream, lambda gloss: getattr(SIGNS[gloss], channel)) >= expected


@pytest.mark.parametrize("split", ["seen", "unseen"])
@pytest.mark.parametrize("channel", STREAM_OF_CHANNEL)
def test_minimal_pairs_are_told_apart_by_one_stream_only(data, split, channel):
    pairs = minimal_pairs()[channel]
    for stream in STREAMS:
        scores = [accuracy(data, split, stream, {a: a, b: b}.get) for a, b in pairs]
        if stream == STREAM_OF_CHANNEL[channel]:
            assert min(scores) >= 0.9
        else:
            assert np.mean(scores) <= 0.75, f"the {stream} stream shows the {channel} channel"


def test_handshapes_are_all_in_use():
    used = {sign.right for sign in SIGNS.values()} | {sign.left for sign in SIGNS.values()}
    assert used == set(HANDSHAPES)

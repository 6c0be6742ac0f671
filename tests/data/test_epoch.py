"""The epoch counter that worker processes share."""

import copy

import torch

from hf_slt.data.epoch import SharedEpoch


def _read(epoch, queue):
    queue.put(epoch.value)


def test_starts_at_zero_and_is_a_plain_number():
    epoch = SharedEpoch()
    assert epoch.value == 0 and type(epoch.value) is int
    epoch.value = 7
    assert epoch.value == 7 and SharedEpoch().value == 0


def test_another_process_sees_a_later_change():
    context = torch.multiprocessing.get_context("fork")
    epoch, queue = SharedEpoch(), context.Queue()
    process = context.Process(target=_read, args=(epoch, queue))
    epoch.value = 3
    process.start()
    assert queue.get(timeout=20) == 3
    process.join()


def test_a_copy_holds_the_same_number():
    epoch = SharedEpoch()
    epoch.value = 2
    assert copy.deepcopy(epoch).value == 2

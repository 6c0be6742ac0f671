"""The report of a live run: its numbers by hand, and how it is shown."""

import pytest

from hf_slt.inference.live_report import LiveReport, average_lagging, percentiles


def test_average_lagging_by_hand():
    # 4 s, 4 words: an ideal translator says word i at i - 1 s.
    assert average_lagging([(1, 1.0, 0.0), (1, 2.0, 0.0), (2, 4.0, 0.0)], 4.0) == pytest.approx((1 + 1 + 2) / 3)
    assert average_lagging([(4, 4.0, 0.0)], 4.0) == 4.0  # all at the end: the whole segment late
    assert average_lagging([(1, 1.0, 0.5), (3, 4.0, 0.5)], 4.0) == pytest.approx((1.5 + 3.5) / 2)


def test_percentiles_are_milliseconds():
    assert percentiles([]) is None
    assert percentiles([i / 1000 for i in range(101)]) == {"p50": 50.0, "p95": 95.0}


def filled():
    report = LiveReport(setup=1.5, frames_dropped=2, processing=0.8, processor=1.2)
    for number in range(10):
        report.add_frame(number / 10, 0.05, number > 0)
    report.update_latencies += [0.1, 0.3]
    report.add_words(0, 1, 0.5, 0.2, is_final=False)
    report.add_words(0, 1, 1.0, 0.4, is_final=True)
    return report


def test_numbers_of_a_run():
    found = filled().to_dict()
    assert found == {
        "frames": 10,
        "frames_dropped": 2,
        "frames_with_person": 9,
        "clip_seconds": 1.0,
        "processing_seconds": 0.8,
        "processor_seconds": 1.2,
        "setup_seconds": 1.5,
        "real_time_factor": 0.8,
        "average_lag_seconds": 0.5,  # (0.5 + (1 - 0.5)) / 2
        "average_lag_computation_aware_seconds": 0.8,
        "updates": 2,
        "frame_latency_ms": {"p50": 50.0, "p95": 50.0},
        "update_latency_ms": {"p50": 200.0, "p95": 290.0},
    }


def test_lines_for_people():
    assert filled().lines() == [
        "frames: 10, 2 dropped, a person in 9",
        "real-time factor: 0.80 (0.8 s for 1.0 s, 1.2 s of processor time; 1.5 s to start)",
        "latency of a frame: p50 50 ms, p95 50 ms",
        "latency of an update: p50 200 ms, p95 290 ms",
        "average lag: 0.50 s (0.80 s with the time to compute)",
    ]


def test_lag_of_signs():
    report = LiveReport()
    report.add_gloss(0.4, 0.1)
    report.add_gloss(0.6, 0.3)
    assert report.average_lag() == pytest.approx(0.5)
    assert report.average_lag(with_computation=True) == pytest.approx(0.7)


def test_nothing_said_and_segments_that_did_not_end():
    report = LiveReport()
    assert report.lines() == [
        "frames: 0, a person in 0",
        "real-time factor: - (0.0 s for 0.0 s, 0.0 s of processor time; 0.0 s to start)",
    ]
    report.add_words(0, 2, 1.0, 0.0, is_final=False)
    report.add_words(1, 0, 1.0, 0.0, is_final=True)
    assert report.average_lag() is None
    assert report.to_dict()["real_time_factor"] is None


def test_the_clock_runs_from_the_arrival_of_the_first_frame(monkeypatch):
    wall, processor = iter((12.0,)), iter((3.0, 4.5))
    monkeypatch.setattr("hf_slt.inference.live_report.perf_counter", lambda: next(wall))
    monkeypatch.setattr("hf_slt.inference.live_report.process_time", lambda: next(processor))
    report = LiveReport()
    report.start(arrival=10.0)
    report.stop()
    assert (report.processing, report.processor) == (2.0, 1.5)
    nothing = LiveReport()
    nothing.stop()
    assert (nothing.processing, nothing.processor) == (0.0, 0.0)

from __future__ import annotations

from assistant.ending import by_reason


def test_probes_that_lack_the_same_thing_share_a_line() -> None:
    missing = [("spectrum", "it needs a checkpoint"), ("throughput", "no times"), ("capacity", "it needs a checkpoint")]
    assert by_reason(missing) == ["spectrum, capacity: it needs a checkpoint", "throughput: no times"]

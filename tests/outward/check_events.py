"""Reads an event file with TensorBoard's own reader, which checks each record's checksums, and compares it with what
write_events.cpp writes; then damages a byte, and TensorBoard must see it. Exits with 77, and a word why, where
TensorBoard is not installed."""

import sys
import time

try:
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
    from tensorboard.compat.tensorflow_stub import errors
except ImportError as error:
    print(f"skipped: {error}; `pip install tensorboard` has it")
    sys.exit(77)


def near(a, b):
    return abs(a - b) <= 1e-6 * max(1, abs(b))


def main(path):
    events = list(LegacyEventFileLoader(path).Load())
    assert len(events) == 303, len(events)
    assert events[0].file_version == "brain.Event:2", events[0]
    for epoch, event in enumerate(events[1:301], 1):
        assert event.step == epoch, event
        assert abs(event.wall_time - time.time()) < 600, event
        told = {value.tag: value.simple_value for value in event.summary.value}
        assert set(told) == {"loss/train", "RMSE/validation"}, told
        assert near(told["loss/train"], 1 / epoch) and near(told["RMSE/validation"], 0.5 + 1 / epoch), told
    assert events[301].step == 1 << 40, events[301]
    assert events[301].summary.value[0].tag == "n\u00e4me \ufffd", events[301]
    assert events[301].summary.value[0].simple_value == -1.5, events[301]
    assert len(events[302].summary.value) == 0, events[302]

    with open(path, "r+b") as file:
        file.seek(2000)
        byte = file.read(1)[0]
        file.seek(2000)
        file.write(bytes([byte ^ 1]))
    try:
        read = len(list(LegacyEventFileLoader(path).Load()))
    except errors.DataLossError:
        read = 0
    assert read < len(events), "a damaged record was read"
    print(f"{len(events)} events read by TensorBoard; a damaged one was refused")


if __name__ == "__main__":
    main(sys.argv[1])

"""Trees of sensor files whose counters count and whose values change as real ones do, while a test runs."""

import os
import threading
import time

RANGE = 65_532_610_987


class Counter:
    """Microjoules of a constant power, in steps of a millisecond; it may begin to count late."""

    def __init__(self, watts, start=5_000, after_s=0.0):
        self.watts, self.start, self.after_s = watts, start, after_s

    def text(self, now):
        steps = int(max(0.0, now - self.after_s) * 1000)
        return f"{(self.start + int(self.watts * steps * 1000)) % RANGE:020}\n"


class Value:
    """A reading that is renewed every 100 ms, and differs a little each time."""

    def __init__(self, value):
        self.value = value

    def text(self, now):
        return f"{self.value + int(now * 10) % 2:<20}\n"


UNREADABLE = object()  # a directory, where a file should be


class Sensors:
    """Files below a root, by their path: a text, a Counter, a Value or UNREADABLE. As long as it is open, those
    that move do."""

    def __init__(self, root, files):
        self.root, self.files = root, files
        self.done = threading.Event()

    def __enter__(self):
        moving = []
        for path, what in self.files.items():
            full = self.root / path
            full.parent.mkdir(parents=True, exist_ok=True)
            if what is UNREADABLE:
                full.mkdir()
            elif isinstance(what, str):
                full.write_text(what, encoding="utf-8")
            else:  # always of one length: it may be read at any time
                descriptor = os.open(full, os.O_RDWR | os.O_CREAT, 0o644)
                os.pwrite(descriptor, what.text(0).encode(), 0)
                moving.append((descriptor, what))
        begin = time.monotonic()

        def work():
            while not self.done.wait(0.001):
                now = time.monotonic() - begin
                for descriptor, what in moving:
                    os.pwrite(descriptor, what.text(now).encode(), 0)
            for descriptor, _ in moving:
                os.close(descriptor)

        self.worker = threading.Thread(target=work)
        self.worker.start()
        return {"ENPROF_SYSFS_ROOT": str(self.root)}

    def __exit__(self, *_):
        self.done.set()
        self.worker.join()


def zone(number, name, counter, wraps_at=RANGE):
    """The files of a zone of the powercap tree: zone("0:1", "dram", Counter(4))."""
    place = f"class/powercap/intel-rapl:{number}/"
    return {place + "name": f"{name}\n", place + "enabled": "1\n",
            place + "max_energy_range_uj": f"{wraps_at}\n", place + "energy_uj": counter}


def rails(hwmon, *labels):
    """An ina3221: rails(1, ("VDD_GPU", 19000, 600)) is in mV and mA."""
    place = f"class/hwmon/hwmon{hwmon}/"
    files = {place + "name": "ina3221\n"}
    for number, (label, millivolts, milliamps) in enumerate(labels, 1):
        files[f"{place}in{number}_label"] = f"{label}\n"
        files[f"{place}in{number}_input"] = f"{millivolts}\n"
        files[f"{place}curr{number}_input"] = Value(milliamps)
    return files

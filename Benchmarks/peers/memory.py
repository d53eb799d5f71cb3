"""The most memory a process held."""

import pathlib
import resource
import sys


def peak_bytes(pid="self"):
    """Bytes resident at the peak, pages of mapped files included."""
    status = pathlib.Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

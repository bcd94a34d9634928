"""Load on HTTP servers: wrk with prepared requests, curl for large bodies; and what each server's processes took."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
local list = {}
for line in io.lines("%s") do list[#list + 1] = line end
local body_of = function(path) local f = io.open(path, "rb"); local b = f:read("*a"); f:close(); return b end
local at, step = %d, %d
local kinds = {}
function setup(thread) counter = (counter or 0) + 1; thread:set("first", counter) end
function init(args) at = first end
request = function()
  local line = list[(at - 1) %% #list + 1]
  at = at + step
  local method, path, kind, file = line:match("^(%%S+) (%%S+) (%%S*) ?(.*)$")
  local body = nil
  if file ~= "" then body = body_of(file) end
  return wrk.format(method, path, {["Content-Type"] = kind, ["Host"] = "127.0.0.1"%s}, body)
end
local bad = 0
function response(status) if status < 200 or status > 299 then bad = bad + 1 end end
"""
_THREADS = 2
_RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
_BAD = re.compile(r"Non-2xx or 3xx responses: ([0-9]+)")
_DONE = re.compile(r"([0-9]+) requests in")


@dataclass(frozen=True)
class Prepared:
    """One request: its body lies in a file, "" for none."""

    method: str
    path: str
    kind: str = "application/octet-stream"
    body: str = ""


def rate(
    url: str,
    requests: Iterable[Prepared],
    scratch: Path,
    seconds: float = 5,
    connections: int = 24,
    headers: Mapping[str, str] | None = None,
) -> float:
    """Returns how many of the prepared requests, in turn and again and again, a server answers in a second."""
    lines = scratch / "requests.txt"
    lines.write_text("".join(f"{one.method} {one.path} {one.kind} {one.body}\n" for one in requests))
    more = "".join(f', ["{name}"] = "{value}"' for name, value in (headers or {}).items())
    script = scratch / "wrk.lua"
    script.write_text(_SCRIPT % (lines, 1, _THREADS, more))
    command = ["wrk", f"-t{_THREADS}", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if bad := _BAD.search(told):
        raise SystemExit(f"{url}: {bad[1]} answers were no success\n{told}")
    found = _RATE.search(told)
    assert found is not None, told
    return float(found[1])


def curl(*arguments: str) -> float:
    """Runs curl, which has to succeed, and returns its seconds."""
    start_s = time.perf_counter()
    subprocess.run(["curl", "-sS", "--fail", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start_s


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Returns when a port takes connections."""
    end_s = time.monotonic() + 30
    while subprocess.run(["bash", "-c", f"</dev/tcp/127.0.0.1/{port}"], capture_output=True).returncode:
        assert process.poll() is None and time.monotonic() < end_s, f"nothing answers on port {port}"
        time.sleep(0.05)


def family(pid: int) -> list[int]:
    """Returns a process and those below it."""
    found = [pid]
    for one in found:
        children = Path(f"/proc/{one}/task/{one}/children")
        found += [int(child) for child in children.read_text().split()] if children.exists() else []
    return found


def peak_mib(pid: int) -> float:
    """Returns the most memory that one process of a server had at a time, in MiB."""
    peaks = []
    for one in family(pid):
        match = re.search(r"VmHWM:\s+([0-9]+) kB", Path(f"/proc/{one}/status").read_text())
        peaks.append(int(match[1]) / 1024 if match else 0.0)
    return max(peaks)


def cpu_s(pid: int) -> float:
    """Returns the processor seconds of a server's processes until now."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def busy_s() -> float:
    """Returns the seconds that all processors have worked since the start: what the host kept to itself isn't in it."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def logged_s(log: Path) -> float:
    """Returns the seconds that the requests of an access log took, together."""
    return sum(float(json.loads(line)["seconds"]) for line in log.read_text().splitlines())

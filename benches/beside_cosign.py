#!/usr/bin/env python3
"""One bundle verified by a whole process: laforge beside cosign.

A keyless signature with a Rekor v2 entry and a time stamp, of `fixtures/`. Both must take it, and refuse it for other
bytes, or there is nothing to compare. They take turns, so that whatever else the machine does falls on both alike.

    cargo build --release && tests/parts/build cosign && benches/beside_cosign.py [--runs N] [--at-least RATIO]
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASE = ROOT / "fixtures" / "allows-keyless-logged-in-tiles"
WHO = [
    "--certificate-identity", "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0",
    "--certificate-oidc-issuer", "https://token.actions.githubusercontent.com",
    "--bundle", str(CASE / "evidence" / "signature.sigstore.json"),
    "--trusted-root", str(CASE / "trust" / "acme-root.json"),
]


def run(command: list[str], artifact: str) -> tuple[float, int]:
    """Seconds from the start of a process to its end, and how it ended; no pipe or thread of Python's in between."""
    silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    words = [*command, *WHO, str(CASE / artifact)]
    began = time.perf_counter()
    process = os.posix_spawn(words[0], words, os.environ, file_actions=silent)
    _, status = os.waitpid(process, 0)
    return time.perf_counter() - began, os.waitstatus_to_exitcode(status)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--runs", type=int, default=50)
    asked.add_argument("--at-least", type=float, default=0.0)
    asked.add_argument("--laforge", default=str(ROOT / "target" / "release" / "laforge"))
    asked = asked.parse_args()
    parts = subprocess.run([ROOT / "tests" / "parts" / "build", "--where"], capture_output=True, text=True, check=True)
    commands = {
        "laforge": [asked.laforge, "verify-bundle"],
        "cosign": [f"{parts.stdout.strip()}/cosign", "verify-blob"],
    }
    for name, command in commands.items():
        taken, refused = run(command, "artifacts/payments.tar.gz")[1], run(command, "artifacts/config.yaml")[1]
        if taken != 0 or refused == 0:
            print(f"{name} does not verify this bundle as it should: exit {taken}, and {refused} for other bytes")
            return 1
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(asked.runs):
        for name, command in commands.items():
            times[name].append(run(command, "artifacts/payments.tar.gz")[0])
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, taken in times.items():
        print(f"{name:8} median {medians[name] * 1e3:6.1f} ms, fastest {min(taken) * 1e3:6.1f} ms, of {asked.runs} runs")
    ratio = medians["cosign"] / medians["laforge"]
    print(f"ratio    {ratio:6.1f}")
    return 0 if ratio >= asked.at_least else 1


if __name__ == "__main__":
    sys.exit(main())

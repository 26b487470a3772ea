#!/usr/bin/env python3
"""Checks a summary that `deploy --vsa` wrote, with Python's standard library and no code of the project.

python3 tests/vsa.py BUNDLE KEY.pub VERIFIER RESOURCE LEVEL POLICY SUBJECT...
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import vectors  # noqa: E402

bundle, key, verifier, resource, level, policy, *subjects = sys.argv[1:]
vectors.check_vsa(
    {
        "bundle": pathlib.Path(bundle).read_text("utf-8"),
        "key": pathlib.Path(key).read_text("utf-8"),
        "expect": {
            "verifier": verifier,
            "resourceUri": resource,
            "level": level,
            "policy": policy,
            "subjects": [subject.removeprefix("sha256:") for subject in subjects],
        },
    },
    None,
)
print("holds")

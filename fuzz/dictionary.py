#!/usr/bin/env python3
"""A libFuzzer dictionary out of seeds: the names and words that they have in common.

Names of members are what random bytes hardly ever meet; with them a target comes to its end in minutes.

    fuzz/dictionary.py fuzz/corpus/trust > fuzz/corpus/trust.dict
    cargo +stable fuzz run -s none trust -- -dict=fuzz/corpus/trust.dict
"""
import collections
import pathlib
import re
import sys

MOST = 400
JSON = r'"[A-Za-z@_$][\w.\-/:+]{1,60}"'
YAML = r"[A-Za-z_][\w.\-/]{1,40}:? ?"
SIGNS = {
    JSON: ["{", "}", "[", "]", ":", ",", "null", "true", "false", '""', "{}", "[]", "\\u0000", "1e9", "-1"],
    YAML: ["\n  - ", "\n    ", "{", "}", "[", "]", ": ", '"', "'", "|\n", ">-\n", "---\n", "&a ", "*a", "<<: ", "!!str ", "~"],
}


def written(word: str) -> str:
    """As libFuzzer reads it: printable ASCII but for quotes and backslashes, other bytes in hex."""
    plain = lambda byte: 32 <= byte < 127 and chr(byte) not in '"\\'
    return "".join(chr(byte) if plain(byte) else f"\\x{byte:02x}" for byte in word.encode())


def main() -> None:
    texts = [path.read_text(errors="replace") for path in sorted(pathlib.Path(sys.argv[1]).iterdir())]
    looks_like_json = sum(text.lstrip().startswith(("{", "[")) for text in texts) * 2 > len(texts)
    kind = JSON if looks_like_json else YAML
    counted = collections.Counter(word for text in texts for word in set(re.findall(kind, text)))
    digests = re.compile(r'"?[0-9a-f]{16,}"?:? ?')
    words = [word for word, _ in counted.most_common(2 * MOST) if not digests.fullmatch(word)][:MOST]
    for number, word in enumerate(words + SIGNS[kind]):
        print(f'w{number}="{written(word)}"')


if __name__ == "__main__":
    main()

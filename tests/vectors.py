#!/usr/bin/env python3
"""Checks fixtures/vectors with nothing but Python's standard library, and no code of the project.

python3 tests/vectors.py [FOLDER]

Every check is run twice: on the vector, where it has to hold, and on the vector with one character
changed, where it has to fail.
"""
import base64
import copy
import hashlib
import json
import pathlib
import re
import struct
import sys


def sha256(data):
    return hashlib.sha256(data).digest()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(value):
    """RFC 8785 for what we write: integers, and names that sort alike as bytes and as UTF-16."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def need(holds, what):
    if not holds:
        raise ValueError(what)


# --- Ed25519 verification, RFC 8032 section 5.1.7 ---
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def recover(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need(y < P and (x * x - x2) % P == 0, "not a point")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def add(a, b):
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, point):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, point)
        point, n = add(point, point), n >> 1
    return out


BASE = recover((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519(key, message, signature):
    need(len(key) == 32 and len(signature) == 64, "sizes of key and signature")
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    need(s < L, "signature out of range")
    h = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    a, b = times(s, BASE), add(recover(r), times(h, recover(key)))
    need((a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0, "bad signature")


# --- the tree, RFC 6962 section 2.1 ---
def leaf(line):
    return sha256(b"\0" + line)


def node(left, right):
    return sha256(b"\1" + left + right)


def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node(root(leaves[:k]), root(leaves[k:]))


def root_by_proof(hash_, index, size, proof):
    """RFC 9162 section 2.1.3.2."""
    fn, sn = index, size - 1
    need(0 <= index < size, "index outside of the tree")
    for sibling in proof:
        need(sn, "proof too long")
        if fn & 1 or fn == sn:
            hash_ = node(sibling, hash_)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            hash_ = node(hash_, sibling)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "proof too short")
    return hash_


# --- C2SP signed-note, tlog-checkpoint, tlog-proof ---
def b64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 in another form")
    return data


def open_checkpoint(note, vkey):
    """Origin, size and root of a checkpoint that this key signed."""
    name, key_id, packed = vkey.split("+", 2)
    typed = b64(packed)
    need(typed[0] == 1, "type of key")
    need(sha256(name.encode() + b"\n" + typed)[:4].hex() == key_id, "key id")
    text, signatures = note.split("\n\n")
    text += "\n"
    held = False
    for line in signatures.splitlines():
        dash, signer, packed = line.split(" ")
        signature = b64(packed)
        if dash == "\u2014" and signer == name and signature[:4].hex() == key_id:
            ed25519(typed[1:], text.encode(), signature[4:])
            held = True
    need(held, "no signature by the key")
    origin, size, root_ = text.splitlines()
    need(origin == name, "origin")
    return origin, int(size), b64(root_)


def open_proof(proof, line, vkey):
    head, note = proof.split("\n\n", 1)
    first, index, *hashes = head.split("\n")
    need(first == "c2sp.org/tlog-proof@v1" and index.startswith("index "), "not a proof")
    origin, size, root_ = open_checkpoint(note, vkey)
    index = int(index[6:])
    need(root_by_proof(leaf(line), index, size, [b64(h) for h in hashes]) == root_, "not included")
    return origin, index, size, root_


# --- one check per vector ---
def check_hashed(v, folder):
    need(canonical(v["value"]).decode() == v["canonical"], "canonical form")
    need(digest(v["canonical"].encode()) == v["digest"], "digest")


def check_policy_set(v, folder):
    check_hashed(v, folder)
    listed = [{"path": path, "digest": digest(text.encode())} for path, text in sorted(v["files"].items())]
    need(v["value"]["files"] == listed, "files")


def check_entries(v, folder):
    prev, leaves = "sha256:" + "0" * 64, []
    for seq, entry in enumerate(v["entries"]):
        line = entry["line"].encode()
        value = json.loads(line)
        need(value["_type"] == "https://laforge.dev/entry/v1" and value["seq"] == seq, "seq")
        need(value["prev"] == prev, "prev")
        leaves.append(leaf(line))
        prev = "sha256:" + leaves[-1].hex()
        need(entry["leaf"] == prev, "leaf")
    need(v["entries"][0]["leaf"] == v["logId"], "logId")
    need("sha256:" + root(leaves).hex() == v["root"], "root")


def check_checkpoint(v, folder):
    _, size, root_ = open_checkpoint(v["note"], v["vkey"])
    need(size == v["size"] and "sha256:" + root_.hex() == v["root"], "head")


def check_journal(v, folder):
    lines = [e["line"].encode() for e in load(folder, "entries.json")["entries"]]
    for text in v["records"]:
        record = json.loads(text)
        need(list(record) == ["size", "root", "segment", "length", "frontier", "key", "note"], "members")
        need(json.dumps(record, separators=(",", ":"), ensure_ascii=False) == text, "form")
        committed = lines[: record["size"]]
        need(record["length"] == sum(len(line) + 1 for line in committed), "length")
        origin, size, root_ = open_checkpoint(record["note"], v["vkey"])
        need(size == record["size"] and root_ == root([leaf(x) for x in committed]), "note")
        need("sha256:" + root_.hex() == record["root"], "root")
        need(record["key"] == "+".join(v["vkey"].split("+")[:2]), "key")
        frontier, left = [], 0
        for bit in reversed(range(size.bit_length())):
            if size >> bit & 1:
                frontier.append("sha256:" + root([leaf(x) for x in committed[left : left + (1 << bit)]]).hex())
                left += 1 << bit
        need(record["frontier"] == frontier, "frontier")
    need(v["records"] and json.loads(v["records"][-1])["size"] == len(lines), "last record")


def check_proof(v, folder):
    _, index, _, _ = open_proof(v["proof"], v["line"].encode(), v["vkey"])
    need(json.loads(v["line"])["seq"] == index, "seq")


def check_envelope(v, folder):
    text = v["envelope"]
    e = json.loads(text)
    need(canonical(e).decode() + "\n" == text, "form")
    need(set(e) == {"payloadType", "plan", "planDigest", "auditEntry", "proof"}, "members")
    need(e["payloadType"] == "application/vnd.laforge.rollout-plan.v1+json", "payload type")
    core = canonical(e["plan"])
    need(digest(core) == e["planDigest"] == v["planDigest"], "plan digest")
    entry, line = e["auditEntry"], json.loads(e["auditEntry"]["line"])
    origin, index, size, root_ = open_proof(e["proof"], entry["line"].encode(), v["vkey"])
    need((entry["origin"], entry["index"], entry["size"]) == (origin, index, size), "reference")
    need(entry["root"] == "sha256:" + root_.hex() and entry["logId"] == v["logId"], "root and logId")
    verification = e["plan"]["verification"]
    need((line["type"], line["action"], line["seq"]) == ("decision", "allow", index), "an allow")
    need(line["plan"] == {"digest": e["planDigest"], "size": len(core)}, "plan")
    need(line["release"]["digest"] == e["plan"]["release"]["digest"], "release")
    need(line["release"]["environment"] == e["plan"]["release"]["environment"], "environment")
    for name in ("policy", "trust", "facts"):
        need(line[name]["digest"] == verification[name + "Digest"], name)
    need((line["mode"], line["verdict"]) == (e["plan"]["mode"], verification["verdict"]), "mode and verdict")


def check_approval(v, folder):
    pem = "".join(line for line in v["key"].splitlines() if "-----" not in line)
    spki = base64.b64decode(pem)
    need(spki[:-32].hex() == "302a300506032b6570032100", "an Ed25519 key")
    envelope = json.loads(v["bundle"])["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    ed25519(spki[-32:], pae, base64.b64decode(envelope["signatures"][0]["sig"]))
    statement = json.loads(payload)
    need(statement["_type"] == "https://in-toto.io/Statement/v1", "statement")
    need(statement["predicateType"] == "https://laforge.dev/attestation/approval/v1", "predicate")
    need(["sha256:" + s["digest"]["sha256"] for s in statement["subject"]] == [v["release"]], "subject")
    predicate = statement["predicate"]
    need((predicate["decision"], predicate["environment"]) == ("approved", v["environment"]), "approval")


def public_key(pem):
    spki = base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))
    need(spki[:-32].hex() == "302a300506032b6570032100", "an Ed25519 key")
    return spki[-32:]


def encoding(kind, payload):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


# --- docs/predicates.md: the parsing rules of the project's own predicates ---
def once(pairs):
    need(len({name for name, _ in pairs}) == len(pairs), "a member twice")
    return dict(pairs)


def is_text(value):
    return isinstance(value, str)


def says_something(value):
    return is_text(value) and value.strip() != ""


def is_time(value):
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
    return is_text(value) and re.fullmatch(pattern, value) is not None


def is_alias(value):
    scheme, colon, name = value.partition(":") if is_text(value) else ("", "", "")
    return bool(scheme and colon and name)


def list_of(each):
    return lambda value: isinstance(value, list) and value != [] and all(map(each, value))


DATES = {"createdAt": is_time, "expiresAt": is_time}
OWN = "https://laforge.dev/attestation/"
# Of each type the members that it has to have and those that it may have.
PREDICATES = {
    OWN + "approval/v1": (
        {"decision": lambda value: value in ("approved", "rejected"), "environment": is_text, **DATES},
        dict.fromkeys(("reason", "ticket", "role", "onBehalfOf"), is_text),
    ),
    OWN + "break-glass/v1": (
        {
            **dict.fromkeys(("environment", "ticket", "reason"), says_something),
            "rules": list_of(says_something),
            **DATES,
        },
        {},
    ),
    OWN + "waiver/v1": (
        {**dict.fromkeys(("rule", "environment", "reason", "ticket", "owner"), says_something), **DATES},
        {},
    ),
    OWN + "source/v1": (
        {"repository": is_text, "commit": is_text, "authors": list_of(is_alias), "committer": is_alias},
        {},
    ),
}


def is_accepted(text):
    try:
        statement = json.loads(text, object_pairs_hook=once)
        has_to, may = PREDICATES[statement["predicateType"]]
        predicate = statement["predicate"]
        need(statement["_type"] == "https://in-toto.io/Statement/v1" and statement["subject"], "a statement")
        need(has_to.keys() <= predicate.keys() <= has_to.keys() | may.keys(), "members")
        need(all({**has_to, **may}[name](value) for name, value in predicate.items()), "a member's value")
    except (KeyError, ValueError):
        return False
    return True


def check_predicates(v, folder):
    key = public_key(v["key"])
    for case in v["cases"]:
        text = case["statement"].encode()
        pae = encoding(b"application/vnd.in-toto+json", text)
        need(pae == b64(case["pae"]), "pre-authentication encoding")
        ed25519(key, pae, b64(case["signature"]))
        need(case["verdict"] == ("accepted" if is_accepted(text) else "refused"), case["name"])
    verdicts = [(json.loads(c["statement"])["predicateType"], c["verdict"]) for c in v["cases"]]
    need(all((kind, said) in verdicts for kind in PREDICATES for said in ("accepted", "refused")), "both of each")


def check_vsa(v, folder):
    """A summary as <https://slsa.dev/spec/v1.1/verification_summary> says to verify one."""
    envelope = json.loads(v["bundle"])["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    need(kind == "application/vnd.in-toto+json", "payload type")
    need(len(envelope["signatures"]) == 1, "one signature")
    ed25519(public_key(v["key"]), encoding(kind.encode(), payload), base64.b64decode(envelope["signatures"][0]["sig"]))
    statement, expect = json.loads(payload, object_pairs_hook=once), v["expect"]
    need(statement["_type"] == "https://in-toto.io/Statement/v1", "statement")
    need(statement["predicateType"] == "https://slsa.dev/verification_summary/v1", "predicate type")
    predicate = statement["predicate"]
    need([subject["digest"]["sha256"] for subject in statement["subject"]] == expect["subjects"], "subjects")
    need(predicate["verifier"]["id"] == expect["verifier"], "verifier")
    need(predicate["resourceUri"] == expect["resourceUri"], "resource")
    need(predicate["verificationResult"] == "PASSED", "result")
    need(expect["level"] in predicate["verifiedLevels"] and "FAILED" not in predicate["verifiedLevels"], "level")
    need("sha256:" + predicate["policy"]["digest"]["sha256"] == expect["policy"], "policy digest")
    need(re.match(r"[a-z]+:", predicate["policy"]["uri"]) is not None, "policy URI")
    need(is_time(predicate["timeVerified"]), "time")
    for one in predicate["inputAttestations"]:
        need(re.fullmatch(r"[0-9a-f]{64}", one["digest"]["sha256"]) is not None, "input attestation")


# Each vector, its check, and the members of which a change must be noticed. (Of a bundle, the key's
# hint at its end is not signed; a PEM text has its key in the middle.)
VECTORS = {
    "approval.json": (check_approval, [("bundle", 0.2), ("bundle", 0.6), ("key", 0.5), "release", "environment"]),
    "checkpoint.json": (check_checkpoint, ["note", "vkey", "root"]),
    "entries.json": (check_entries, ["logId", "root", ("entries", 0, "line"), ("entries", 1, "leaf")]),
    "envelope.json": (check_envelope, ["envelope", "vkey", "logId", "planDigest"]),
    "journal.json": (check_journal, ["vkey", ("records", 0), ("records", -1)]),
    "predicates.json": (
        check_predicates,
        [("cases", 0, "statement"), ("cases", 1, "signature"), ("cases", 2, "pae"), ("key", 0.5)]
        + [("cases", 3, "verdict")],
    ),
    "policy-set.json": (check_policy_set, ["canonical", "digest", ("files", None)]),
    "tlog-proof.json": (check_proof, ["proof", "line", "vkey"]),
    "vsa.json": (
        check_vsa,
        [("bundle", 0.2), ("bundle", 0.6), ("key", 0.5), ("expect", "verifier"), ("expect", "resourceUri")]
        + [("expect", "level"), ("expect", "policy"), ("expect", "subjects", 0)],
    ),
    **{
        name + ".json": (check_hashed, ["canonical", "digest"])
        for name in ("facts", "idem", "plan", "plan-example", "policy", "release", "report", "request", "trust")
    },
}


def load(folder, name):
    return json.loads((folder / name).read_text("utf-8"))


def changed(vector, path, at):
    """The vector with one character of one text changed."""
    vector = copy.deepcopy(vector)
    holder = vector
    for step in path[:-1]:
        holder = holder[step]
    last = next(iter(holder)) if path[-1] is None else path[-1]
    text = holder[last]
    at = int(at * (len(text) - 1))
    while not text[at].isalnum():
        at -= 1
    holder[last] = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
    return vector


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "vectors"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    there = {path.name for path in folder.glob("*.json")} - {"genesis.json"}
    wrong = [f"{name}: not there" for name in VECTORS.keys() - there]
    wrong += [f"{name}: no check for it" for name in there - VECTORS.keys()]
    flips = 0
    for name in sorted(VECTORS.keys() & there):
        check, members = VECTORS[name]
        vector = load(folder, name)
        try:
            check(vector, folder)
        except Exception as problem:
            wrong.append(f"{name}: {problem!r}")
            continue
        for member in members:
            *path, last = member if isinstance(member, tuple) else (member,)
            places, path = ([last], path) if isinstance(last, float) else ((0.35, 0.6, 0.97), [*path, last])
            for at in places:
                try:
                    check(changed(vector, path, at), folder)
                except Exception:
                    flips += 1
                else:
                    wrong.append(f"{name}: a change of {path} at {at} goes unnoticed")
    print("\n".join(wrong + [f"{len(VECTORS)} vectors, {flips} changes noticed, {len(wrong)} wrong"]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

"""A client that is not ours, PyPI's kurrentdbclient, against the stand-in and against what Kith writes through it.

    PYTHONPATH=.tools/python-clients python3 tests/interop/interop.py target/debug .tools/nats-server
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import NotFoundError, WrongCurrentVersionError

PATIENCE = 60.0


def event(n, name="thing.happened"):
    return NewEvent(type=name, data=json.dumps({"n": n}).encode(), metadata=b'{"by":"python"}', id=uuid.uuid4())


def told(what, action, error):
    try:
        action()
    except error as said:
        print(f"ok   {what}: {said}")
        return
    raise SystemExit(f"FAILED: {what}")


def check(what, is_so):
    if not is_so:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok   {what}")


def appends_and_reads(client):
    first, more = event(0), [event(n) for n in range(1, 4)]
    at = client.append_to_stream("python-1", current_version=StreamState.NO_STREAM, events=first)
    again = client.append_to_stream("python-1", current_version=StreamState.NO_STREAM, events=first)
    check("one event sent twice is one, at one position", at == again)
    batch = client.append_to_stream("python-1", current_version=0, events=more)
    check("a batch sent twice is one", batch == client.append_to_stream("python-1", current_version=0, events=more))
    read = client.get_stream("python-1")
    check("four events are read back in order", [json.loads(e.data)["n"] for e in read] == [0, 1, 2, 3])
    check("with their ids", [e.id for e in read] == [e.id for e in [first, *more]])
    check("types, metadata and places", all(
        (e.type, e.metadata, e.stream_position, e.stream_name) == ("thing.happened", b'{"by":"python"}', n, "python-1")
        for n, e in enumerate(read)))
    check("the last one has the position of the append", read[-1].commit_position == batch)
    backwards = client.get_stream("python-1", backwards=True, limit=2)
    check("backwards, two", [json.loads(e.data)["n"] for e in backwards] == [3, 2])
    check("from the second on", [json.loads(e.data)["n"] for e in client.get_stream("python-1", stream_position=2)] == [2, 3])
    told("one event at a wrong revision", lambda: client.append_to_stream(
        "python-1", current_version=1, events=event(9)), WrongCurrentVersionError)
    told("a batch at a wrong revision", lambda: client.append_to_stream(
        "python-1", current_version=7, events=[event(9)]), WrongCurrentVersionError)
    told("a batch to a stream that should be there", lambda: client.append_to_stream(
        "python-2", current_version=StreamState.EXISTS, events=[event(9)]), WrongCurrentVersionError)
    told("a stream that is not there", lambda: client.get_stream("python-3"), NotFoundError)


def reads_all(client):
    whole = list(client.read_all(filter_exclude=()))
    positions = [e.commit_position for e in whole]
    check(f"{len(whole)} events of all streams, in order", positions == sorted(set(positions)) and len(whole) >= 4)
    middle = whole[1]
    from_there = list(client.read_all(commit_position=middle.commit_position, filter_exclude=()))
    check("reading from a position includes it", from_there[0].id == middle.id)
    before = list(client.read_all(commit_position=middle.commit_position, backwards=True, filter_exclude=()))
    check("reading backwards from a position excludes it", [e.id for e in before] == [whole[0].id])
    return whole


def subscribes(client, whole):
    after = whole[1]
    with client.subscribe_to_all(
        commit_position=after.commit_position, filter_include=["python"], filter_by_stream_name=True,
        filter_by_prefix=True, include_checkpoints=True, include_caught_up=True, window_size=10,
        checkpoint_interval_multiplier=1,
    ) as subscription:
        seen, kinds, sent = [], set(), False
        for got in subscription:
            kinds.add(type(got).__name__)
            if type(got).__name__ == "RecordedEvent":
                seen.append(got)
            if type(got).__name__ == "CaughtUp" and not sent:
                sent = True
                client.append_to_stream("others-1", current_version=StreamState.ANY, events=[event(n) for n in range(40)])
                client.append_to_stream("python-4", current_version=StreamState.ANY, events=event(0))
            if any(e.stream_name == "python-4" for e in seen) and "Checkpoint" in kinds:
                break
    check("a subscription excludes the position that it starts at", after.id not in [e.id for e in seen])
    check("it brings what was there and what comes", len(seen) == 3)
    check("and nothing that the filter leaves out", all(e.stream_name.startswith("python") for e in seen))
    check("it says that it has caught up, and how far it looked", {"CaughtUp", "Checkpoint"} <= kinds)


def answers(url, headers=None, body=None):
    request = urllib.request.Request(url, data=body, headers=headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read()


def reads_what_kith_wrote(client, programs, nats_server, url, folder):
    kith = [programs / "kith", "serve", "--data", folder / "data", "--listen", "127.0.0.1:0"]
    kith += ["--eventstore", url, "--nats-server", nats_server]
    with open(folder / "kith.log", "w") as log, subprocess.Popen(kith, stderr=log) as server:
        try:
            deadline, at = time.monotonic() + PATIENCE, None
            while at is None:
                lines = (folder / "kith.log").read_text()
                at = lines.split("kith is at ")[1].split(",")[0] if "kith is at " in lines and "," in lines.split("kith is at ")[1] else None
                if time.monotonic() > deadline or server.poll() is not None:
                    raise SystemExit(f"FAILED: kith does not start: {lines}")
                time.sleep(0.05)  # a process announces nothing
            token = [programs / "kith", "token", "--data", folder / "data", "--org", "acme", "--role", "admin", "--subject", "ann"]
            token = subprocess.run(token, check=True, capture_output=True, text=True).stdout.strip()
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "1", "Content-Type": "application/json"}
            status, body = answers(f"{at}/v1/programmes", headers, b'{"name":"Recovery"}')
            programme = json.loads(body)["id"]
            check("kith has registered a programme", status == 201)
        finally:
            server.terminate()
            server.wait(PATIENCE)
    (written,) = client.get_stream(f"kith.programme-acme/{programme}")
    metadata = json.loads(written.metadata)
    check("its event is read", (written.type, json.loads(written.data)["details"]["name"]) == ("programme.registered", "Recovery"))
    check("as JSON, in kith's words", written.content_type == "application/json" and metadata["organisation"] == "acme"
          and metadata["version"] == 1 and metadata["caused_by"]["actor"] == "ann" and "recorded_at" in metadata)
    receipts = list(client.read_all(filter_include=["kith-receipt"], filter_by_stream_name=True, filter_by_prefix=True))
    check("and the receipt of the command", json.loads(receipts[-1].data)["ids"] == [str(written.id)])


def main():
    programs, nats_server = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        stand_in = [programs / "stand-in", "--log", folder / "stand-in.db"]
        with subprocess.Popen(stand_in, stdout=subprocess.PIPE, text=True) as server:
            try:
                url = f"esdb://{server.stdout.readline().strip()}?tls=false"
                with KurrentDBClient(url) as client:
                    appends_and_reads(client)
                    subscribes(client, reads_all(client))
                    reads_what_kith_wrote(client, programs, nats_server, url, folder)
            finally:
                server.terminate()
    print("kurrentdbclient and the stand-in understand each other")


if __name__ == "__main__":
    main()

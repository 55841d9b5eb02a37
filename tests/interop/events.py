"""A CloudEvents SDK that is not ours, PyPI's cloudevents, reads one event of each type of care from a real NATS server.

    PYTHONPATH=.tools/python-clients python3 tests/interop/events.py target/debug .tools/nats-server
"""

import asyncio
import contextlib
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import nats
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event

PATIENCE = 60.0
SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas"
# What an organisation asks and whom it tells; what members say; how meetings go.
TYPES = {
    "instrument.added", "instrument.texts_loaded", "instrument.taken_into_use", "instrument.taken_out_of_use",
    "check_ins.asked", "check_ins.asked_no_more", "duty_seat.taken", "duty_seat.closed", "crisis_text.set",
    "concern_deadlines.set", "check_in.recorded", "check_in.corrected", "check_in.entered_in_error", "goal.set",
    "goal.rated", "goal.ended", "concern.raised", "concern.acknowledged", "concern.resolved", "mood.recorded",
    "structure.recorded",
}


def check(what, is_so):
    if not is_so:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok   {what}")


@contextlib.contextmanager
def running(program, log, says):
    """A process, once its log says so; answers what stands behind that."""
    with open(log, "w") as out, subprocess.Popen(program, stdout=out, stderr=out) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while says not in log.read_text():
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"FAILED: {program[0]} does not start: {log.read_text()}")
                time.sleep(0.05)  # a process announces nothing
            yield log.read_text().split(says)[1]
        finally:
            process.terminate()
            process.wait(PATIENCE)


class Kith:
    """Kith over HTTP; each command under a key of its own."""

    def __init__(self, url, token):
        self.url, self.token, self.sent, self.position = url, token, 0, None

    def send(self, method, path, body=None):
        self.sent += 1
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": str(self.sent)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if method == "GET" and self.position:
            headers["Kith-After"] = self.position
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                self.position = answer.headers.get("Kith-Position") or self.position
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise SystemExit(f"FAILED: {method} {path}: {error.read().decode()}")


def protocol(kith, programme):
    kith.send("PUT", "/v1/duty-seat", {"holder": "ann"})
    kith.send("PUT", f"/v1/programmes/{programme}/duty-seat", {"holder": "ben"})
    kith.send("PUT", "/v1/crisis-texts/en", {"text": "Call 116 123"})
    kith.send("PUT", "/v1/concern-deadlines", {"concern_minutes": 30, "not_answered_minutes": 60})
    definition = json.loads((SCHEMAS / "events/instrument.added.v1.example.json").read_text())["definition"]
    kith.send("POST", "/v1/instruments", {**definition, "id": "our-own"})
    words = json.loads((SCHEMAS / "instruments/texts/who-5.en.json").read_text())
    terms = words["licence"]["terms"] if "licence" in words else words["terms"]
    kith.send("PUT", "/v1/instruments/who-5/texts", {"file": words, "accepted_terms": terms})
    for instrument in ["phq-9", "gad-7"]:
        kith.send("PUT", f"/v1/instruments/{instrument}/use", {"version": 1})
    timing = {"intake": True, "exit": False, "open_days": 7}
    kith.send("PUT", f"/v1/programmes/{programme}/check-ins/phq-9", timing)
    kith.send("DELETE", f"/v1/programmes/{programme}/check-ins/phq-9")
    kith.send("DELETE", "/v1/instruments/gad-7/use")


def care(kith, member):
    of = f"/v1/members/{member}"
    given = {"answers": {str(item): 1 for item in range(1, 10)}}
    taken = kith.send("POST", f"{of}/check-ins", {"instrument": "phq-9", "given": given})
    check("somebody in danger is told whom to call", taken["say"]["text"] == "Call 116 123")
    check_in = f"{of}/check-ins/{taken['check_in']}"
    given["answers"]["1"] = 2
    kith.send("POST", f"{check_in}/correction", {"given": given, "reason": "misheard"})
    kith.send("POST", f"{check_in}/entered-in-error", {"reason": "another's"})
    goal = kith.send("POST", f"{of}/goals", {"words": "walk every day"})["goal"]
    kith.send("POST", f"{of}/goals/{goal}/ratings", {"rating": 3})
    kith.send("POST", f"{of}/goals/{goal}/end", {"end": "achieved"})
    waiting = kith.send("GET", "/v1/concerns")["items"]
    concern = f"{of}/concerns/{waiting[0]['concern']}"
    kith.send("POST", f"{concern}/acknowledgement")
    kith.send("POST", f"{concern}/resolution", {"outcome": "spoken", "note": "she is safe"})


def meeting(kith, group, day, member):
    kith.send("POST", f"/v1/groups/{group}/meetings", {"from": day, "through": day})
    planned = kith.send("GET", f"/v1/groups/{group}/meetings?from={day}&through={day}")["items"]
    of = f"/v1/meetings/{planned[0]['id']}"
    kith.send("POST", f"{of}/open")
    kith.send("PUT", f"{of}/moods", {"moods": [{"member": member, "mood": 7}]})
    kith.send("PUT", f"{of}/structure", {"topic": "Trust"})


def play(kith):
    day = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)).date().isoformat()
    programme = kith.send("POST", "/v1/programmes", {"name": "Recovery"})["id"]
    details = {"name": "Steps", "programme": programme, "focus": "addiction", "mode": "in_person", "listed": True}
    schedule = {"starts_on": day, "starts_at": "19:00:00", "duration_minutes": 60, "time_zone": "UTC",
                "recurrence": "FREQ=DAILY"}
    group = kith.send("POST", "/v1/groups", {"details": details, "schedule": schedule})["id"]
    member = kith.send("POST", f"/v1/groups/{group}/enrolments", {"starts_on": day})["member"]
    protocol(kith, programme)
    care(kith, member)
    meeting(kith, group, day, member)
    kith.send("DELETE", f"/v1/programmes/{programme}/duty-seat")


def reads(message):
    """The event of a message, as the SDK reads it."""
    headers = {**message.headers, "content-type": message.headers.get("Content-Type", "application/json")}
    return from_binary_event(HTTPMessage(headers=headers, body=message.data))


async def listens(url, act):
    """Every event that is published while `act` is done, by type."""
    client, events, all_there = await nats.connect(url), {}, asyncio.Event()

    async def hear(message):
        event = reads(message)
        events[event.get_type()] = event
        if TYPES <= events.keys():
            all_there.set()

    await client.subscribe("kith.>", cb=hear)
    await client.flush()
    await asyncio.to_thread(act)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(all_there.wait(), PATIENCE)
    await client.drain()
    return events


def main():
    programs, nats_server = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        server = [nats_server, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", folder / "nats"]
        with running(server, folder / "nats.log", "Listening for client connections on ") as said:
            url = f"nats://{said.split()[0]}"
            serve = [programs / "kith", "serve", "--data", folder / "data", "--listen", "127.0.0.1:0", "--nats", url,
                     "--plan-days", "0"]
            with running(serve, folder / "kith.log", "kith is at ") as said:
                token = [programs / "kith", "token", "--data", folder / "data", "--org", "acme", "--role", "admin",
                         "--subject", "ann"]
                token = subprocess.run(token, check=True, capture_output=True, text=True).stdout.strip()
                kith = Kith(said.split(",")[0], token)
                events = asyncio.run(listens(url, lambda: play(kith)))
    check(f"{len(TYPES)} types of event are read; missing: {sorted(TYPES - events.keys())}", TYPES <= events.keys())
    for name in sorted(TYPES):
        event = events[name]
        schema = event.get_dataschema().removeprefix("/schemas/")
        check(f"{name} of {event.get_source()} is as {schema} says", (SCHEMAS / schema).is_file()
              and event.get_specversion() == "1.0" and event.get_id() and event.get_subject() and event.get_time()
              and set(json.loads((SCHEMAS / schema).read_text()).get("required", [])) <= event.get_data().keys())
    print("cloudevents reads what Kith publishes")


if __name__ == "__main__":
    main()

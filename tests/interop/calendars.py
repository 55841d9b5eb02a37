"""Calendar libraries that are not ours, PyPI's icalendar and recurring-ical-events, read what programs subscribe to, and
find the meetings that Kith plans; and a file that icalendar writes is imported.

    PYTHONPATH=.tools/python-clients python3 tests/interop/calendars.py target/debug .tools/nats-server
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import icalendar
import recurring_ical_events
from events import Kith, check, running

UTC = datetime.timezone.utc
# Local start, length, zone and rule; each is over changes of clocks.
CALENDARS = [
    ("19:00:00", 90, "America/New_York", "FREQ=WEEKLY;BYDAY=TU"),
    ("02:30:00", 60, "Europe/Berlin", "FREQ=DAILY"),
    ("00:15:00", 45, "Africa/Cairo", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR"),
    ("01:45:00", 60, "Australia/Lord_Howe", "FREQ=MONTHLY;BYDAY=1SU,-1SU"),
    ("18:30:00", 60, "Asia/Kathmandu", "FREQ=MONTHLY;BYDAY=-5MO"),
    ("20:00:00", 60, "Europe/Dublin", "FREQ=WEEKLY;BYDAY=WE,SA;WKST=SU;COUNT=40"),
    ("12:00:00", 60, "UTC", "FREQ=MONTHLY;BYMONTHDAY=-1"),
]
TODAY = datetime.datetime.now(UTC).date()
FROM, THROUGH = TODAY - datetime.timedelta(days=60), TODAY + datetime.timedelta(days=330)


def group(kith, programme, number):
    starts_at, minutes, zone, rule = CALENDARS[number]
    details = {"name": f"Group {number}, größer; \\ 测试" * 3, "programme": programme, "focus": "addiction",
               "mode": "hybrid", "listed": True, "comments": "Zweimal klingeln, bitte; " * 9,
               "venue": {"name": "St Anne", "coordinates": {"latitude": 40.7, "longitude": -73.9}}}
    starts_on = (FROM - datetime.timedelta(days=45)).isoformat()
    schedule = {"starts_on": starts_on, "starts_at": starts_at, "duration_minutes": minutes, "time_zone": zone,
                "recurrence": rule}
    return kith.send("POST", "/v1/groups", {"details": details, "schedule": schedule})["id"]


def read(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        check(f"{url.split('/')[-2][:8]}… is a calendar", answer.headers["Content-Type"] == "text/calendar; charset=utf-8")
        text = answer.read()
    check("no line is longer than 75 octets", all(len(line) <= 75 for line in text.split(b"\r\n")))
    return icalendar.Calendar.from_ical(text)


def found(calendar, uid):
    """Start, end and status of each meeting that others see."""
    events = recurring_ical_events.of(calendar).between(
        datetime.datetime.combine(FROM, datetime.time(), UTC), datetime.datetime.combine(THROUGH, datetime.time(), UTC))
    events = [event for event in events if event["UID"] == uid]
    time = lambda event, name: event[name].dt.astimezone(UTC)
    return sorted((time(event, "DTSTART"), time(event, "DTEND"), str(event["STATUS"])) for event in events)


def planned(kith, group):
    """The same of each meeting that Kith plans."""
    kith.send("POST", f"/v1/groups/{group}/meetings", {"from": FROM.isoformat(), "through": THROUGH.isoformat()})
    path, meetings = f"/v1/groups/{group}/meetings?limit=200", []
    after = ""
    while after is not None:
        page = kith.send("GET", path + after)
        meetings += page["items"]
        after = f"&after={page['next']}" if page.get("next") else None
    return meetings


def told(meetings):
    time = datetime.datetime.fromisoformat
    status = {"planned": "CONFIRMED", "cancelled": "CANCELLED"}
    rows = [(time(m["starts_at"]), time(m["ends_at"]), status[m["status"]]) for m in meetings]
    first, last = (datetime.datetime.combine(day, datetime.time(), UTC) for day in (FROM, THROUGH))
    return sorted(row for row in rows if first <= row[0] < last)


def same(name, kith, url, group):
    ours, theirs = told(planned(kith, group)), found(read(url), group)
    # What began before the first day and ends in it, one sees and the other does not.
    theirs = [row for row in theirs if row[0] >= datetime.datetime.combine(FROM, datetime.time(), UTC)]
    for row in sorted(set(ours) ^ set(theirs))[:5]:
        print("     only " + ("ours" if row in ours else "theirs"), *row)
    check(f"{name}: others find the {len(ours)} meetings that are planned", ours == theirs)
    return ours


def master(calendar):
    return next(event for event in calendar.walk("VEVENT") if "RECURRENCE-ID" not in event)


def others(kith, url, group):
    """A meeting that is cancelled, moved or called off, is seen so."""
    ahead = [m for m in planned(kith, group) if m["starts_at"][:10] > TODAY.isoformat()]
    before = master(read(url))
    kith.send("POST", f"/v1/meetings/{ahead[0]['id']}/cancel", {"reason": "flooded"})
    place = [m["starts_at_local"][:10] for m in ahead]
    moved = {"starts_at_local": place[1] + "T20:15:00", "duration_minutes": 30, "mode": "virtual", "note": "from home"}
    kith.send("PUT", f"/v1/groups/{group}/occurrences/{place[1]}", moved)
    kith.send("PUT", f"/v1/groups/{group}/occurrences/{place[2]}", {"called_off": True})
    rows = same("with single ones otherwise", kith, url, group)
    check("one of them is cancelled", [status for *_, status in rows].count("CANCELLED") == 1)
    after = read(url)
    check("the sequence rises", master(after)["SEQUENCE"] > before["SEQUENCE"])
    change = next(event for event in after.walk("VEVENT") if "RECURRENCE-ID" in event and event["STATUS"] == "CONFIRMED")
    check("what is moved has the same UID", change["UID"] == before["UID"])
    check("and says where it was", change["RECURRENCE-ID"].dt.isoformat()[:10] == place[1])
    check("and a sequence that rose", change["SEQUENCE"] > before["SEQUENCE"])
    check("and its note", str(change["DESCRIPTION"]).startswith("from home"))


def written():
    """A calendar as icalendar writes it, with zones as Windows calls them."""
    calendar, event, change = icalendar.Calendar(), icalendar.Event(), icalendar.Event()
    calendar.add("prodid", "-//somebody else//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Elsewhere")
    event.add("uid", "1@elsewhere")
    event.add("summary", "Größe, Mut; und so weiter")
    event["dtstart"] = icalendar.vText("20260106T190000")
    event["dtstart"].params = icalendar.Parameters({"TZID": "W. Europe Standard Time"})
    event.add("duration", datetime.timedelta(minutes=90))
    event.add("rrule", {"freq": "weekly", "byday": "tu"})
    change.add("uid", "1@elsewhere")
    for name, at in [("recurrence-id", "20260113T190000"), ("dtstart", "20260114T200000")]:
        change[name] = icalendar.vText(at)
        change[name].params = icalendar.Parameters({"TZID": "W. Europe Standard Time"})
    change.add("summary", "Größe, Mut; und so weiter")
    change.add("duration", datetime.timedelta(minutes=90))
    calendar.add_component(event)
    calendar.add_component(change)
    return calendar.to_ical()


def imports(kith, folder, binary, data, url):
    file = pathlib.Path(folder) / "elsewhere.ics"
    file.write_bytes(written())
    said = [subprocess.run([binary / "kith", "import", "calendar", file, "--org", "north", "--url", url, "--data", data,
                            "--time-zone", "UTC"], check=True, capture_output=True, text=True).stdout for _ in range(2)]
    check("what icalendar wrote is imported", " 1 created" in said[0])
    check("and importing it again changes nothing", " 1 unchanged" in said[1])


def main(binary, nats):
    for name in ["CALLER", "ADDRESS", "PUBLIC"]:
        os.environ[f"KITH_{name}_PER_SECOND"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data, server = folder / "data", [nats, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", folder / "nats"]
        with running(server, folder / "nats.log", "Listening for client connections on ") as said:
            serve = [binary / "kith", "serve", "--data", data, "--listen", "127.0.0.1:0", "--nats",
                     f"nats://{said.split()[0]}", "--plan-days", "0"]
            with running(serve, folder / "kith.log", "kith is at ") as said:
                play(said.split(",")[0], folder, binary, data)


def play(url, folder, binary, data):
    def token(role, subject):
        asked = ["--data", data, "--org", "north", "--role", role, "--subject", subject]
        return subprocess.run([binary / "kith", "token", *asked], check=True, capture_output=True, text=True).stdout.strip()

    kith = Kith(url, token("admin", "ann"))
    programme = kith.send("POST", "/v1/programmes", {"name": "Recovery"})["id"]
    groups = [group(kith, programme, number) for number in range(len(CALENDARS))]
    public = lambda group: f"{url}/v1/public/north/groups/{group}/calendar.ics"
    for known, (*_, zone, rule) in zip(groups, CALENDARS):
        same(f"{rule} in {zone}", kith, public(known), known)
    others(kith, public(groups[0]), groups[0])
    for known in groups[:3]:
        assigned = {"subject": "ben", "duty": "facilitator", "starts_on": "2026-01-01"}
        kith.send("POST", f"/v1/groups/{known}/assignments", assigned)
    own = Kith(url, token("facilitator", "ben")).send("POST", "/v1/calendars")["path"]
    for known in groups[:3]:
        same("at an address of one's own", kith, url + own, known)
    imports(kith, folder, binary, data, url)
    print("icalendar and recurring-ical-events read what Kith plans")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve())

"""Writes rules.txt: what python-dateutil makes of 2,000 recurrence rules of chance, over changes of clocks.

    pip install python-dateutil==4.0.0 tzdata==2026.6; python3 rules.py 2000 5545 > rules.txt

A line is a rule: local start, time zone, rule; then its first meetings of eight years, at most 14, and behind `@` those from
a later day on, at most 6: the first instant, and how many days (or, with `m`, minutes) come after it each time.

What dateutil reads in another way than the RFC, it is asked in a way that both read alike: an UNTIL that is a date
includes that day, and a weekday without a place is each of its places where others have one.
"""

import datetime
import random
import sys
import zoneinfo

import dateutil
from dateutil import rrule, tz

FIRST, LATER, PLACES = 14, 6, {"MONTHLY": 5, "YEARLY": 53}
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
ZONES = ["America/New_York", "Europe/Berlin", "Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo",
         "Europe/Dublin", "Pacific/Apia", "America/St_Johns", "Africa/Cairo", "Asia/Kathmandu", "America/Santiago", "UTC"]
YEARS = datetime.timedelta(days=365 * 8)  # that a rule without an end is followed


def several(pick, most=4):
    return ",".join(str(value) for value in sorted({pick() for _ in range(random.randint(1, most))}, key=str))


def number(low, high):
    return lambda: random.choice([n for n in range(low, high + 1) if n])


def weekday(frequency):
    places = PLACES.get(frequency, 0)
    if places and random.random() < 0.15:
        return lambda: f"{random.choice([-places, places])}{random.choice(DAYS)}"  # which hardly ever are there
    if places and random.random() < 0.6:
        near = random.choice([2, 5, places])
        return lambda: f"{random.choice([n for n in range(-near, near + 1) if n])}{random.choice(DAYS)}"
    if places and random.random() < 0.2:
        return lambda: random.choice(["", "1", "-1", "-5", "5"]) + random.choice(DAYS)
    return lambda: random.choice(DAYS)


def parts():
    frequency = random.choice(["DAILY", "WEEKLY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY", "YEARLY"])
    said = {"FREQ": frequency}
    places = frequency in PLACES
    may = {"BYMONTH": (0.25, lambda: several(number(1, 12)))}
    may["BYDAY"] = (0.6, lambda: several(weekday("MONTHLY" if "BYMONTH" in said and places else frequency)))
    if frequency != "WEEKLY":
        may["BYMONTHDAY"] = (0.25, lambda: several(number(-31, 31)))
    if frequency == "YEARLY":
        may["BYYEARDAY"] = (0.2, lambda: several(number(-366, 366), 12))
        may["BYWEEKNO"] = (0.3, lambda: several(number(-53, 53)))
    for name, (chance, values) in may.items():
        if random.random() < chance:
            said[name] = values()
    if len(said) > 1 and random.random() < 0.3:
        said["BYSETPOS"] = several(number(-6, 6), 2)
    if random.random() < 0.4:
        said["INTERVAL"] = random.choice([2, 2, 3, 4, 5, 7, 13])
    if random.random() < 0.4:
        said["WKST"] = random.choice(DAYS)
    return said


def start():
    zone = random.choice(ZONES)
    hour = random.choice([0, 0, 1, 1, 2, 2, 2, 3, 9, 19, 23])
    day = datetime.datetime(random.randint(2000, 2028), 1, 1) + datetime.timedelta(days=random.randint(0, 365))
    return day.replace(hour=hour, minute=random.choice([0, 15, 30])), zone


def end(said, begins):
    """COUNT, UNTIL or neither; with what dateutil is told instead."""
    last = begins + datetime.timedelta(days=random.randint(0, 1500), minutes=random.choice([-1, 0, 1]))
    kind = random.random()
    if kind < 0.15:
        said["COUNT"] = random.randint(1, 30)
    elif kind < 0.22:
        said["UNTIL"] = last.strftime("%Y%m%d")
        return {"UNTIL": last.strftime("%Y%m%dT235959")}
    elif kind < 0.29:
        said["UNTIL"] = last.strftime("%Y%m%dT%H%M%S")
    elif kind < 0.36:
        said["UNTIL"] = last.strftime("%Y%m%dT%H%M%SZ")
    return {}


def each_place(said):
    """BYDAY=MO,2TU chooses all Mondays and one Tuesday; dateutil takes it for days that are both."""
    days = said.get("BYDAY", "").split(",")
    if len({day[:-2] == "" for day in days}) < 2:
        return {}
    most = 53 if said["FREQ"] == "YEARLY" and "BYMONTH" not in said else 5
    every = [[day] if day[:-2] else [f"{nth}{day}" for nth in range(1, most + 1)] for day in days]
    return {"BYDAY": ",".join(sum(every, []))}


def meetings(said, instead, begins, zone):
    told = {"UNTIL": (begins + YEARS).strftime("%Y%m%dT%H%M%S"), **said, **instead}
    aware = told["UNTIL"].endswith("Z")
    where = zoneinfo.ZoneInfo(zone)
    rule = rrule.rrulestr(";".join(f"{name}={value}" for name, value in told.items()),
                          dtstart=begins.replace(tzinfo=where) if aware else begins)
    for local in rule:
        local = local.replace(tzinfo=None)
        at = tz.resolve_imaginary(local.replace(tzinfo=where)).astimezone(datetime.timezone.utc)
        yield local, at.replace(tzinfo=None)


def shown(found):
    if not found:
        return "-"
    text = [found[0].strftime("%Y-%m-%dT%H:%MZ")]
    for before, after in zip(found, found[1:]):
        minutes = int((after - before).total_seconds()) // 60
        text.append(str(minutes // 1440) if minutes % 1440 == 0 else f"{minutes}m")
    return " ".join(text)


def main(rules, seed):
    assert dateutil.__version__ == "4.0.0", dateutil.__version__
    zoneinfo.reset_tzpath(to=[])  # not what the machine has, but tzdata
    random.seed(seed)
    print(f"# Made by rules.py with python-dateutil {dateutil.__version__}, {rules} rules, seed {seed}.")
    written = 0
    while written < rules:
        begins, zone = start()
        said = parts()
        instead = {**end(said, begins), **each_place(said)}
        found = list(meetings(said, instead, begins, zone))
        if {"52", "53"} & set(said.get("BYWEEKNO", "").split(",")):
            continue  # it counts the weeks of the year before by the length of this one
        if not found and random.random() < 0.9:
            continue  # some that name no day are enough
        later = begins.date() + datetime.timedelta(days=random.randint(1, 2000))
        rest = [at for local, at in found if local.date() >= later]
        found = [at for _, at in found]
        rule = ";".join(f"{name}={value}" for name, value in said.items())
        print(begins.strftime("%Y-%m-%dT%H:%M"), zone, rule, "=", shown(found[:FIRST]), "@", later, shown(rest[:LATER]))
        written += 1


main(int(sys.argv[1]), int(sys.argv[2]))

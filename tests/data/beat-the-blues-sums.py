"""What beat-the-blues-sums.json holds, computed from the file alone: exact fractions, then sqrt; sd is the sample's (n - 1).

Run in this folder: python3 beat-the-blues-sums.py > beat-the-blues-sums.json
"""
import csv
import json
import statistics
from fractions import Fraction

TIMES = ["bdi_pre", "bdi_2m", "bdi_4m", "bdi_6m", "bdi_8m"]
rows = list(csv.DictReader(open("beat-the-blues.csv", newline="")))


def sums(values):
    return {"n": len(values), "mean": f"{float(statistics.mean(values)):.6f}", "sd": f"{statistics.stdev(values):.6f}"}


def of(rows):
    score = lambda row, time: Fraction(row[time]) if row[time] else None
    known = lambda time: [score(row, time) for row in rows if score(row, time) is not None]
    change = lambda time: [score(row, time) - score(row, TIMES[0]) for row in rows if score(row, time) is not None]
    return {"scores": {time: sums(known(time)) for time in TIMES}, "changes": {time: sums(change(time)) for time in TIMES[1:]}}


whole = {"all": of(rows)}
for treatment in ["BtheB", "TAU"]:
    whole[treatment] = of([row for row in rows if row["treatment"] == treatment])
print(json.dumps(whole, indent=2))

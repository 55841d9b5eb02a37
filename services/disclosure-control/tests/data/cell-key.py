"""A frequency table perturbed by the package cell-key-perturbation 3.1.0 (PyPI), cell by cell, for src/cell_key/ons.rs.

Also checks that the p-table made from the 10-5 rule equals the one that comes with the package.
Run in this folder, in an environment with the package: python3 cell-key.py path/to/ptable_10_5_rule.csv > cell-key.json
"""
import contextlib
import json
import sys

import pandas as pd
from cell_key_perturbation.create_perturbed_table import create_perturbed_table

COUNTS = {
    "north": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
    "south": [18, 19, 20, 21, 0, 47, 48, 99, 100, 101, 102, 103, 104, 250, 251, 499, 501, 503],
    "west": [749, 750, 751, 752, 753, 754, 999, 1000, 1001, 1002, 1251, 1253, 0, 8, 9, 10, 11, 3],
}


def p_table(noise):
    return pd.DataFrame([(row, key, noise(row, key)) for row in range(1, 751) for key in range(256)], columns=["pcv", "ckey", "pvalue"])


def ten_five(row, key):
    return -row if row < 10 else [0, -1, -2, 2, 1][row % 5]


def mixed(row, key):
    return max((row * 7 + key * 13) % 5 - 2, -row)


def records():
    state = 20260105
    for area, counts in COUNTS.items():
        for answer, count in enumerate(counts):
            for _ in range(count):
                state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
                yield area, f"a{answer:02}", state >> 56


shipped = pd.read_csv(sys.argv[1])
assert len(shipped) == 192_000 and shipped.equals(p_table(ten_five)), "the shipped p-table is not the 10-5 rule"
data = pd.DataFrame(records(), columns=["area", "answer", "record_key"])
cells = {}
for name, noise, threshold in [("ten-five", ten_five, 10), ("mixed", mixed, 10), ("mixed-all", mixed, 0)]:
    with contextlib.redirect_stdout(sys.stderr):
        table = create_perturbed_table(data, p_table(noise), ["area"], ["answer"], "record_key", threshold=threshold)
    for row in table.itertuples():
        keys = data[(data.area == row.area) & (data.answer == row.answer)].record_key
        digits = "".join(f"{key:02x}" for key in keys)
        cell = {"area": row.area, "answer": row.answer, "record_keys": digits, "count": row.pre_sdc_count, "key": row.ckey, "results": {}}
        shown = None if pd.isna(row.count) else int(row.count)
        cells.setdefault((row.area, row.answer), cell)["results"][name] = [row.pvalue, shown]
assert len(cells) == sum(map(len, COUNTS.values()))
lines = ",\n".join(json.dumps(cell) for cell in cells.values())
print(f'{{"by": "cell-key-perturbation 3.1.0", "cells": [\n{lines}\n]}}')

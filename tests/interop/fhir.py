"""A reader of FHIR R4 that is not ours, PyPI's fhirclient, takes the five stories of the guide by both guides.

    KITH_FHIR=target/fhir cargo test --workspace --test system referrals::the_guide
    PYTHONPATH=.tools/python-clients python3 tests/interop/fhir.py target/fhir
"""

import copy
import json
import pathlib
import sys

from fhirclient.models.bundle import Bundle
from fhirclient.models.fhirabstractbase import FHIRValidationError

TYPES = {"ServiceRequest", "Task", "Consent", "Provenance", "Patient", "Organization"}


def check(what, is_so):
    if not is_so:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok   {what}")


def refuses(bundle):
    try:
        Bundle(bundle, strict=True)
    except FHIRValidationError:
        return True
    return False


def main():
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.json"))
    check(f"{len(files)} bundles are there", len(files) == 10)
    answers = 0
    for file in files:
        read = json.loads(file.read_text())
        bundle = Bundle(read, strict=True)
        kinds = [entry.resource.resource_type for entry in bundle.entry]
        # The guide of BSeR has no word for a referral that expired.
        expected = TYPES - {"Task", "Consent", "Provenance"} if file.name == "5-bser.json" else TYPES
        check(f"{file.name}: {', '.join(kinds)}", expected <= set(kinds))
        answers += "Observation" in kinds
        for entry, kind in enumerate(kinds):
            for field in {"Task": ["status", "intent"], "ServiceRequest": ["subject"], "Consent": ["scope"],
                          "Provenance": ["agent"]}.get(kind, []):
                spoilt = copy.deepcopy(read)
                del spoilt["entry"][entry]["resource"][field]
                check(f"  without {kind}.{field} it is refused", refuses(spoilt))
    check(f"the member's answer is in {answers} of them", answers == 4)
    print("fhirclient takes what Kith exports")


if __name__ == "__main__":
    main()

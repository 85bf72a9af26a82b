"""Counts what checkov found, without the exceptions.

usage: checkov -o json … | findings.py EXCEPTIONS
Prints what is left, and `N passed, N failed`; exits with 1 if something failed, or if an exception is no longer needed.
"""

import fnmatch
import json
import sys

LIMIT = 5


def read(path):
    lines = [line.strip() for line in open(path) if line.strip() and not line.startswith("#")]
    exceptions = [tuple(part.strip() for part in line.split(";", 2)) for line in lines]
    if len(exceptions) > LIMIT or any(len(exception) != 3 for exception in exceptions):
        sys.exit(f"{path}: at most {LIMIT} lines of the form 'checks; object; reason'")
    return [(checks.split(), pattern) for checks, pattern, _ in exceptions]


def main():
    exceptions = read(sys.argv[1])
    report = json.load(sys.stdin)
    used, failed = set(), []
    for found in report["results"]["failed_checks"]:
        check, resource = found["check_id"], found["resource"]
        excepted = [(check, pattern) for checks, pattern in exceptions if check in checks and fnmatch.fnmatch(resource, pattern)]
        used.update(excepted)
        if not excepted:
            failed.append(f"{check} {resource}: {found['check_name']}")
    failed += [f"the exception of {check} for {pattern} is not needed" for checks, pattern in exceptions for check in checks if (check, pattern) not in used]
    print(*failed, sep="\n", end="\n" if failed else "")
    summary = report["summary"]
    print(f"{summary['passed']} passed, {len(failed)} failed ({summary['failed']} findings before {len(exceptions)} exceptions)")
    sys.exit(bool(failed))


main()

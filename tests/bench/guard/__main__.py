"""Rewrite the limits: `make -C native limits`."""
import json
import sys

from . import counts


def main() -> int:
    if not counts.is_comparable():
        print("limits: they are for {} only".format(counts.MACHINE), file=sys.stderr)
        return 1
    found = {"linux": counts.series(), "limits": counts.measured()}
    with open(counts.LIMITS, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1, sort_keys=True)
        file.write("\n")
    print(json.dumps(found, indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())

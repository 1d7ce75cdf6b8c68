"""Each seed of a target and each file given, in every way: python tests/fuzz/replaying.py TARGET FILE...

A process of its own, since targets put cheap stand-ins in the place of what is slow. Tells how many there were.
"""
import importlib
import sys

from where import prepare


def main(name: str, *paths: str) -> None:
    prepare()
    target = importlib.import_module(name)
    inputs = [("seed %d" % number, seed) for number, seed in enumerate(target.seeds())]
    for path in paths:
        with open(path, "rb") as file:
            inputs.append((path, file.read()))
    try:
        for where, data in inputs:
            try:
                target.every_way(data)
            except Exception as error:
                raise AssertionError("%s: %r" % (where, error)) from error
    finally:
        target.done()
    print(len(inputs))


if __name__ == "__main__":
    main(*sys.argv[1:])

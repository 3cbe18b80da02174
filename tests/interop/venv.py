"""venv.py REQUIREMENTS FOLDER - the clients of the tests, in a virtual environment.

What is there already for the same requirements is kept, so that only the first run, and the first
one after a change, asks the package index.
"""

import hashlib
import os
import shutil
import subprocess
import sys

MINUTES = 8
MEGABYTES = 600


def stamp_of(requirements):
    with open(requirements, "rb") as file:
        return hashlib.sha256(file.read() + sys.version.encode()).hexdigest()


def size_of(folder):
    """In megabytes."""
    total = 0
    for path, _, names in os.walk(folder):
        total += sum(os.lstat(os.path.join(path, name)).st_size for name in names)
    return total >> 20


def make(requirements, folder):
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["/usr/bin/python3", "-m", "venv", folder], check=True, timeout=60)
    subprocess.run(
        [folder + "/bin/python", "-m", "pip", "install", "--quiet", "--no-input", "--no-deps",
         "--disable-pip-version-check", "--requirement", requirements],
        check=True, timeout=MINUTES * 60,
    )


def main(requirements, folder):
    stamp = stamp_of(requirements)
    mark = folder + "/stamp"
    if os.path.exists(mark):
        with open(mark) as file:
            if file.read() == stamp:
                return
    make(requirements, folder)
    size = size_of(folder)
    if size > MEGABYTES:
        sys.exit("%s has %d MB, more than %d: leave out of %s what the clients do not import"
                 % (folder, size, MEGABYTES, requirements))
    with open(mark, "w") as file:
        file.write(stamp)


if __name__ == "__main__":
    main(*sys.argv[1:])

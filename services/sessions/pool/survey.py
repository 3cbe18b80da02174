"""What this Python has: its packages, and matplotlib's list of the fonts there are.

Runs once for all sessions, as their code does. The fonts are displayed, the rest is the value.
"""

import importlib.metadata
import os

packages, fonts = {}, ""
for package in importlib.metadata.distributions():
    name = package.metadata["Name"]
    if isinstance(name, str) and isinstance(package.version, str):
        packages.setdefault(name.lower(), {"name": name, "version": package.version})
try:
    import matplotlib.font_manager

    directory = matplotlib.get_cachedir()
    fonts = next(name for name in os.listdir(directory) if name.startswith("fontlist-"))
    with open(os.path.join(directory, fonts)) as file:
        display({"text/x-fonts": file.read(), "text/plain": ""}, raw=True)
except (ImportError, OSError, StopIteration):
    fonts = ""
{"packages": [packages[name] for name in sorted(packages)], "fonts": fonts}

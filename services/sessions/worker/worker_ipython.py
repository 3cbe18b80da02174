"""IPython.display, which code that was written for notebooks imports.

Where IPython is installed its objects are used, and its functions are replaced by ours: outside of
its own shell they would only print. Where it is not, this stands in for the
part that shows things. `worker` is the file worker.py.
"""

import importlib.machinery

IMAGES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"))


def adapt(module):
    if module.__name__ == "IPython.display":
        module.display = worker.display
        module.clear_output = clear_output


def spec(name):
    """What the import system makes the module of that is not installed."""
    is_package = name == "IPython"
    return importlib.machinery.ModuleSpec(name, Loader(), is_package=is_package)


class Loader:
    def create_module(self, spec):
        return None

    def exec_module(self, module):
        if module.__name__ == "IPython":
            module.get_ipython = get_ipython
            return
        for kind in (HTML, Image, JSON, Latex, Markdown, Math, Pretty, SVG):
            setattr(module, kind.__name__, kind)
        adapt(module)


def get_ipython():
    """There is no shell of IPython's."""
    return None


def clear_output(wait=False):
    """What was printed has gone on its way already, so only displays can be taken back."""
    worker.session.shown.clear()


class Shown:
    """Something that shows itself in one form: given as data, or in a file of the session."""

    binary = False

    def __init__(self, data=None, url=None, filename=None):
        if url is not None:
            raise ValueError(
                "%s(url=%r): a session has no network; give data or filename" % (self.name(), url)
            )
        if filename is not None:
            with open(filename, "rb" if self.binary else "r") as file:
                data = file.read()
        if data is None:
            raise ValueError("%s() needs data or filename" % self.name())
        self.data = data
        self.filename = filename

    @classmethod
    def name(cls):
        return cls.__name__

    def __repr__(self):
        return "<IPython.core.display.%s object>" % self.name()


class Pretty(Shown):
    def __repr__(self):
        return self.data


class HTML(Shown):
    def _repr_html_(self):
        return self.data


class Markdown(Shown):
    def _repr_markdown_(self):
        return self.data


class Latex(Shown):
    def _repr_latex_(self):
        return self.data


class Math(Shown):
    def _repr_latex_(self):
        return "$\\displaystyle %s$" % self.data.strip("$")


class SVG(Shown):
    def _repr_svg_(self):
        return self.data


class JSON(Shown):
    def _repr_json_(self):
        return self.data


class Image(Shown):
    """PNG or JPEG. Width and height are for pages; they are kept and change nothing here."""

    binary = True

    def __init__(self, data=None, url=None, filename=None, format=None, width=None, height=None):
        if isinstance(data, str) and filename is None:
            data, filename = None, data
        super().__init__(data, url, filename)
        found = next((name for start, name in IMAGES if self.data.startswith(start)), None)
        self.format = {"jpg": "jpeg"}.get(format, format) or found
        if self.format not in ("png", "jpeg"):
            raise ValueError("Image() shows PNG and JPEG, and this is %s" % (format or "neither"))
        self.width, self.height = width, height

    def _repr_png_(self):
        return self.data if self.format == "png" else None

    def _repr_jpeg_(self):
        return self.data if self.format == "jpeg" else None

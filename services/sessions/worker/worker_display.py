"""What objects show themselves as, in the forms of notebooks (_repr_png_ and its like).

One form of each object reaches the answer, the richest it has. Models and terminals read
text: of all that is no image the text is printed, too. `worker` is the file worker.py.
"""

import base64
import re

LEGAL = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,60}")
IMAGES = tuple(media_type for media_type, _ in worker.FORMS if media_type.startswith("image/"))


def display(objects, raw):
    for value in objects:
        if raw:
            if not isinstance(value, dict):
                kind = type(value).__name__
                raise TypeError("display(.., raw=True) takes dictionaries, not " + kind)
            media_type, data, bundle = rich_form(value, value)
        else:
            media_type, data, bundle = form_of(value)
        if media_type is None or not media_type.startswith("image/"):
            print_text(text_of(value, media_type, bundle))
        if media_type is not None:
            worker.session.shown.add(media_type, data)


def show_value(value):
    """Display the value of a cell: (is it an image, its text, None for an ordinary value)."""
    if is_figure(value) and worker.session.parts.worker_figures.was_displayed(value):
        return True, None
    media_type, data, bundle = form_of(value)
    if media_type is None:
        text = bundle.get("text/plain")
        return False, text if isinstance(text, str) else None
    is_there = worker.session.shown.add(media_type, data)
    return is_there and media_type in IMAGES, text_of(value, None, bundle)


def is_figure(value):
    figures = worker.sys.modules.get("matplotlib.figure")
    return figures is not None and isinstance(value, figures.Figure)


def form_of(value):
    """(media type or None, bytes, the bundle it was taken from)."""
    if is_figure(value):
        data = worker.session.parts.worker_figures.render(value)
        if data is not None:
            return "image/png", data, {}
    kind = type(value)
    bundle = ask(value, kind, worker.BUNDLE, include=None, exclude=None)
    return rich_form(value, bundle if isinstance(bundle, dict) else {})


def ask(value, kind, name, **options):
    """What a method answers, without metadata beside it; None if it fails, which is told."""
    method = getattr(kind, name, None)
    if method is None:
        return None
    try:
        answer = method(value, **options)
    except Exception as failure:
        worker.complain(
            "display of %s by %s failed" % (kind.__name__, name),
            worker.session.describe_failure(failure),
        )
        return None
    return answer[0] if isinstance(answer, tuple) and len(answer) == 2 else answer


def rich_form(value, bundle):
    kind = type(value)
    for media_type, name in worker.FORMS:
        data = bundle.get(media_type)
        if data is None and value is not bundle:
            data = ask(value, kind, name)
        if data is not None:
            data = encode(kind, media_type, data)
        if data is not None:
            return media_type, data, bundle
    for media_type, data in bundle.items():
        if not isinstance(media_type, str):
            continue
        media_type = str.__str__(media_type)  # a plain one
        if media_type != "text/plain" and LEGAL.fullmatch(media_type):
            data = encode(kind, media_type, data)
            if data is not None:
                return media_type, data, bundle
    return None, None, bundle


def encode(kind, media_type, data):
    """The bytes of a form; None if it is not what its media type wants, which is told."""
    is_bytes = isinstance(data, (bytes, bytearray, memoryview))
    if media_type.startswith("image/") and media_type != "image/svg+xml":
        if is_bytes and media_type in IMAGES:
            return bytes(data)
        if isinstance(data, str) and media_type in IMAGES:
            try:
                return base64.b64decode("".join(data.split()), validate=True)
            except ValueError:
                pass
    elif media_type.endswith("json"):
        try:
            return worker.dumps(data, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError):
            pass
    elif isinstance(data, str):
        return str(data).encode("utf-8", "replace")
    elif is_bytes and media_type in IMAGES:
        return bytes(data)
    worker.complain(
        "display of %s as %s left out: it is %s, not what this form needs"
        % (kind.__name__, media_type, type(data).__name__)
    )
    return None


def text_of(value, media_type, bundle):
    text = bundle.get("text/plain")
    if text is None and media_type in ("text/markdown", "text/latex"):
        text = bundle.get(media_type)
        if text is None:
            name = dict(worker.FORMS)[media_type]
            text = ask(value, type(value), name)
    return text if isinstance(text, str) else worker.describe(value, repr)


def print_text(text):
    stream = worker.sys.stdout
    if stream is not None:
        stream.write(text + "\n")

"""Figures of matplotlib as PNG images.

What pyplot holds open is shown by plt.show() and at the end of each run, and closed then, so that
the next run begins with none. What is needed of pyplot is taken when it has just been imported.
"""

import io
import math
import weakref

DPI = 100
PIXELS_MAX = 40_000_000
MARGIN = 0.1  # inches around what a figure shows

pyplot_managers = list  # of what pyplot holds open; replaced at its import
pyplot_close = None
displayed = weakref.WeakSet()  # figures that the run of this number has displayed
run = 0


def adapt(pyplot):
    """Take what is needed of pyplot, and make its show() display."""
    global pyplot_managers, pyplot_close

    def show(*args, **kwargs):
        """Display the open figures and close them."""
        show_all(None)

    pyplot_managers = pyplot._pylab_helpers.Gcf.get_all_fig_managers
    pyplot_close = pyplot.close
    pyplot.show = show


def was_displayed(figure):
    return run == worker.session.cell and figure in displayed


def note_displayed(figure):
    global run
    if run != worker.session.cell:
        run = worker.session.cell
        displayed.clear()
    displayed.add(figure)


def show_all(failure):
    """Display and close what is open. With `failure`, that is what the run will be known for."""
    if pyplot_close is None:
        return
    try:
        show_open(failure)
    except Exception as second:
        if failure is None:
            raise
        worker.complain("a figure failed, too", worker.session.describe_failure(second))
    finally:
        close_all()


def show_open(failure):
    figures = [manager.canvas.figure for manager in pyplot_managers()]
    if figures and isinstance(failure, KeyboardInterrupt):  # there may be no time for more
        worker.complain("%d open figures left out: the run was interrupted" % len(figures))
        return
    first = None
    for figure in figures:
        if not was_displayed(figure):
            try:
                show(figure)
            except Exception as problem:
                first = first or problem
    if first is not None:
        raise first


def close_all():
    global pyplot_close
    try:
        pyplot_close("all")
    except Exception as problem:  # and so will the next time
        pyplot_close = None
        worker.complain(
            "figures are shown no more, since pyplot cannot close them",
            worker.session.describe_failure(problem),
        )


def show(figure):
    shown = worker.session.shown
    if len(figure.get_children()) <= 1:  # nothing but its background
        return
    if shown.room() <= 0:
        shown.left_out += 1
        return
    note_displayed(figure)
    data = draw(figure)
    if data is not None:
        shown.add("image/png", data)


def render(figure):
    """The image of a figure that is displayed by itself, None if it cannot be."""
    if worker.session.shown.room() <= 0:
        return b""  # counted, not drawn
    note_displayed(figure)
    return draw(figure)


def draw(figure):
    width, height = figure.get_size_inches()
    if not is_drawable(width, height):
        worker.complain(
            "figure of %g x %g inches left out: more than %d million pixels at %d dpi"
            % (width, height, PIXELS_MAX // 1_000_000, DPI)
        )
        return None
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=DPI, bbox_inches=content_box(figure))
    return image.getvalue()


def is_drawable(width, height):
    pixels = width * height * DPI * DPI
    return math.isfinite(pixels) and 0 < pixels <= PIXELS_MAX


def content_box(figure):
    """The part that holds all that the figure shows, legends beside it, too; None: the figure."""
    try:
        figure.draw_without_rendering()
        box = figure.get_tightbbox().padded(MARGIN)
    except (AttributeError, TypeError):  # matplotlib before 3.6
        return None
    return box if is_drawable(box.width, box.height) else None

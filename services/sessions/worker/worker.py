"""The Python that runs inside a sandbox: one process, one session, one execution at a time.

Reads frames from a packet socket, runs their code in one lasting namespace and answers
with what it displayed, a result or an error, then done. What arrives on descriptors 1
and 2 meanwhile goes straight to the host through pipes that come with each execution.

The build puts the files worker_*.py into this one as texts, since the sandbox gets one
file, and calls start() with them. Each is compiled when it is first needed, so that a
session which only computes starts as fast as without them.

User code shares this process, so nothing here is a security measure: the host trusts no
frame. What is bound to local names at import is bound against accidents, such as a
program that replaces json.dumps or sys.stdout.
"""

import __future__
import ast
import builtins
import io
import json
import linecache
import os
import resource
import _signal as signal  # the plain C functions: nothing user code might replace
import _socket as socket
import struct
import sys
import traceback
import types

HEADER = struct.Struct("<IBBHI16sI")
MAGIC = 0x314B5753
HELLO, EXEC, RESULT, ERROR, DONE, DISPLAY, WARM = 1, 2, 3, 4, 5, 6, 7
PACKET_MAX = 60 * 1024
NO_NONCE = bytes(16)

RESULT_MAX = 1024 * 1024
TRACEBACK_HEAD = 56 * 1024
TRACEBACK_TAIL = 8 * 1024
DEPTH_MAX = 60
CELLS_KEPT = 256
DISPLAYS_MAX = 16
DISPLAY_MAX = 16 * 1024 * 1024 - 256  # of one: its frame holds its media type, too
DISPLAYED_MAX = 18 * 1024 * 1024  # of all: the rest of what an execution may send is its result's
RESERVED_DESCRIPTORS = 8

getpid, leave, dup2, close, write = os.getpid, os._exit, os.dup2, os.close, os.write
open_file, TextIOWrapper, FileIO = os.open, io.TextIOWrapper, io.FileIO
set_limit, get_limit = resource.setrlimit, resource.getrlimit
set_handler, set_mask = signal.signal, signal.pthread_sigmask
dumps, loads = json.dumps, json.loads
sources = linecache.cache
format_exception = traceback.TracebackException
BUILTINS = {name: item for name, item in vars(builtins).items() if name[0] != "_"}
globals().update(BUILTINS)

INTERRUPT = {signal.SIGINT}
COROUTINE = 0x80
FUTURES = __future__.annotations.compiler_flag  # the one that a cell passes on to the next


FORMS = (  # of what a value may show itself as, richest first
    ("image/png", "_repr_png_"),
    ("image/jpeg", "_repr_jpeg_"),
    ("image/svg+xml", "_repr_svg_"),
    ("text/html", "_repr_html_"),
    ("text/latex", "_repr_latex_"),
    ("text/markdown", "_repr_markdown_"),
    ("application/json", "_repr_json_"),
)
BUNDLE = "_repr_mimebundle_"
FORM_NAMES = (BUNDLE, *(name for _, name in FORMS))

STEPS = {  # what takes long in an import, so that an order need not wait for all of it
    "matplotlib.pyplot": ("matplotlib.transforms", "matplotlib.text", "matplotlib.figure")
}

ADAPTED = {  # modules, and our part that adapts each
    "matplotlib.pyplot": "worker_figures",
    "IPython": "worker_ipython",
    "IPython.display": "worker_ipython",
}

us = sys.modules[__name__]  # user code's __main__ is to be another module


class Parts:
    """Our other files: texts until they are used."""

    def __init__(self, texts):
        self.texts = texts
        self.modules = {}

    def __getattr__(self, name):
        module = self.modules.get(name)
        if module is None:
            module = types.ModuleType(name)
            module.__dict__.update(BUILTINS, worker=us)
            exec(compile(self.texts[name], "/opt/%s.py" % name, "exec"), module.__dict__)
            self.modules[name] = module
        return module

    def files(self):
        return (start.__code__.co_filename, *("/opt/%s.py" % name for name in self.texts))


class Packets:
    """The control socket: frames in, frames out."""

    def __init__(self, descriptor):
        self.socket = socket.socket(fileno=descriptor)
        self.receive = self.socket.recvmsg
        self.transmit = self.socket.sendall
        self.space = socket.CMSG_SPACE(2 * 4)
        self.cut = socket.MSG_CTRUNC
        self.files = (socket.SOL_SOCKET, socket.SCM_RIGHTS)

    def send(self, kind, payload, nonce):
        total = len(payload)
        room = PACKET_MAX - HEADER.size
        start = number = 0
        while True:
            part = payload[start : start + room]
            self.transmit(HEADER.pack(MAGIC, kind, 0, number & 0xFFFF, total, nonce, 0) + part)
            start += room
            number += 1
            if start >= total:
                return

    def is_waiting(self):
        """Has anything come that is not read yet?"""
        try:
            self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        return True

    def read(self):
        """One whole frame: kind, payload, nonce, descriptors; None at the end."""
        parts, descriptors, have = [], [], 0
        while True:
            packet, ancillary, flags, _ = self.receive(PACKET_MAX, self.space)
            if not packet:
                return None
            for level, kind, data in ancillary:
                if (level, kind) == self.files:
                    count = len(data) // 4
                    descriptors.extend(struct.unpack("%di" % count, data[: count * 4]))
            _, kind, _, _, total, nonce, _ = HEADER.unpack(packet[: HEADER.size])
            parts.append(packet[HEADER.size :])
            have += len(parts[-1])
            if have >= total:
                return kind, b"".join(parts), nonce, descriptors


class Shown:
    """What an execution displayed: (media type, bytes), kept until it ends.

    Nothing is sent before that: a thread could send into the midst of another packet, or when
    the execution is over, and a forked child is not the worker.
    """

    def __init__(self):
        self.pid = getpid()
        self.clear()

    def clear(self):
        self.items = []
        self.size = 0
        self.left_out = 0

    def add(self, media_type, data):
        """Is it there now? Else that has been told."""
        media_type = str.__str__(media_type)  # a plain one
        if getpid() != self.pid:
            complain("display in a child process: only text reaches the answer")
        elif len(self.items) >= DISPLAYS_MAX:
            self.left_out += 1
        elif len(data) > DISPLAY_MAX or self.size + len(data) > DISPLAYED_MAX:
            complain("display of %d bytes as %s left out: too large" % (len(data), media_type))
        else:
            self.items.append((media_type, data))
            self.size += len(data)
            return True
        return False

    def room(self):
        return DISPLAYS_MAX - len(self.items)

    def has_image(self):
        return any(media_type.startswith("image/") for media_type, _ in self.items)

    def take(self):
        if self.left_out > 0:
            complain(
                "%d displays left out: an execution may have %d" % (self.left_out, DISPLAYS_MAX)
            )
        items = self.items
        self.clear()
        return items


class Session:
    """One namespace and the way code runs in it."""

    def __init__(self, parts):
        self.pid = getpid()
        self.parts = parts
        self.files = parts.files()
        self.shown = Shown()
        self.running = False
        self.cell = 0
        self.loop = None
        self.begin_anew()

    def begin_anew(self):
        """Go on without a variable."""
        self.flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self.module = types.ModuleType("__main__")
        self.module.__builtins__ = builtins
        self.names = self.module.__dict__
        sys.modules["__main__"] = self.module

    def run_apart(self, code, as_repr):
        """Run a cell in variables of its own, and have those of before afterwards."""
        kept = self.flags, self.module, self.names
        self.begin_anew()
        answer = self.run(code, as_repr)
        self.flags, self.module, self.names = kept
        sys.modules["__main__"] = self.module
        return answer

    def on_interrupt(self, number, frame):
        if self.running:
            raise KeyboardInterrupt

    def run(self, code, as_repr):
        """Run a cell; (kind, payload): RESULT or ERROR to send, or None for no value."""
        self.cell += 1
        name = "<cell-%d>" % self.cell
        remember(name, code)
        sources.pop("<cell-%d>" % (self.cell - CELLS_KEPT), None)
        set_handler(signal.SIGINT, signal.SIG_IGN)  # drops one that came too late for its cell
        set_handler(signal.SIGINT, self.on_interrupt)
        try:
            try:
                self.running = True
                set_mask(signal.SIG_UNBLOCK, INTERRUPT)
                try:
                    value = self.evaluate(code, name)
                finally:
                    self.show_figures()
                return self.answer(value, as_repr)
            except BaseException as failure:
                return self.failure(failure)
            finally:
                self.running = False
        except BaseException as failure:  # raised while a failure was put into words
            self.running = False
            return plain_failure(failure)
        finally:
            set_mask(signal.SIG_BLOCK, INTERRUPT)
            set_handler(signal.SIGINT, self.on_interrupt)

    def evaluate(self, code, name):
        finish = None
        try:
            tree = compile(code, name, "exec", self.flags | ast.PyCF_ONLY_AST, True)
        except SyntaxError:
            tree, finish = self.parts.worker_commands.parse(code, name)
        try:
            value = self.run_tree(tree, name)
        finally:
            if finish is not None:
                finish()
        if value is not None:
            self.names["_"] = value
        return value

    def run_tree(self, tree, name):
        last = None
        if tree.body and type(tree.body[-1]) is ast.Expr:
            last = ast.Expression(tree.body.pop().value)
        if tree.body:
            self.execute(tree, name, "exec")
        return None if last is None else self.execute(last, name, "eval")

    def execute(self, tree, name, mode):
        compiled = compile(tree, name, mode, self.flags, True)
        self.flags |= compiled.co_flags & FUTURES
        value = eval(compiled, self.names)
        if compiled.co_flags & COROUTINE:
            value = self.wait(value)
        return value

    def wait(self, coroutine):
        import asyncio

        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        task = self.loop.create_task(coroutine)
        try:
            return self.loop.run_until_complete(task)
        except BaseException:
            task.cancel()
            raise

    def show_figures(self):
        """Display the figures that are open, and close them, whatever has happened."""
        figures = self.parts.modules.get("worker_figures")
        if figures is not None:
            figures.show_all(sys.exc_info()[1])

    def answer(self, value, as_repr):
        """The result's frame. What is no more than the text of a repr makes way for an image."""
        kind = type(value)
        is_plain = value is None or kind in (bool, int, float, str)
        text = None
        if not is_plain and any(hasattr(kind, name) for name in FORM_NAMES):
            is_image, text = self.parts.worker_display.show_value(value)
            if is_image:
                return None
        if value is None and (not as_repr or self.shown.has_image()):
            return None
        if not is_plain and self.shown.has_image() and text is None:
            if is_json(value, DEPTH_MAX):
                return RESULT, result_json(value, as_repr)
            text = describe(value, repr)
        if text is None:
            return RESULT, result_json(value, as_repr)
        if self.shown.has_image():
            self.shown.add("text/plain", cut_text(text, RESULT_MAX).encode("utf-8", "replace"))
            return None
        return RESULT, result_json(text, False)

    def describe_failure(self, failure):
        return "".join(self.without_our_frames(failure).format())

    def without_our_frames(self, failure):
        report = format_exception(type(failure), failure, failure.__traceback__)
        seen, waiting = set(), [report]
        while waiting:
            part = waiting.pop()
            if part is None or id(part) in seen:
                continue
            seen.add(id(part))
            frames = list(part.stack)
            while frames and (frames[0].filename in self.files or "/asyncio/" in frames[0].filename):
                del frames[0]
            part.stack[:] = [frame for frame in frames if frame.filename not in self.files]
            waiting += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())]
        return report

    def failure(self, failure):
        value = describe(failure, str)  # first: the formatter below swallows an interrupt
        return ERROR, error_json(type(failure).__name__, value, self.describe_failure(failure))


def remember(name, code):
    """Keep a cell's source for tracebacks. Its lines end where Python ends them."""
    lines = code.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    sources[name] = (len(code), None, [line + "\n" for line in lines], name)


def complain(text, details=""):
    """A line on the execution's stderr, whatever sys.stderr is."""
    try:
        write(2, ("[%s]\n%s" % (text, details)).encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def display(*objects, raw=False):
    """Show objects: images come with the answer, of all else the text is printed, too.

    With raw=True each is a dictionary of media types and data.
    """
    session.parts.worker_display.display(objects, raw)


def __command__(how, text, line):
    """What a line of a cell that begins with ! or % is turned into."""
    return session.parts.worker_commands.run(how, text, line)


def plain_failure(failure):
    """What remains to be said when a failure cannot describe itself."""
    name = type(failure).__name__
    return ERROR, error_json(name, "", "%s: <no description: formatting it failed>\n" % name)


def error_json(name, value, text):
    if len(text) > TRACEBACK_HEAD + TRACEBACK_TAIL:
        cut = len(text) - TRACEBACK_HEAD - TRACEBACK_TAIL
        text = "%s\n[%d characters cut]\n%s" % (
            text[:TRACEBACK_HEAD],
            cut,
            text[-TRACEBACK_TAIL:],
        )
    return dumps({"name": name, "value": cut_text(value, 4096), "traceback": text}).encode()


def describe(value, how):
    try:
        return how(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return "<unprintable %s>" % type(value).__name__


def cut_text(text, limit):
    if len(text) <= limit:
        return text
    return "%s\n[%d characters cut]" % (text[:limit], len(text) - limit)


def is_json(value, depth):
    """Is this a value that JSON holds without loss and without surprise?"""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return True
    if kind is float:
        return value - value == 0
    if depth == 0:
        return False
    if kind is list or kind is tuple:
        return all(is_json(item, depth - 1) for item in value)
    if kind is dict:
        return all(
            type(key) is str and is_json(item, depth - 1) for key, item in value.items()
        )
    return False


def result_json(value, as_repr):
    """The frame of a value: its JSON, or else the text of its repr."""
    kind = type(value)
    if as_repr and (value is None or kind in (bool, int, float, str)):
        value = None if value is None else describe(value, repr)
    elif kind is not str and is_json(value, DEPTH_MAX):
        try:
            text = dumps(value)
        except ValueError:  # an integer beyond sys.get_int_max_str_digits()
            text = None
        if text is not None and len(text) <= RESULT_MAX:
            return ('{"value":%s}' % text).encode()
        value = describe(value, repr)
    elif kind is not str:
        value = describe(value, repr)
    if value is not None:
        value = cut_text(value, RESULT_MAX)
    return dumps({"value": value}).encode()


class Imports:
    """Notices the import of what shows something, so that it shows it in the answer."""

    def find_spec(self, name, path=None, target=None):
        part = ADAPTED.get(name)
        if part is None:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and hasattr(spec.loader, "exec_module"):
                load = spec.loader.exec_module

                def load_and_adapt(module):
                    load(module)
                    getattr(session.parts, part).adapt(module)

                spec.loader.exec_module = load_and_adapt
                return spec
        return session.parts.worker_ipython.spec(name) if part == "worker_ipython" else None


def open_streams():
    """Fresh text streams on descriptors 1 and 2, unbuffered, so that nothing is lost or late."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        raw = FileIO(descriptor, "w", closefd=False)
        stream = TextIOWrapper(raw, "utf-8", "backslashreplace", "\n", False, True)
        stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)


def silence():
    """Point descriptors 1 and 2 at nothing, which closes the pipes of the last execution."""
    null = open_file("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    dup2(null, 1)
    dup2(null, 2)
    if null > 2:  # else user code had closed the one it took the place of
        close(null)


def limit_self(processes, address_space, file_size, descriptors):
    infinity = resource.RLIM_INFINITY
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_SIGPENDING, 256),  # an ordinary user's own programs share the count
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_STACK, 8 * 1024 * 1024),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_AS, address_space),
    ):
        hard = get_limit(kind)[1]
        if hard != infinity and (value == infinity or value > hard):
            value = hard
        set_limit(kind, (value, value))
        limit_init(kind, value)
    set_limit(resource.RLIMIT_NOFILE, (descriptors, descriptors + RESERVED_DESCRIPTORS))
    limit_init(resource.RLIMIT_NOFILE, descriptors)


def limit_init(kind, value):
    """The same for the sandbox's init, whose memory user code can write, so what it may is what
    user code may. A security module that forbids this forbids the writing, too."""
    try:
        resource.prlimit(1, kind, (value, value))
    except PermissionError:
        pass


def reserve(use):
    """Use the descriptors kept back for the next execution's pipes, or keep them back again."""
    soft, hard = get_limit(resource.RLIMIT_NOFILE)
    wanted = hard if use else max(hard - RESERVED_DESCRIPTORS, 1)
    if soft != wanted:
        set_limit(resource.RLIMIT_NOFILE, (wanted, hard))


def warm(packets, request, descriptors):
    """Import modules, as long as nothing else is asked for."""
    for descriptor in descriptors:
        keep_fonts(request["fonts"], descriptor)
    waiting, missing = [], []
    for name in request["modules"]:
        parts = name.split(".")
        waiting += [".".join(parts[: count + 1]) for count in range(len(parts) - 1)]
        waiting += [*STEPS.get(name, ()), name]
    path = sys.path[:]
    sys.path.remove("")  # what lies in the session's directory is not meant
    while waiting and not packets.is_waiting():
        try:
            __import__(waiting[0])
        except BaseException:
            missing.append(waiting[0])
        del waiting[0]
    sys.path[:] = path
    answer = {"missing": missing, "all": not waiting}
    packets.send(WARM, dumps(answer).encode(), NO_NONCE)


def keep_fonts(name, descriptor):
    """Put matplotlib's list of fonts where it looks for one, and so need not make it."""
    directory = os.environ.get("MPLCONFIGDIR", "/tmp/mpl")
    with open(descriptor, "rb") as fonts:
        try:
            os.mkdir(directory)
            with open(os.path.join(directory, name), "xb") as copy:
                copy.write(fonts.read())
        except OSError:  # the session has something of that name already, or no room for it
            pass


def serve(packets, session):
    while True:
        reserve(True)
        frame = packets.read()
        if frame is None:
            leave(0)
        kind, payload, nonce, descriptors = frame
        if kind == WARM:
            warm(packets, loads(payload), descriptors)
        if kind != EXEC:
            continue
        if len(descriptors) != 2:
            for descriptor in descriptors:
                close(descriptor)
            text = "the session has no free descriptor for its output: close some files\n"
            packets.send(ERROR, error_json("OSError", text.strip(), text), nonce)
            packets.send(DONE, b"", nonce)
            continue
        for target, descriptor in zip((1, 2), descriptors):
            dup2(descriptor, target)
            close(descriptor)
        open_streams()
        reserve(False)
        request = loads(payload)
        run = session.run_apart if request["apart"] else session.run
        answer = run(request["code"], request["repr"])
        if getpid() != session.pid:
            leave(0)  # a child of a bare fork: this loop is its parent's
        reserve(True)
        for media_type, data in session.shown.take():
            name = media_type.encode()
            packets.send(DISPLAY, bytes((len(name),)) + name + data, nonce)
        if answer is not None:
            packets.send(answer[0], answer[1], nonce)
        packets.send(DONE, b"", nonce)
        silence()


def main(parts, descriptor, processes, address_space, file_size, descriptors):
    global session
    set_mask(signal.SIG_BLOCK, INTERRUPT)
    os.setpgid(0, 0)  # an interrupt goes to the group: the worker and what its code started
    limit_self(processes, address_space, file_size, descriptors)
    packets = Packets(descriptor)
    session = Session(Parts(parts))
    builtins.display = display
    builtins.__command__ = __command__
    sys.meta_path.insert(0, Imports())
    sys.argv[:] = [""]
    sys.path.insert(0, "")  # the session's own modules; ours are all imported by now
    hello = {"proto": 1, "python": "%d.%d.%d" % sys.version_info[:3], "pid": session.pid}
    silence()  # only now: what failed before can be read in the server's complaint
    open_streams()
    session.run("print(end=''); 1", False)  # so that the first cell finds everything warm
    session.cell = 0
    session.names.pop("_", None)
    packets.send(HELLO, dumps(hello).encode(), NO_NONCE)
    serve(packets, session)


def start(parts):
    main(parts, *(int(text) for text in sys.argv[1:]))

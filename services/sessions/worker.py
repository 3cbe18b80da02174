"""The Python that runs inside a sandbox: one process, one session, one execution at a time.

Reads frames from a packet socket, runs their code in one lasting namespace and answers
with a result or an error, then done. What arrives on descriptors 1 and 2 meanwhile goes
straight to the host through pipes that come with each execution.

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
HELLO, EXEC, RESULT, ERROR, DONE = 1, 2, 3, 4, 5
PACKET_MAX = 60 * 1024
NO_NONCE = bytes(16)

RESULT_MAX = 1024 * 1024
TRACEBACK_HEAD = 56 * 1024
TRACEBACK_TAIL = 8 * 1024
DEPTH_MAX = 60
CELLS_KEPT = 256
RESERVED_DESCRIPTORS = 8

getpid, leave, dup2, close = os.getpid, os._exit, os.dup2, os.close
open_file, TextIOWrapper, FileIO = os.open, io.TextIOWrapper, io.FileIO
set_limit, get_limit = resource.setrlimit, resource.getrlimit
set_handler, set_mask = signal.signal, signal.pthread_sigmask
dumps, loads = json.dumps, json.loads
format_exception = traceback.TracebackException
globals().update({name: item for name, item in vars(builtins).items() if name[0] != "_"})

INTERRUPT = {signal.SIGINT}
COROUTINE = 0x80
FUTURES = __future__.annotations.compiler_flag  # the one that a cell passes on to the next


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


class Session:
    """One namespace and the way code runs in it."""

    def __init__(self):
        self.pid = getpid()
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
        linecache.cache[name] = (
            len(code),
            None,
            code.splitlines(keepends=True),
            name,
        )
        linecache.cache.pop("<cell-%d>" % (self.cell - CELLS_KEPT), None)
        set_handler(signal.SIGINT, signal.SIG_IGN)  # drops one that came too late for its cell
        set_handler(signal.SIGINT, self.on_interrupt)
        try:
            try:
                self.running = True
                set_mask(signal.SIG_UNBLOCK, INTERRUPT)
                return self.answer(self.evaluate(code, name), as_repr)
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
        tree = compile(code, name, "exec", self.flags | ast.PyCF_ONLY_AST, True)
        last = None
        if tree.body and type(tree.body[-1]) is ast.Expr:
            last = ast.Expression(tree.body.pop().value)
        if tree.body:
            self.execute(tree, name, "exec")
        if last is None:
            return None
        value = self.execute(last, name, "eval")
        if value is not None:
            self.names["_"] = value
        return value

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

    def answer(self, value, as_repr):
        if value is None and not as_repr:
            return None
        return RESULT, result_json(value, as_repr)

    def failure(self, failure):
        frames = failure.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
            frames = frames.tb_next
        value = describe(failure, str)  # first: the formatter below swallows an interrupt
        text = "".join(format_exception(type(failure), failure, frames).format())
        return ERROR, error_json(type(failure).__name__, value, text)


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


def is_plain(value, depth):
    """Is this a value that JSON holds without loss and without surprise?"""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return True
    if kind is float:
        return value - value == 0
    if depth == 0:
        return False
    if kind is list or kind is tuple:
        return all(is_plain(item, depth - 1) for item in value)
    if kind is dict:
        return all(
            type(key) is str and is_plain(item, depth - 1) for key, item in value.items()
        )
    return False


def result_json(value, as_repr):
    """The frame of a value: its JSON, or else the text of its repr."""
    kind = type(value)
    if as_repr and (value is None or kind in (bool, int, float, str)):
        value = None if value is None else describe(value, repr)
    elif kind is not str and is_plain(value, DEPTH_MAX):
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


def serve(packets, session):
    while True:
        reserve(True)
        frame = packets.read()
        if frame is None:
            leave(0)
        kind, payload, nonce, descriptors = frame
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
        if answer is not None:
            packets.send(answer[0], answer[1], nonce)
        packets.send(DONE, b"", nonce)
        silence()


def main(descriptor, processes, address_space, file_size, descriptors):
    set_mask(signal.SIG_BLOCK, INTERRUPT)
    os.setpgid(0, 0)  # an interrupt goes to the group: the worker and what its code started
    limit_self(processes, address_space, file_size, descriptors)
    packets = Packets(descriptor)
    session = Session()
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


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]))

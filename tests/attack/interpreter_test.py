"""Code that turns against the Python it runs in."""

import attack

KEPT = attack.is_answered

CASES = (
    ("no streams", "sys.stdout = sys.stderr = sys.stdin = None", ""),
    ("deleted streams", "del sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__", ""),
    (
        "streams whose every method raises",
        "class Stream:\n    def __getattr__(self, name): raise SystemError(name)\n"
        "sys.stdout = sys.stderr = Stream()\nprint",
        KEPT,
    ),
    (
        "modules whose functions are gone",
        "import ast, gc, io, json, linecache, traceback, types\n"
        "for module in (json, os, socket, ast, struct, io, linecache, traceback, resource, types):\n"
        "    for name in list(vars(module)):\n"
        "        if name[0] != '_': delattr(module, name)",
        KEPT,
    ),
    ("no modules at all", "sys.modules.clear()", KEPT),
    ("no import path", "sys.path[:] = []; sys.meta_path[:] = []; sys.path_hooks[:] = []", KEPT),
    (
        "no builtins",
        "import builtins\n"
        "for name in list(vars(builtins)):\n"
        "    if name[0] != '_': delattr(builtins, name)",
        KEPT,
    ),
    ("other builtins in the namespace", "__builtins__ = {}", KEPT),
    (
        "no import function",
        "import builtins; del builtins.__import__, builtins.__build_class__",
        KEPT,
    ),
    (
        "every dictionary of the worker emptied",
        "import gc\n"
        "for item in gc.get_objects():\n"
        "    if type(item) is dict and item.get('__name__') == '__main__': item.clear()",
        KEPT,
    ),
    (
        "a session object that no longer runs anything",
        "import gc\n"
        "for item in gc.get_objects():\n"
        "    if type(item).__name__ == 'Session': type(item).run = lambda *_: None",
        KEPT,
    ),
    (
        "worker functions with other code",
        "at = sys._getframe()\n"
        "while at.f_code.co_name != 'serve': at = at.f_back\n"
        "names = at.f_globals\n"
        "names['getpid'] = lambda: 0\n",
        attack.is_lost,
    ),
    (
        "worker globals that are gone",
        "at = sys._getframe()\n"
        "while at.f_code.co_name != 'serve': at = at.f_back\n"
        "at.f_globals.clear()",
        attack.is_lost,
    ),
    (
        "a process number that is another's",
        "os.getpid = lambda: 1\n'still'",
        "still",
    ),
    ("recursion", "def down(): down()\ndown()", KEPT),
    (
        "recursion without a limit",
        "sys.setrecursionlimit(10**9)\ndef down(): down()\ndown()",
        KEPT,
    ),
    ("recursion in C", "x = []\nfor _ in range(10**6): x = [x]\nrepr(x)", KEPT),
    (
        "source nested too deep",
        "eval('(' * 10**5 + ')' * 10**5)",
        KEPT,
    ),
    ("an int of too many digits", "10 ** 10**5", KEPT),
    ("a value that contains itself", "x = []; x.append(x); x", KEPT),
    (
        "a value that lies about its type",
        "class Lie(dict):\n    __class__ = str\n    def __repr__(self): return 7\nLie()",
        KEPT,
    ),
    (
        "a value whose description ends the process",
        "class Bomb:\n    def __repr__(self): os._exit(0)\nBomb()",
        attack.is_lost,
    ),
    (
        "an exception whose every part raises",
        "class Bomb(Exception):\n"
        "    def __getattribute__(self, name): raise Bomb\n"
        "    def __str__(self): raise Bomb\n"
        "raise Bomb",
        KEPT,
    ),
    (
        "an exception class whose name is no text",
        "class Meta(type):\n    __name__ = property(lambda self: 1 / 0)\n"
        "class Bomb(Exception, metaclass=Meta): pass\nraise Bomb",
        KEPT,
    ),
    (
        "a chain of a hundred thousand exceptions",
        "last = None\n"
        "for _ in range(10**5):\n"
        "    one = ValueError(); one.__cause__ = last; last = one\n"
        "raise last",
        KEPT,
    ),
    ("the end of the process", "os._exit(0)", attack.is_lost),
    ("an orderly end", "sys.exit(3)", KEPT),
    ("an end from a thread", "threading.Thread(target=os._exit, args=(0,)).start(); time.sleep(20)",
     attack.is_lost),
    ("a wild pointer", "ctypes.memset(1, 0, 1)", attack.is_lost),
    ("an abort", "libc.abort()", attack.is_lost),
    ("all descriptors closed", "os.closerange(0, 1024)", attack.is_lost),
    ("a limit of no descriptors", "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))", KEPT),
    ("a limit of no memory", "resource.setrlimit(resource.RLIMIT_AS, (1, 1))", KEPT),
    ("a limit of no file size", "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))", KEPT),
    ("a limit of no time", "resource.setrlimit(resource.RLIMIT_CPU, (0, 0))\nwhile True: pass",
     attack.is_lost),
    (
        "hooks for everything",
        "import atexit, gc\n"
        "def hook(*_): raise RuntimeError('hook')\n"
        "sys.excepthook = sys.displayhook = sys.unraisablehook = threading.excepthook = hook\n"
        "atexit.register(hook); gc.callbacks.append(hook)\n"
        "sys.setprofile(hook)",
        KEPT,
    ),
    ("an audit hook that refuses all", "sys.addaudithook(lambda *_: 1 / 0)", KEPT),
    (
        "an end of life that raises, forks and prints",
        "class Bomb:\n"
        "    def __del__(self):\n        print('late'); os.fork(); raise SystemExit\n"
        "bomb = Bomb()\ndel bomb",
        KEPT,
    ),
    (
        "a trace function that raises",
        "def trace(*_): raise KeyboardInterrupt\nsys.settrace(trace)",
        KEPT,
    ),
    ("a switch interval of a day", "sys.setswitchinterval(86400)", ""),
    (
        "garbage collection that is off and debugs",
        "import gc; gc.disable(); gc.set_debug(gc.DEBUG_LEAK)",
        "",
    ),
    ("another start for children", "os.register_at_fork(after_in_child=lambda: time.sleep(100)); "
     "os.fork()", KEPT),
    (
        "modules in the session's files that shadow the library",
        "for name in ('json', 'os', 'traceback', 'encodings', 'site', 'sitecustomize', 'asyncio',\n"
        "             'usercustomize', 'linecache', 'ast', 'resource', 'struct', 'codecs'):\n"
        "    open(name + '.py', 'w').write('raise SystemExit(9)')\n"
        "os._exit(1)",
        attack.is_lost,
    ),
    ("a directory closed to its owner", "os.chmod('/mnt/data', 0)\nos._exit(1)", attack.is_lost),
    (
        "temporary files closed to their owner",
        "for path in ('/tmp', '/dev/shm'): os.chmod(path, 0)\nos._exit(1)",
        attack.is_lost,
    ),
    ("a working directory that is gone",
     "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')", KEPT),
)

# Nothing of Python's own listens to an interrupt here.
DEAF = (
    (
        "a signal handler that ignores interrupts",
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        attack.is_killed,
    ),
    (
        "a blocked interrupt",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\nwhile True: pass",
        attack.is_killed,
    ),
    (
        "an interrupt that is swallowed again and again",
        "while True:\n    try: time.sleep(100)\n    except BaseException: pass",
        attack.is_killed,
    ),
    (
        "a C function that holds the lock",
        "mutex = ctypes.create_string_buffer(64)\n"
        "for _ in range(2): ctypes.PyDLL(None).pthread_mutex_lock(mutex)",
        attack.is_killed,
    ),
    ("one long step in C", "sum(range(10**12))", attack.is_killed),
    ("an expression that backtracks", "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
     attack.is_interrupted),
    ("a stopped worker", "os.kill(os.getpid(), signal.SIGSTOP)", attack.is_killed),
    ("a worker in another process group", "os.setpgid(0, os.getppid())\nwhile True: pass", KEPT),
    ("threads that go on", "for _ in range(5):\n"
     "    threading.Thread(target=lambda: any(0 for _ in iter(int, 1))).start()\n"
     "while True: pass", attack.is_interrupted),
    ("a lock nobody opens", "threading.Lock().acquire() and threading.Event().wait()",
     attack.is_interrupted),
    ("a child that is waited for", "os.system('while :; do :; done')", attack.is_interrupted),
)


class Interpreter(attack.Attacks):
    def check_after(self, session):
        """A ruined interpreter may be of no more use, but one deadline later a new one is."""
        self.pool.run("1", session, timeoutInSeconds=1)
        execution = self.pool.run("6 * 7", session, timeoutInSeconds=1)
        if execution.result != 42:
            self.pool.run("import os; os._exit(0)", session, timeoutInSeconds=1)
            self.pool.delete(session)
        super().check_after(session)

    def test_sabotage_ends_in_an_answer(self):
        self.attack_each(CASES, timeoutInSeconds=5)

    def test_code_that_hears_no_interrupt_is_ended(self):
        self.attack_together(DEAF, timeoutInSeconds=1)


if __name__ == "__main__":
    attack.main()

"""Displays, figures and commands that are meant to do harm."""

import attack

SHOW = """
class Shown:
    def __init__(self, method): self._repr = method
    def _repr_png_(self): return self._repr()
def show(method): display(Shown(method))
"""
PLOT = "import matplotlib.pyplot as plt\n"


def is_left_out(test, execution):
    test.assertEqual((execution.status, execution.displays, execution.result),
                     ("Succeeded", [], ""), execution.raw[:500])
    test.assertIn("left out", execution.stderr)


def has_images(count):
    def check(test, execution):
        test.assertEqual(execution.state, "kept", execution.raw[:500])
        images = [shown for shown in execution.displays if shown["type"] == "image"]
        test.assertEqual(len(images) + (type(execution.result) is dict), count, execution.stderr)

    return check


def fails_with(name):
    def check(test, execution):
        test.assertEqual((execution.status, execution.state), ("Failed", "kept"), execution.raw)
        test.assertIn(name, execution.stderr)

    return check


CASES = (
    ("a form of a gigabyte", "show(lambda: bytes(1 << 30))", attack.is_answered),
    ("a form of a hundred megabytes", "show(lambda: bytes(100 << 20))", is_left_out),
    ("a form that is no bytes", "show(lambda: 'x' * 10)\n3", 3),
    ("a form that ends the interpreter", "show(lambda: os._exit(0))", attack.is_lost),
    ("a form that raises the worst", "show(lambda: (_ for _ in ()).throw(BaseException('x')))",
     fails_with("BaseException: x")),
    ("a form that displays itself",
     "def again(): show(again)\nshow(again)", attack.is_answered),
    ("forms of a type that lies about them",
     "class Meta(type):\n    def __getattr__(self, name): raise SystemExit(name)\n"
     "class A(metaclass=Meta): pass\nA()", fails_with("SystemExit")),
    ("bytes that lie about their size",
     "class B(bytes):\n    def __len__(self): return 5\nshow(lambda: B(100 << 20))", is_left_out),
    ("text that lies about its bytes",
     "class T(str):\n    def encode(self, *_): return 5\n"
     "display({'text/html': T('x')}, raw=True)",
     lambda test, execution: test.assertEqual(execution.displays[0]["text"], "x")),
    ("a media type that lies",
     "class T(str):\n    def encode(self, *_): raise SystemExit\n    def startswith(self, *_): return 5\n"
     "display({T('text/x-y'): 'x'}, raw=True)",
     lambda test, execution: test.assertEqual(execution.displays[0]["mediaType"], "text/x-y")),
    ("a bundle of a kind that closes quotes",
     "display({'text/x\",\"a\":\"': 'x', 'text/ok': 'y'}, raw=True)",
     lambda test, execution: test.assertEqual(execution.displays[0]["mediaType"], "text/ok")),
    ("a thousand displays", "for _ in range(1000): show(lambda: b'1')", has_images(16)),
    ("displays of eight threads at once",
     "def many():\n    for _ in range(50): show(lambda: bytes(100000))\n"
     "threads = [threading.Thread(target=many) for _ in range(8)]\n"
     "for thread in threads: thread.start()\nfor thread in threads: thread.join()",
     has_images(16)),
    ("displays of a forked child",
     "if os.fork() == 0:\n    show(lambda: b'1')\n    os._exit(0)\nos.wait()\nNone", has_images(0)),
    ("displays of a child that comes back as the session",
     "if os.fork() == 0: show(lambda: b'1')\nelse: os.wait()", has_images(0)),
    ("a thousand figures",
     PLOT + "import warnings; warnings.simplefilter('ignore')\n"
     "for _ in range(1000): plt.figure(figsize=(1, 1)).text(0, 0, 'x')", has_images(16)),
    ("a figure of a billion pixels", PLOT + "plt.figure(figsize=(400, 250)).text(0, 0, 'x')\nNone",
     is_left_out),
    ("a figure of endless inches",
     PLOT + "f = plt.figure(); f.text(0, 0, 'x')\nf.get_size_inches = lambda: (float('inf'),) * 2\n"
     "None", is_left_out),
    ("a figure that lies about its inches",
     PLOT + "f = plt.figure(figsize=(4000, 4000)); f.text(0, 0, 'x')\n"
     "f.get_size_inches = lambda: (1, 1)\nNone", attack.is_answered),
    ("pyplot without its functions",
     PLOT + "plt.plot([1])\nplt.close = plt.get_fignums = plt.figure = plt.show = None",
     has_images(1)),
    ("matplotlib without anything",
     PLOT + "plt.plot([1]); vars(plt).clear()", attack.is_answered),
    ("figures that raise when they are drawn",
     PLOT + "f = plt.figure(); f.text(0, 0, 'x')\n"
     "f.savefig = lambda *_, **__: (_ for _ in ()).throw(SystemExit('x'))\nNone",
     fails_with("SystemExit")),
    ("an import hook that is gone", "sys.meta_path.clear()\n" + PLOT, attack.is_answered),
    ("a command of a hundred megabytes", "x = !head -c 100000000 /dev/zero\nlen(x)",
     attack.is_answered),
    ("a command with every byte", "!echo " + "".join(map(chr, range(1, 10))) + "; exit 3\n5", 5),
    ("a command that kills its parents", "!kill -9 $PPID; kill -9 -1", attack.is_answered),
    ("a shell bomb", "!a() { a | a & }; a\n", attack.is_answered),
)

LASTING = (
    ("an endless form", "show(lambda: [None for _ in iter(int, 1)])", attack.is_interrupted),
    ("an endless form of a table",
     "class T:\n    def _repr_html_(self):\n        while True: pass\nT()", attack.is_interrupted),
    ("an endless text beside a form",
     "class T:\n    def _repr_html_(self): return 'x'\n    def __repr__(self):\n"
     "        while True: pass\nT()", attack.is_interrupted),
    ("a figure that is drawn for ever",
     PLOT + "f = plt.figure(); f.text(0, 0, 'x')\ndef draw(*_, **__):\n    while True: pass\n"
     "f.savefig = draw\nNone", attack.is_interrupted),
    ("a command that ignores interrupts",
     "!trap '' INT; while :; do :; done", attack.is_answered),
    ("a command that reads for ever", "!cat /dev/zero > /dev/null", attack.is_interrupted),
    ("a script in a cell of its own that waits", "%%sh\nsleep 100", attack.is_interrupted),
)


class Displays(attack.Attacks):
    def run_code(self, code, session, **members):
        if code.startswith("%%"):
            return self.pool.run(code, session, **members)
        return super().run_code(SHOW + code, session, **members)

    def test_harmful_displays_and_commands_hurt_their_own_call_at_most(self):
        self.attack_each(CASES, timeoutInSeconds=10)

    def test_displays_and_commands_that_do_not_end_are_ended(self):
        self.attack_together(LASTING, timeoutInSeconds=1)

    def test_display_after_the_end_comes_with_the_next_call(self):
        code = (
            "first = os.readlink('/proc/self/fd/1')\n"
            "def late():\n    while os.readlink('/proc/self/fd/1') == first: pass\n"
            "    show(lambda: b'1')\n    open('/tmp/done', 'w').close()\n"
            "threading.Thread(target=late).start()"
        )
        with self.session() as session:
            has_images(0)(self, self.run_code(code, session))
            wait = "while not os.path.exists('/tmp/done'): pass"
            has_images(1)(self, self.run_code(wait, session))
            has_images(0)(self, self.run_code("None", session))


if __name__ == "__main__":
    attack.main()

"""clients_test.py CLIENT - clients written for Azure Container Apps dynamic sessions, unchanged.

Each is the published package, configured as its documentation says: an endpoint, and somebody who
gives tokens. The endpoint is a pool of ours over TLS.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../services/sessions"))
import pool
import ways

BASE = "/subscriptions/0/resourceGroups/group/sessionPools/pool"
CONTENT = "some text\n"

warnings.simplefilter("ignore")


class Credential:
    """Gives the pool's token, and notes for what it was asked."""

    def __init__(self, token):
        self.token, self.scopes = token, []

    def get_token(self, *scopes, **_):
        from azure.core.credentials import AccessToken

        self.scopes += scopes
        return AccessToken(self.token, int(time.time()) + 3600)


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        certificate, key = ways.make_certificate(cls.directory.name)
        for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            os.environ[variable] = certificate
        cls.certificate = certificate
        cls.pool = pool.Pool("--tcp", "--tls-certificate", certificate, "--tls-key", key).__enter__()
        cls.endpoint = cls.pool.announcement["tcp"] + BASE
        cls.token = ways.token(cls.pool)
        cls.file = cls.directory.name + "/in put.txt"
        with open(cls.file, "w") as file:
            file.write(CONTENT)

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()
        cls.directory.cleanup()


class Curl(Client):
    def curl(self, path, *arguments, version=pool.NEWEST, status=200, token=None, **names):
        query = ways.pool.query(**{"api-version": version, "identifier": "curl-session", **names})
        result = subprocess.run(
            ["curl", "--silent", "--show-error", "--cacert", self.certificate,
             "--header", "Authorization: Bearer " + (token or self.token), "--write-out", "\n%{http_code}",
             *arguments, self.endpoint + path + "?" + query],
            capture_output=True, text=True, check=True, timeout=60,
        )
        body, code = result.stdout.rsplit("\n", 1)
        self.assertEqual(int(code), status, body)
        return body

    def test_code_runs_and_files_come_and_go(self):
        body = json.dumps({"codeInputType": "inline", "executionType": "synchronous", "code": "print(6 * 7)"})
        answer = json.loads(self.curl("/executions", "--data", body))
        self.assertEqual(answer["result"]["stdout"], "42\n")
        self.curl("/files", "--form", "file=@" + self.file)
        self.assertEqual(json.loads(self.curl("/files"))["value"][0]["name"], "in put.txt")
        self.assertEqual(self.curl("/files/in%20put.txt/content"), CONTENT)
        self.curl("/files/in%20put.txt", "--request", "DELETE", status=204)
        self.assertEqual(json.loads(self.curl("/files"))["value"], [])
        self.curl("/session", "--request", "DELETE", status=204)

    def test_a_wrong_token_is_told(self):
        self.curl("/files", token="nonsense", status=401)


class Langchain(Client):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from langchain_azure_dynamic_sessions import SessionsPythonREPLTool

        cls.tool = SessionsPythonREPLTool(
            pool_management_endpoint=cls.endpoint, access_token_provider=lambda: cls.token)

    def test_code_runs_with_state(self):
        self.assertEqual(self.tool.execute("x = 20\nx + 1")["result"], 21)
        answer = json.loads(self.tool.invoke("print('hi')\nx * 2"))
        self.assertEqual(answer, {"result": 40, "stdout": "hi\n", "stderr": ""})

    def test_failures_come_as_a_traceback(self):
        answer = json.loads(self.tool.invoke("1 / 0"))
        self.assertIn("ZeroDivisionError", answer["stderr"])

    def test_files_come_and_go(self):
        self.assertEqual(self.tool.upload_file(local_file_path=self.file).filename, "in put.txt")
        listed = self.tool.list_files()
        self.assertEqual([(file.filename, file.size_in_bytes) for file in listed], [("in put.txt", len(CONTENT))])
        self.assertEqual(self.tool.download_file(remote_file_path="in put.txt").read(), CONTENT.encode())
        answer = self.tool.execute("open('/mnt/data/in put.txt').read()")
        self.assertEqual(answer["result"], CONTENT)

    def test_a_deleted_session_begins_anew(self):
        self.tool.execute("gone = 1")
        self.tool.delete_session()
        self.assertEqual(self.tool.execute("'gone' in globals()")["result"], False)

    def test_the_tool_for_shell_pools_is_told_that_this_is_none(self):
        import requests
        from langchain_azure_dynamic_sessions import SessionsBashTool

        tool = SessionsBashTool(
            pool_management_endpoint=self.endpoint, access_token_provider=lambda: self.token)
        with self.assertRaises(requests.HTTPError) as raised:
            tool.execute("echo hi")
        self.assertEqual(raised.exception.response.status_code, 400)
        self.assertEqual(raised.exception.response.json()["error"]["code"], "SessionRequestNotSupported")


class SemanticKernel(Client):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from semantic_kernel.core_plugins.sessions_python_tool import sessions_python_plugin

        cls.Tool = sessions_python_plugin.SessionsPythonTool

    def in_tool(self, use, endpoint=None):
        """Run `use` with a tool of its own: its HTTP client belongs to one event loop."""
        async def call():
            tool = self.Tool(
                auth_callback=lambda: self.token,
                pool_management_endpoint=endpoint or self.endpoint,
                enable_dangerous_file_uploads=True,
                allowed_upload_directories={self.directory.name},
            )
            async with tool.http_client:
                await use(tool)

        asyncio.run(call())

    def test_code_runs_and_answers_with_the_four_sections(self):
        async def use(tool):
            text = await tool.execute_code("```python\nprint('hi')\n40 + 2\n```")
            self.assertEqual(text, "Status:\nSuccess\nResult:\n42\nStdout:\nhi\n\nStderr:\n")
            text = await tool.execute_code("1 / 0")
            self.assertTrue(text.startswith("Status:\nFailure\n"))
            self.assertIn("ZeroDivisionError", text)

        self.in_tool(use)

    def test_the_old_form_of_the_endpoint_works(self):
        async def use(tool):
            self.assertIn("\n3\n", await tool.execute_code("1 + 2"))

        self.in_tool(use, self.endpoint + "/python/execute")

    def test_files_come_and_go_also_after_an_execution(self):
        async def use(tool):
            await tool.execute_code("1")  # from now on its uploads call themselves JSON
            uploaded = await tool.upload_file(local_file_path=self.file)
            self.assertEqual((uploaded.filename, uploaded.size_in_bytes), ("in put.txt", len(CONTENT)))
            await tool.upload_file(local_file_path=self.file, remote_file_path="/mnt/data/other.txt")
            listed = sorted(file.full_path for file in await tool.list_files())
            self.assertEqual(listed, ["/mnt/data/in put.txt", "/mnt/data/other.txt"])
            content = await tool.download_file(remote_file_name="other.txt")
            self.assertEqual(content.read(), CONTENT.encode())
            self.assertIn(CONTENT, await tool.execute_code("print(open('/mnt/data/other.txt').read())"))

        self.in_tool(use)


class LlamaIndex(Client):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import llama_index.tools.azure_code_interpreter.base as base

        cls.credential = Credential(cls.token)
        base.DefaultAzureCredential = lambda *_, **__: cls.credential  # what the machine lacks
        cls.tool = base.AzureCodeInterpreterToolSpec(
            pool_management_endpoint=cls.endpoint, local_save_path=cls.directory.name)

    def test_code_runs_with_state(self):
        self.assertEqual(self.tool.code_interpreter("x = 3")["properties"]["status"], "Success")
        self.assertEqual(self.tool.code_interpreter("x * 2")["properties"]["result"], 6)
        self.assertEqual(self.tool.code_interpreter("x / 0")["properties"]["status"], "Failure")
        self.assertTrue(self.credential.scopes)

    def test_files_come_and_go(self):
        (uploaded,) = self.tool.upload_file(local_file_path=self.file)
        self.assertEqual((uploaded.filename, uploaded.size_in_bytes), ("in put.txt", len(CONTENT)))
        self.assertEqual([file.file_full_path for file in self.tool.list_files()], ["/mnt/data/in put.txt"])
        target = self.directory.name + "/out.txt"
        self.tool.download_file_to_local("in put.txt", target)
        with open(target) as file:
            self.assertEqual(file.read(), CONTENT)


class Autogen(Client):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from autogen_core import CancellationToken
        from autogen_core.code_executor import CodeBlock
        from autogen_ext.code_executors.azure import ACADynamicSessionsCodeExecutor

        cls.Block, cls.Token, cls.Executor = CodeBlock, CancellationToken, ACADynamicSessionsCodeExecutor

    def setUp(self):
        self.credential = Credential(self.token)
        self.executor = self.Executor(
            pool_management_endpoint=self.endpoint, credential=self.credential, work_dir=self.directory.name)

    def execute(self, *codes):
        blocks = [self.Block(code=code, language="python") for code in codes]
        return asyncio.run(self.executor.execute_code_blocks(blocks, self.Token()))

    def test_code_blocks_run_in_turn_with_output_and_result(self):
        result = self.execute("print('one')\nx = 1", "x + 1")
        self.assertEqual((result.exit_code, result.output), (0, "one\n2"))
        self.assertEqual(self.credential.scopes, ["https://dynamicsessions.io/.default"])
        self.assertEqual(self.execute("[x, 'a']").exit_code, 0)

    def test_errors_are_output(self):
        result = self.execute("import sys\nsys.stderr.write('careful')", "x = 1")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("careful", result.output)
        result = self.execute("1 / 0")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("ZeroDivisionError", result.output)

    def test_files_come_and_go(self):
        with open(self.directory.name + "/up.txt", "w") as file:
            file.write("up")
        asyncio.run(self.executor.upload_files(["up.txt"], self.Token()))
        self.assertEqual(asyncio.run(self.executor.get_file_list(self.Token())), ["up.txt"])
        self.assertEqual(self.execute("open('down.txt', 'w').write(open('up.txt').read() * 2)").exit_code, 0)
        (path,) = asyncio.run(self.executor.download_files(["down.txt"], self.Token()))
        with open(path) as file:
            self.assertEqual(file.read(), "upup")


if __name__ == "__main__":
    pool.main()

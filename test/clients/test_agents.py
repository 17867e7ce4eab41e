"""Agents and chat clients against a running service: `FOVEA_ORIGIN`, `FOVEA_KEY`. A stand-in makes the extractions."""

import asyncio
import base64
import json
import os
import pathlib
import unittest

# Otherwise LiteLLM fetches a list of prices from the internet when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import agents
import agents.mcp
import agents.run_context
import agents.tool_context
import litellm
import mcp
import openai
import pydantic
from langchain_core.messages import HumanMessage
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_openai import ChatOpenAI
from mcp.client.streamable_http import streamablehttp_client

ORIGIN, KEY = os.environ["FOVEA_ORIGIN"], os.environ["FOVEA_KEY"]
BEARER = {"Authorization": f"Bearer {KEY}"}
EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
MODEL = "pp-ocr"
TOOLS = {
    *("read_document", "get_pages", "search_document", "extract", "get_page_image", "remember", "recall"),
    *("search_context", "open_context", "view_context", "zoom_context", "list_contexts"),
}


def say(what: str, value: object) -> None:
    """A line of the transcript."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    print(f"  {what}: {text if len(text) < 300 else text[:300] + '…'}", flush=True)


def encoded(name: str) -> str:
    return base64.b64encode((EXAMPLES / name).read_bytes()).decode()


INVOICE = encoded("invoice.pdf")
PHOTO = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{encoded('photo.jpg')}"}}
FILE = {
    "type": "file",
    "file": {"filename": "invoice.pdf", "file_data": f"data:application/pdf;base64,{INVOICE}"},
}
ASKING = {"type": "text", "text": "Extract all text from this document."}


class Invoice(pydantic.BaseModel):
    """An invoice."""

    invoice_number: str
    amount_due: float | None = pydantic.Field(description="With tax")


class Mcp(unittest.TestCase):
    """The official SDK, OpenAI Agents and LangChain as clients of `/mcp`."""

    def test_sdk(self) -> None:
        async def run() -> None:
            heard = []

            async def progress(done: float, _total: float | None, message: str | None) -> None:
                heard.append((done, message))

            async with (
                streamablehttp_client(f"{ORIGIN}/mcp", headers=BEARER) as (read, write, _),
                mcp.ClientSession(read, write) as session,
            ):
                await session.initialize()
                tools = (await session.list_tools()).tools
                self.assertEqual({tool.name for tool in tools}, TOOLS)
                document = {"data": encoded("report-12.pdf")}
                answer = await session.call_tool("read_document", document, progress_callback=progress)
                say("progress", heard[:2])
                self.assertEqual(len(heard), 12)
                job = answer.structuredContent["job_id"]
                listed = (await session.list_resources()).resources
                uri = f"fovea://jobs/{job}/result.md"
                self.assertIn(uri, [str(resource.uri) for resource in listed])
                text = (await session.read_resource(uri)).contents[0].text
                self.assertIn("Weir Bridge", text)
                refused = await session.call_tool("get_pages", {"job_id": job, "pages": "99"})
                say("get_pages of a page that is not there", refused.content[0].text)
                self.assertTrue(refused.isError)
                both = [session.call_tool("get_pages", {"job_id": job, "pages": f"{n}"}) for n in (3, 9)]
                march, september = await asyncio.gather(*both)
                self.assertIn("March", march.structuredContent["text"])
                self.assertIn("September", september.structuredContent["text"])

        asyncio.run(run())

    def test_openai_agents(self) -> None:
        # As in docs/MCP.md. A model with strict tools must give all arguments.
        async def run() -> None:
            async with agents.mcp.MCPServerStreamableHttp(
                params={"url": f"{ORIGIN}/mcp", "headers": BEARER},
                client_session_timeout_seconds=120,
            ) as fovea:
                agent = agents.Agent(name="Reader", mcp_servers=[fovea])
                tools = await agents.mcp.MCPUtil.get_function_tools(
                    fovea,
                    convert_schemas_to_strict=True,
                    run_context=agents.run_context.RunContextWrapper(None),
                    agent=agent,
                )
                strict = {tool.name for tool in tools if tool.strict_json_schema}
                self.assertEqual(strict, TOOLS - {"extract"})
                [reader] = [tool for tool in tools if tool.name == "read_document"]
                given = {
                    name: schema.get("default", [] if schema["type"] == "array" else "")
                    for name, schema in reader.params_json_schema["properties"].items()
                }
                self.assertEqual(set(reader.params_json_schema["required"]), set(given))
                arguments = json.dumps({**given, "data": INVOICE})
                context = agents.tool_context.ToolContext(
                    context=None, tool_name=reader.name, tool_call_id="1", tool_arguments=arguments
                )
                answer = await reader.on_invoke_tool(context, arguments)
                say("read_document", answer)
                self.assertIn("HIS-2026-0417", str(answer))

        asyncio.run(run())

    def test_langchain(self) -> None:
        async def run() -> None:
            server = {"transport": "streamable_http", "url": f"{ORIGIN}/mcp", "headers": BEARER}
            client = MultiServerMCPClient({"fovea": server})
            tools = {tool.name: tool for tool in await client.get_tools()}
            self.assertEqual(set(tools), TOOLS)

            async def call(name: str, **arguments: object) -> dict:
                message = {"type": "tool_call", "id": "1", "name": name, "args": arguments}
                return (await tools[name].ainvoke(message)).artifact["structured_content"]

            job = (await call("read_document", data=INVOICE))["job_id"]
            # Models like to write inner objects as texts.
            schema = json.dumps(Invoice.model_json_schema())
            found = await call("extract", job_id=job, schema=schema)
            say("extract", {"data": found["data"], "citations": found["citations"]["amount_due"]})
            self.assertEqual(Invoice(**found["data"]).amount_due, 4399.49)
            self.assertEqual(found["citations"]["amount_due"]["text"], "4,399.49")

        asyncio.run(run())


class OpenAiChat(unittest.TestCase):
    """OpenAI's own client with what it sends by default, and structured output."""

    def setUp(self) -> None:
        self.client = openai.OpenAI(api_key=KEY, base_url=f"{ORIGIN}/v1", max_retries=0)

    def ask(self, *parts: object, **more: object):
        messages = [
            {"role": "system", "content": "You read documents."},
            {"role": "user", "content": [*parts]},
        ]
        return self.client.chat.completions.create(model=MODEL, messages=messages, **more)

    def test_chat(self) -> None:
        answer = self.ask(ASKING, PHOTO, temperature=0, max_completion_tokens=100, parallel_tool_calls=True)
        say("chat.completions.create", answer.choices[0].message.content)
        self.assertIn("Mrs Thornton", answer.choices[0].message.content)
        both = self.ask(PHOTO, FILE)
        self.assertRegex(both.choices[0].message.content, "(?s)Mrs Thornton.*HIS-2026-0417")
        self.assertEqual(len(both.fovea["documents"]), 2)
        text, usage = "", None
        for chunk in self.ask(FILE, stream=True, stream_options={"include_usage": True}):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            usage = chunk.usage or usage
        self.assertIn("HIS-2026-0417", text)
        self.assertGreater(usage.completion_tokens, 100)

    def test_structured_output(self) -> None:
        messages = [{"role": "user", "content": [FILE]}]
        answer = self.client.chat.completions.parse(model=MODEL, messages=messages, response_format=Invoice)
        say("chat.completions.parse", answer.choices[0].message.parsed.model_dump())
        self.assertEqual(answer.choices[0].message.parsed.amount_due, 4399.49)
        part = {"type": "input_file", **FILE["file"]}
        response = self.client.responses.parse(
            model=MODEL, input=[{"role": "user", "content": [part]}], text_format=Invoice
        )
        self.assertEqual(response.output_parsed.invoice_number, "HIS-2026-0417")

    def test_responses_stream(self) -> None:
        part = {"type": "input_file", **FILE["file"]}
        with self.client.responses.stream(model=MODEL, input=[{"role": "user", "content": [part]}]) as events:
            numbers = [event.sequence_number for event in events]
            text = events.get_final_response().output_text
        self.assertIn("HIS-2026-0417", text)
        self.assertEqual(numbers, list(range(len(numbers))))

    def test_errors(self) -> None:
        for more in (
            {"response_format": {"type": "json_object"}},
            {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"},
            {"n": 2},
        ):
            with self.assertRaises(openai.UnprocessableEntityError) as raised:
                self.ask(FILE, **more)
            say("refused", raised.exception.message)
            self.assertEqual(raised.exception.code, "invalid-request")


class LangChainAndLiteLlm(unittest.TestCase):
    def test_langchain(self) -> None:
        parts = [
            PHOTO,
            {"type": "image", "base64": encoded("photo.jpg"), "mime_type": "image/jpeg"},
            {"type": "file", "base64": INVOICE, "mime_type": "application/pdf", "filename": "invoice.pdf"},
        ]
        for use_responses in (False, True):
            model = ChatOpenAI(
                model=MODEL, api_key=KEY, base_url=f"{ORIGIN}/v1", use_responses_api=use_responses
            )
            for part in parts:
                text = model.invoke([HumanMessage(content=[ASKING, part])]).text
                self.assertRegex(text, "Mrs Thornton|HIS-2026-0417")
            message = HumanMessage(content=[parts[-1]])
            streamed = "".join(chunk.text for chunk in model.stream([message]))
            self.assertIn("HIS-2026-0417", streamed)
            invoice = model.with_structured_output(Invoice).invoke([message])
            say("with_structured_output", invoice.model_dump())
            self.assertEqual(invoice.amount_due, 4399.49)

    def test_litellm(self) -> None:
        where = {"model": f"openai/{MODEL}", "api_key": KEY, "api_base": f"{ORIGIN}/v1"}
        messages = [{"role": "user", "content": [ASKING, FILE]}]
        text = litellm.completion(messages=messages, **where).choices[0].message.content
        self.assertIn("HIS-2026-0417", text)
        data = litellm.completion(messages=messages, response_format=Invoice, **where)
        say("litellm.completion", data.choices[0].message.content)
        self.assertEqual(Invoice.model_validate_json(data.choices[0].message.content).amount_due, 4399.49)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Streams written by hand, one or more of each protocol, with the oddities that real ones have.

They stand for the recordings where those are absent. `END` in a stream is where its sender has said
that it is over: cut before it, the stream is not whole.
"""

import base64
from dataclasses import dataclass
from typing import Any

from monitor.model import Failure, Habit, Usage
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.answer.stream_verdict import judge_stream, stream_stats
from monitor.probes.exchange import Exchange
from monitor.probes.readers import (
    AnthropicReader,
    ChatReader,
    GeminiReader,
    ImageReader,
    ProtocolReader,
    ResponsesReader,
    SpeechReader,
    TranscriptReader,
)

END = "<<END>>"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(30)).decode()
MP3 = base64.b64encode(b"\xff\xfb" + bytes(30)).decode()


def listen(exchange: Exchange, reader: ProtocolReader) -> StreamRecorder:
    """What the watch of a live stream would have heard of it."""
    listener = StreamRecorder(reader)
    for arrival in exchange.chunks:
        listener.feed(arrival)
    listener.close()
    return listener


def judged(
    exchange: Exchange,
    reader: ProtocolReader,
    habit: Habit = Habit(),  # noqa: B008
    *,
    proven: bool = False,
) -> Failure | None:
    """What is said of a stream once it is over."""
    recorder = listen(exchange, reader)
    stats = stream_stats(recorder, exchange, habit, proven=proven)
    return judge_stream(recorder, exchange, stats)


@dataclass(frozen=True)
class Written:
    reader: type[ProtocolReader]
    source: str | bytes
    text: str = ""
    reasoning: str = ""
    tools: tuple[tuple[str, str], ...] = ()
    finish: tuple[str, ...] = ()
    usage: Usage | None = None
    model: str | None = "model-x"
    content_events: int = 0
    comments: int = 0
    error: Any = None
    done: bool = False
    ended: bool = False
    refused: bool = False
    unknown: str = ""

    @property
    def data(self) -> bytes:
        source = self.source
        return (source.encode() if isinstance(source, str) else source).replace(END.encode(), b"")

    @property
    def end(self) -> int | None:
        """Bytes up to its end; None for one that never says so."""
        source = self.source.encode() if isinstance(self.source, str) else self.source
        at = source.find(END.encode())
        return None if at < 0 else at


def chat(*pieces: str, comments: str = "", tail: str = "") -> str:
    """Chunks with these members of the first choice, framed by LF."""
    chunks = (
        f'data: {{"model":"model-x","choices":[{{"index":0,{piece}}}]}}\n\n' for piece in pieces
    )
    return comments + "".join(chunks) + tail


HELLO = (
    '"delta":{"role":"assistant","content":""}',
    '"delta":{"content":"Grüße"}',
    '"delta":{"content":" 🙂"}',
)
STOP = '"delta":{},"finish_reason":"stop"'
USAGE = '"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}'
NINE_THREE = Usage(tokens_in=9, tokens_out=3)
_USUAL = chat(*HELLO, STOP) + END + f'data: {{"choices":[],{USAGE}}}\n\ndata: [DONE]\n\n'

STREAMS: dict[str, Written] = {
    "chat": Written(
        ChatReader,
        _USUAL,
        "Grüße 🙂",
        finish=("stop",),
        usage=NINE_THREE,
        content_events=2,
        done=True,
    ),
    "chat framed by CRLF behind a byte order mark": Written(
        ChatReader,
        "\ufeff" + _USUAL.replace("\n", "\r\n"),
        "Grüße 🙂",
        finish=("stop",),
        usage=NINE_THREE,
        content_events=2,
        done=True,
    ),
    "chat framed by lone CR": Written(
        ChatReader,
        _USUAL.replace("\n", "\r"),
        "Grüße 🙂",
        finish=("stop",),
        usage=NINE_THREE,
        content_events=2,
        done=True,
    ),
    "chat with heartbeats and unknown fields": Written(
        ChatReader,
        chat(*HELLO, STOP, comments=": PROCESSING\n\n:\n\nretry: 10\nfoo: bar\n\n") + END,
        "Grüße 🙂",
        finish=("stop",),
        content_events=2,
        comments=2,
        unknown="foo: bar\n",
    ),
    "chat of several lines per event": Written(
        ChatReader,
        'data: {"model":"model-x",\ndata: "choices":[{"delta":\ndata: {"content":"a"}}]}\n\n'
        'data:{"choices":[{"delta":{"content":"b"},"finish_reason":"length"}]}\n\n' + END,
        "ab",
        finish=("length",),
        content_events=2,
    ),
    "chat with bytes that are no UTF-8": Written(
        ChatReader,
        b'data: {"model":"model-x","choices":[{"delta":{"content":"a\xff\xe2\x82b"}}]}\n\n'
        + chat(STOP).encode()
        + END.encode(),
        "a\ufffd\ufffdb",
        finish=("stop",),
        content_events=1,
    ),
    "chat that thinks, calls a tool and ends twice": Written(
        ChatReader,
        chat(
            '"delta":{"reasoning_content":"hm"}',
            '"delta":{"content":null,"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}',
            '"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}',
            '"delta":{},"finish_reason":"tool_calls"',
        )
        + END
        + chat('"delta":{},"finish_reason":"tool_calls"'),
        reasoning="hm",
        tools=(("f", "{}"),),
        finish=("tool_calls", "tool_calls"),
        content_events=3,
    ),
    "chat that thinks between marks": Written(
        ChatReader,
        chat('"delta":{"content":"<think>h"}', '"delta":{"content":"m</think>yes"}', STOP) + END,
        "yes",
        reasoning="hm",
        finish=("stop",),
        content_events=2,
    ),
    "chat whose error is a chunk": Written(
        ChatReader,
        chat(*HELLO, tail='data: {"error":{"message":"boom","code":500}}\n\n'),
        "Grüße 🙂",
        content_events=2,
        error={"error": {"message": "boom", "code": 500}},
    ),
    "chat whose error is a line of its own": Written(
        ChatReader,
        chat(*HELLO, tail='error: {"message":"boom"}\n'),
        "Grüße 🙂",
        content_events=2,
        unknown='error: {"message":"boom"}\n',
    ),
    "completions": Written(
        ChatReader,
        'data: {"model":"model-x","choices":[{"text":" 5","index":0}]}\n\n'
        'data: {"choices":[{"text":" 6","index":0,"finish_reason":"length"}]}\n\n'
        + END
        + "data: [DONE]\n\n",
        " 5 6",
        finish=("length",),
        content_events=2,
        done=True,
    ),
    "responses": Written(
        ResponsesReader,
        'event: response.created\ndata: {"type":"response.created","response":{"model":"model-x"}}\n\n'
        'event: response.reasoning_summary_text.delta\ndata: {"type":"response.reasoning_summary_text.delta","delta":"hm"}\n\n'
        'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"yes"}\n\n'
        'event: response.completed\ndata: {"type":"response.completed","response":{"status":"completed",'
        '"usage":{"input_tokens":9,"output_tokens":3}}}\n\n' + END,
        "yes",
        reasoning="hm",
        finish=("completed",),
        usage=NINE_THREE,
        content_events=2,
        ended=True,
    ),
    "responses that fail": Written(
        ResponsesReader,
        'event: error\ndata: {"type":"error","code":"insufficient_quota","message":"no"}\n\n',
        model=None,
        error={"type": "error", "code": "insufficient_quota", "message": "no"},
    ),
    "messages": Written(
        AnthropicReader,
        'event: message_start\ndata: {"type":"message_start","message":{"model":"model-x","usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
        'event: ping\ndata: {"type":"ping"}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"yes"}}\n\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}\n\n'
        + END
        + 'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        "yes",
        reasoning="hm",
        finish=("end_turn",),
        usage=NINE_THREE,
        content_events=2,
        ended=True,
    ),
    "messages that refuse": Written(
        AnthropicReader,
        'data: {"type":"message_delta","delta":{"stop_reason":"refusal"}}\n\ndata: {"type":"message_stop"}\n\n'
        + END,
        model=None,
        finish=("refusal",),
        ended=True,
        refused=True,
    ),
    "gemini": Written(
        GeminiReader,
        (
            'data: {"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}],"modelVersion":"model-x"}\n\n'
            'data: {"candidates":[{"content":{"parts":[{"text":"yes"}]},"finishReason":"STOP"}],'
            '"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1,"thoughtsTokenCount":2}}\n\n'
            + END
        ).replace("\n", "\r\n"),
        "yes",
        reasoning="hm",
        finish=("STOP",),
        usage=NINE_THREE,
        content_events=2,
    ),
    "gemini that is blocked": Written(
        GeminiReader,
        'data: {"promptFeedback":{"blockReason":"SAFETY"},"modelVersion":"model-x"}\n\n' + END,
        finish=("SAFETY",),
        refused=True,
    ),
    "transcriptions": Written(
        TranscriptReader,
        'data: {"type":"transcript.text.delta","delta":"yes"}\r\n\r\n'
        'data: {"type":"transcript.text.done","text":"yes","usage":{"input_tokens":9,"output_tokens":3}}\r\n\r\n'
        + END,
        "yes",
        finish=("done",),
        usage=NINE_THREE,
        model=None,
        content_events=1,
        ended=True,
    ),
    "speech": Written(
        SpeechReader,
        f'data: {{"type":"speech.audio.delta","audio":"{MP3}"}}\n\n'
        'data: {"type":"speech.audio.done","usage":{"input_tokens":9,"output_tokens":3}}\n\n' + END,
        finish=("done",),
        usage=NINE_THREE,
        model=None,
        content_events=1,
        ended=True,
    ),
    "images": Written(
        ImageReader,
        f'event: image_generation.partial_image\ndata: {{"type":"image_generation.partial_image","b64_json":"{PNG}"}}\n\n'
        f'event: image_generation.completed\ndata: {{"type":"image_generation.completed","b64_json":"{PNG}","usage":{{"input_tokens":9,"output_tokens":3}}}}\n\n'
        + END,
        finish=("done",),
        usage=NINE_THREE,
        model=None,
        content_events=2,
        ended=True,
    ),
}

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.models.vision_language.small_tower import PictureProcessor
from tests.perception.tiny_published import write_qwen_vl
from transformers import AutoImageProcessor, AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.perception import vision_language
from mezzotint.perception.vision_language import KEY, Endpoint, VisionLanguage, load_qwen_vl

CPU = torch.device("cpu")


def picture(width: int, height: int, seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_qwen_vl(tmp_path_factory.mktemp("qwen-vl"))


def test_an_answer_follows_the_picture_and_the_question(folder: Path) -> None:
    model = load_qwen_vl(folder, CPU, torch.float32)
    assert isinstance(model, VisionLanguage)
    first = model.answer(picture(40, 30, 0), "what is it?", 12)
    assert first == model.answer(picture(40, 30, 0), "what is it?", 12) != ""
    assert model.answer(picture(40, 30, 1), "what is it?", 12) != first
    assert model.answer(picture(40, 30, 0), "where is it?", 12) != first


@torch.no_grad()
def test_the_answer_is_what_transformers_says_of_its_own_prompt(folder: Path) -> None:
    processor = PictureProcessor(
        image_processor=AutoImageProcessor.from_pretrained(folder), tokenizer=AutoTokenizer.from_pretrained(folder)
    )
    prompt = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>how many?<|im_end|>\n<|im_start|>assistant\n"
    given = processor(text=[prompt], images=[picture(40, 24, 3)], return_tensors="pt")
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    made = model.generate(**given, max_new_tokens=12, do_sample=False)
    expected = processor.tokenizer.decode(made[0, given["input_ids"].shape[1] :], skip_special_tokens=True)
    assert load_qwen_vl(folder, CPU, torch.float32).answer(picture(40, 24, 3), "how many?", 12) == expected != ""


def test_what_is_no_such_model_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no config\.json"):
        load_qwen_vl(tmp_path, CPU, torch.float32)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="kind 'bert'"):
        load_qwen_vl(tmp_path, CPU, torch.float32)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(FileFormatError, match="cannot be read as a Qwen-VL"):
        load_qwen_vl(tmp_path, CPU, torch.float32)


class Chat(BaseHTTPRequestHandler):
    """Answers with the number of the picture's bytes, or as it is told to."""

    requests: list[tuple[str, str | None, dict[str, Any]]]
    status, body = 200, b""
    first: list[int]  # what the first ones get

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, self.headers.get("Authorization"), asked))
        said = json.dumps({"choices": [{"message": {"content": "seen"}}]}).encode()
        self.send_response(self.first.pop(0) if self.first else self.status)
        self.end_headers()
        self.wfile.write(self.body or said)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision_language, "_PAUSES", (0.0, 0.0))


@pytest.fixture
def chat() -> Iterator[tuple[str, type[Chat]]]:
    handler = type("Fresh", (Chat,), {"requests": [], "first": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_endpoint_is_sent_the_picture_and_the_question(
    chat: tuple[str, type[Chat]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, handler = chat
    monkeypatch.setenv(KEY, "secret")
    assert Endpoint(address, "some-model").answer(picture(8, 8, 0), "what is it?", 20) == "seen"
    ((path, authorization, asked),) = handler.requests
    assert (path, authorization) == ("/v1/chat/completions", "Bearer secret")
    assert (asked["model"], asked["max_tokens"], asked["temperature"]) == ("some-model", 20, 0)
    shown, question = asked["messages"][0]["content"]
    assert shown["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    assert question == {"type": "text", "text": "what is it?"}


def test_an_endpoint_that_fails_for_a_moment_is_asked_again(chat: tuple[str, type[Chat]], hasty: None) -> None:
    address, handler = chat
    handler.first = [503, 429]
    assert Endpoint(address, "some-model").answer(picture(8, 8, 0), "?", 20) == "seen"
    assert len(handler.requests) == 3
    handler.first = [404]
    with pytest.raises(InputError, match=r"gave no answer .*404"):
        Endpoint(address, "some-model").answer(picture(8, 8, 0), "?", 20)
    assert len(handler.requests) == 4


def test_what_does_not_speak_http_is_one_clear_line(
    chat: tuple[str, type[Chat]], hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, handler = chat
    monkeypatch.setattr(handler, "do_POST", lambda self: self.wfile.write(b"nothing of the kind\r\n"))
    with pytest.raises(InputError, match=r"gave no answer .*nothing of the kind") as raised:
        Endpoint(address, "some-model").answer(picture(8, 8, 0), "?", 20)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("status", "body"), [(500, b""), (200, b"{}"), (200, b"no JSON"), (200, b'{"choices": []}')])
def test_an_endpoint_without_an_answer_is_one_clear_line(
    chat: tuple[str, type[Chat]], hasty: None, status: int, body: bytes
) -> None:
    address, handler = chat
    handler.status, handler.body = status, body
    with pytest.raises(InputError, match="gave no answer"):
        Endpoint(address, "some-model").answer(picture(8, 8, 0), "?", 20)


def test_nobody_at_an_address_is_said(hasty: None) -> None:
    with pytest.raises(InputError, match="gave no answer"):
        Endpoint("http://127.0.0.1:9", "some-model").answer(picture(8, 8, 0), "?", 20)

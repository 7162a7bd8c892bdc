"""Networks that answer a question about a picture: one from a folder, or one behind an address."""

import base64
import http.client
import io
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from PIL import Image

from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.models.bundle import read_json

KEY = "MEZZOTINT_ENDPOINT_KEY"  # the environment variable that holds an endpoint's key, where it wants one
_PATIENCE = 300  # seconds for one answer
_PAUSES = (1.0, 4.0, 16.0)  # seconds before it is asked again: one that is busy or starts anew may answer then
_TOO_MANY = 429
_MOST_BYTES = 1 << 20  # of an answer
_QUALITY = 92  # of the JPEG that is sent
_TURNS = "<|im_start|>user\n<|vision_start|>{pads}<|vision_end|>{question}<|im_end|>\n<|im_start|>assistant\n"
_PAD = "<|image_pad|>"


@runtime_checkable
class VisionLanguage(Protocol):
    """Answers in text, the same to the same question. Pictures are "RGB", of any size."""

    def answer(self, picture: Image.Image, question: str, max_tokens: int) -> str:
        """Raises InputError where no answer can be had at all."""
        ...


class QwenVl:
    """Qwen2-VL, Qwen2.5-VL or Qwen3-VL through transformers, the likeliest token each time."""

    def __init__(self, model: Any, prepare: Any, tokenizer: Any, device: torch.device) -> None:
        self._model, self._device = model.to(device).eval(), device
        self._prepare, self._tokenizer = prepare, tokenizer

    @torch.inference_mode()
    def answer(self, picture: Image.Image, question: str, max_tokens: int) -> str:
        seen = self._prepare([picture], return_tensors="pt")
        pads = int(seen["image_grid_thw"][0].prod()) // self._prepare.merge_size**2
        prompt = _TURNS.format(pads=_PAD * pads, question=question)
        read = self._tokenizer(prompt, return_tensors="pt")
        kinds = (read["input_ids"] == self._tokenizer.convert_tokens_to_ids(_PAD)).int()  # 1: of a picture
        given = {name: value.to(self._device) for name, value in {**read, **seen, "mm_token_type_ids": kinds}.items()}
        given["pixel_values"] = given["pixel_values"].to(self._model.dtype)
        made = self._model.generate(**given, max_new_tokens=max_tokens, do_sample=False)
        return str(self._tokenizer.decode(made[0, read["input_ids"].shape[1] :], skip_special_tokens=True))


def load_qwen_vl(folder: Path, device: torch.device, dtype: torch.dtype) -> QwenVl:
    """A published model's folder, of safetensors.

    Raises:
        MissingFileError: The folder is none of a model.
        InputError: It is of another kind.
        FileFormatError: A file in it is missing or broken.
    """
    from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

    check_qwen_vl(folder)
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=dtype
        )
        prepare = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as cause:
        raise FileFormatError(f"{folder} cannot be read as a Qwen-VL: {str(cause).splitlines()[0]}") from cause
    return QwenVl(model, prepare, tokenizer, device)


def check_qwen_vl(folder: Path) -> None:
    """Raises MissingFileError and InputError likewise, before anything is loaded."""
    if not (folder / "config.json").is_file():
        raise MissingFileError(f"{folder} is not a model's folder (no config.json): name that of a Qwen-VL, say")
    kind = str(read_json(folder / "config.json").get("model_type"))
    if not (kind.startswith("qwen") and "_vl" in kind):
        raise InputError(f"{folder} is a model of kind {kind!r}: Qwen-VL models answer questions about pictures here")


class Endpoint:
    """A model behind an OpenAI-compatible address, such as http://127.0.0.1:8000/v1; pictures are sent to it."""

    def __init__(self, address: str, model: str) -> None:
        self._address, self._model = address.rstrip("/"), model

    def answer(self, picture: Image.Image, question: str, max_tokens: int) -> str:
        shown = {"type": "image_url", "image_url": {"url": _data_url(picture)}}
        message = {"role": "user", "content": [shown, {"type": "text", "text": question}]}
        asked = {"model": self._model, "messages": [message], "max_tokens": max_tokens, "temperature": 0}
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(
            f"{self._address}/chat/completions", json.dumps(asked).encode(), headers, method="POST"
        )
        try:
            content = json.loads(_patiently(request))
            return str(content["choices"][0]["message"]["content"])
        except (OSError, http.client.HTTPException, ValueError, KeyError, IndexError, TypeError) as cause:
            why = " ".join(str(cause).split())
            raise InputError(
                f"{self._address} gave no answer ({why}): the same command goes on where it stopped"
            ) from cause


def _patiently(request: urllib.request.Request) -> bytes:
    """What is answered in one of a few tries; an error that no other try would mend is raised at once."""
    for pause in _PAUSES:
        try:
            return _ask(request)
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != _TOO_MANY:
                raise
            time.sleep(pause)
    return _ask(request)


def _ask(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
        return bytes(response.read(_MOST_BYTES))


def _data_url(picture: Image.Image) -> str:
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(sink.getvalue()).decode()}"

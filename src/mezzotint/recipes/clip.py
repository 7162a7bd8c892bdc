"""Training the bilingual pair of towers that curation looks through, ending as a folder of both.

<folder>/text_encoder/, tokenizer/   a Qwen3Model, in the published layout
<folder>/picture_encoder/            the picture tower and the map of the text's features, with their sizes
<folder>/model_index.json            what makes them one model, last
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from mezzotint.data.picture_batches import Framing, PictureBatch, PictureBatches
from mezzotint.errors import InputError
from mezzotint.generation.loading import load_text_tower
from mezzotint.generation.loading_dual_encoder import PICTURES, TEXT
from mezzotint.models import bundle
from mezzotint.models.bundle import find_model, read_json
from mezzotint.models.text import TextConfig, TextTower, build, save_tokenizer
from mezzotint.perception.dual_encoder import DualEncoder, DualEncoderConfig, init_weights
from mezzotint.recipes.export import COMPONENTS, write_text_encoder
from mezzotint.recipes.recipe import Plan, Run, RunOptions, check_data
from mezzotint.runtime import atomic
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.objectives.clip import PictureTextContrast
from mezzotint.training.state import TrainState
from mezzotint.training.trainer import Probes

_INDEX = {
    "_class_name": "DualEncoder",
    PICTURES: ["mezzotint", "DualEncoder"],
    **{name: COMPONENTS[name] for name in ("text_encoder", "tokenizer")},
}


@dataclass(frozen=True, kw_only=True)
class ClipRecipe:
    """Contrast of pictures with captions in two languages. The text tower begins as the first layers of a model's.

    Attributes:
        text_layers: How many layers of it stay; the last of them is not looked through.
        validation_batches: Of the split "val", of `validation_pictures` each.
        dtype: Of the exported weights.
    """

    text_layers: int
    pictures: DualEncoderConfig
    plan: Plan
    objective: PictureTextContrast
    framing: Framing
    validation_framing: Framing
    validation_batches: int
    validation_pictures: int
    dtype: torch.dtype

    def prepare(self, options: RunOptions) -> Run:
        plan = self.plan.under(options)
        check_data(options, "mezzotint corpus build", takes=("model",))
        model = find_model(options.model_name("whose text tower's first layers it begins with"))
        config, text = self._text(model)
        encoder = DualEncoder(text, self.pictures)
        init_weights(encoder, Seeds(options.seed).generator("weights"))
        state = plan.state(encoder, options)
        held_out = PictureBatches(
            options.data,
            batch_size=self.validation_pictures,
            framing=self.validation_framing,
            seed=0,
            split="val",
            captioned=True,
        )
        validation = [held_out.at(step) for step in range(self.validation_batches)]
        self._check_languages(options.data, validation)
        return Run(
            config=plan.fit_config(options),
            state=state,
            objective=self.objective,
            batches=PictureBatches(
                options.data, batch_size=plan.batch, framing=self.framing, seed=options.seed, captioned=True
            ),
            probes=Probes(validate=lambda state: self.objective.validate(state, validation, Seeds(0))),
            export=lambda folder: self._export(state, config, text.tokenizer, folder),
        )

    def _check_languages(self, corpus: Path, validation: Sequence[PictureBatch]) -> None:
        for language in self.objective.languages:
            for batch in validation:
                if not any(caption.language == language for own in batch.captions for caption in own):
                    raise InputError(
                        f"{corpus} has too few captions in {language!r} of split 'val'; "
                        f"this recipe needs some in each of {', '.join(self.objective.languages)}"
                    )

    def _text(self, model: Path) -> tuple[TextConfig, TextTower]:
        whole = load_text_tower(model, torch.float32)
        config = TextConfig.from_json(read_json(model / "text_encoder" / "config.json"))
        if config.num_hidden_layers < self.text_layers:
            raise InputError(
                f"{model} has a text tower of {config.num_hidden_layers} layers: {self.text_layers} needed"
            )
        config = replace(config, num_hidden_layers=self.text_layers)
        text = TextTower(build(config), whole.tokenizer)
        weights = whole.state_dict()
        text.load_state_dict({name: weights[name] for name in text.state_dict()})
        return config, text

    def _export(self, state: TrainState, config: TextConfig, tokenizer: Tokenizer, folder: Path) -> None:
        weights = state.averaged_weights()
        text = {name: weights.pop(name) for name in list(weights) if name.startswith(TEXT)}
        write_text_encoder(folder, config, {name.removeprefix(TEXT): w for name, w in text.items()}, self.dtype)
        with atomic.folder(folder / "tokenizer") as part:
            save_tokenizer(tokenizer, part)
        with atomic.folder(folder / PICTURES) as part:
            bundle.write_weights(part, {name: weight.to(self.dtype) for name, weight in weights.items()})
            atomic.write_json(part / "config.json", self.pictures.to_json())
        atomic.write_json(folder / bundle.INDEX, _INDEX)

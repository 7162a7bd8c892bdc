"""Training a text tower against a corpus' pictures, ending as `text_encoder/` and `tokenizer/` of a model folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

from mezzotint.data.picture_batches import Framing, PictureBatches
from mezzotint.data.records import read_records
from mezzotint.generation.loading_dual_encoder import TEXT
from mezzotint.models.text import TextConfig, TextTower, build, load_tokenizer, save_tokenizer, train_tokenizer
from mezzotint.models.text import init_weights as init_text
from mezzotint.perception.dual_encoder import DualEncoder, DualEncoderConfig
from mezzotint.perception.dual_encoder import init_weights as init_pictures
from mezzotint.recipes.export import write_index, write_text_encoder
from mezzotint.recipes.recipe import Plan, Run, RunOptions, check_data
from mezzotint.runtime import atomic
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.objectives.text import CaptionContrast
from mezzotint.training.state import TrainState
from mezzotint.training.trainer import Probes


@dataclass(frozen=True, kw_only=True)
class TextRecipe:
    """A tokenizer from the captions, then contrast of captions with pictures and with each other, and the next token.

    Attributes:
        pictures: The picture tower that is the teacher, and is thrown away.
        validation_batches: Of the split "val", of `validation_pictures` each.
        dtype: Of the exported weights.
    """

    text: TextConfig
    pictures: DualEncoderConfig
    plan: Plan
    objective: CaptionContrast
    framing: Framing
    validation_framing: Framing
    validation_batches: int
    validation_pictures: int
    dtype: torch.dtype

    def prepare(self, options: RunOptions) -> Run:
        plan = self.plan.under(options)
        check_data(options, "mezzotint corpus build")
        tokenizer = self._tokenizer(options)
        batches = PictureBatches(
            options.data, batch_size=plan.batch, framing=self.framing, seed=options.seed, captioned=True
        )
        held_out = PictureBatches(
            options.data,
            batch_size=self.validation_pictures,
            framing=self.validation_framing,
            seed=0,
            split="val",
            captioned=True,
        )
        validation = [held_out.at(step) for step in range(self.validation_batches)]
        state = plan.state(self._network(tokenizer, options.seed), options)
        return Run(
            config=plan.fit_config(options),
            state=state,
            objective=self.objective,
            batches=batches,
            probes=Probes(validate=lambda state: self.objective.validate(state, validation, Seeds(0))),
            export=lambda folder: self._export(state, tokenizer, folder),
        )

    def _tokenizer(self, options: RunOptions) -> Tokenizer:
        """Trained once and kept in the run's folder, so that a resumed run reads the same tokens."""
        kept = options.run / "tokenizer"
        if not kept.exists():
            tokenizer = train_tokenizer(training_captions(options.data), self.text.vocab_size)
            with atomic.folder(kept) as folder:
                save_tokenizer(tokenizer, folder)
        return load_tokenizer(kept)

    def _network(self, tokenizer: Tokenizer, seed: int) -> DualEncoder:
        encoder = DualEncoder(TextTower(build(self.text), tokenizer), self.pictures)
        init_text(encoder.text, Seeds(seed).generator("text weights"))
        init_pictures(encoder, Seeds(seed).generator("picture weights"))
        return encoder

    def _export(self, state: TrainState, tokenizer: Tokenizer, folder: Path) -> None:
        averaged = state.averaged_weights()
        weights = {name.removeprefix(TEXT): weight for name, weight in averaged.items() if name.startswith(TEXT)}
        write_text_encoder(folder, self.text, weights, self.dtype)
        with atomic.folder(folder / "tokenizer") as part:
            save_tokenizer(tokenizer, part)
        write_index(folder)


def training_captions(corpus: Path) -> Iterator[str]:
    for record in read_records(corpus, ["captions"], splits=["train"]):
        yield from (caption.text for caption in record.captions)

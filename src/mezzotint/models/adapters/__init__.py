"""What is added to a trained network: LoRA and its kin.

`forms.py` is their mathematics, `lora_file.py` reads them in every dialect, `lora.py` puts them into a network and
takes them out again.
"""

from mezzotint.models.adapters.lora import Applied, apply_fused, apply_live
from mezzotint.models.adapters.lora_file import Lora, read_lora

__all__ = ["Applied", "Lora", "apply_fused", "apply_live", "read_lora"]

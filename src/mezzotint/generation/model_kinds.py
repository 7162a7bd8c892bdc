"""Which kinds of model there are, and which one a model folder says it is."""

from mezzotint.errors import FileFormatError
from mezzotint.generation.omni import ZImageOmni
from mezzotint.generation.qwen_image import QwenImage
from mezzotint.generation.qwen_image_edit import QwenImageEdit, QwenImageEditPlus
from mezzotint.generation.z_image import ZImage
from mezzotint.models.bundle import INDEX, read_json
from mezzotint.models.sources import Sources

Kind = type[ZImage] | type[QwenImage]
# What a model folder's model_index.json calls itself.
MODELS: dict[str, Kind] = {
    "ZImagePipeline": ZImage,
    "ZImageImg2ImgPipeline": ZImage,
    "ZImageInpaintPipeline": ZImage,
    "ZImageControlNetPipeline": ZImage,
    "ZImageControlNetInpaintPipeline": ZImage,
    "ZImageOmniPipeline": ZImageOmni,
    "QwenImagePipeline": QwenImage,
    "QwenImageEditPipeline": QwenImageEdit,
    "QwenImageEditPlusPipeline": QwenImageEditPlus,
}


def model_class(sources: Sources) -> Kind:
    """The kind that a model folder says it is.

    Raises:
        MissingFileError: The folder does not say.
        FileFormatError: It does so in a broken file, the kind is not known here, or a ControlNet cannot lead it.
    """
    index = sources.folder / INDEX
    kind = read_json(index).get("_class_name")
    if kind not in MODELS:
        raise FileFormatError(f"{index}: the model is a {kind}, supported here: {', '.join(MODELS)}")
    if "controlnet" in sources.components and MODELS[kind] is not ZImage:
        raise FileFormatError(f"{index}: the model is a {kind}; the ControlNets that are known here are for Z-Image")
    return MODELS[kind]

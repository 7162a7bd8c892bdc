"""Pictures as packages hold them: photographs, clip-art and stamps, frames of clips, each under its own licence."""

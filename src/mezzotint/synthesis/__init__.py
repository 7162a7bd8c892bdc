"""Pictures made here, with what is true about them: sprites of named concepts and scenes composed of them."""

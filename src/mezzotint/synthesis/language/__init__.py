"""Right words for captions: articles, plurals and numerals in English, numerals and measure words in Chinese."""

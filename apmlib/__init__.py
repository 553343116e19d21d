"""The model of Murray and Gordo (2017) rebuilt: photographs in, score distributions out."""

import warnings

__version__ = "0.1.0"

# captum and accelerate import tqdm.auto, which tells every notebook without widgets that it has
# none; a page could not show them.
warnings.filterwarnings("ignore", "IProgress not found")

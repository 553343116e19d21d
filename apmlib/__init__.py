"""The model of Murray and Gordo (2017) rebuilt: photographs in, score distributions out."""

__version__ = "0.1.0"

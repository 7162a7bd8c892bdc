"""How good a model is: suites that measure, figures with their uncertainty, reports.

A suite asks one model a fixed set of questions and returns tables; reference rows, made from real pictures and from
noise in the same run, say what its figures can mean.
"""

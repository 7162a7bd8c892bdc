"""The mathematics of flow matching: path, time sampling, schedules, guidance, samplers. No network lives here.

Time runs from t = 0 (noise) to t = 1 (clean); the velocity is clean − noise; sigma = 1 − t.
"""
